"""Who is told when something is late or has failed: one SNS topic, `sluice.topic_arn`; without one nobody is told."""

from datetime import timedelta

from airflow.providers.amazon.aws.notifications.sns import SnsNotifier
from airflow.sdk import AsyncCallback, DeadlineAlert, DeadlineReference

from lakehouse import settings

SUBJECT_MAX = 100


def on_failure(what: str = "{{ dag.dag_id }}") -> list[SnsNotifier]:
    """Returns what tells that a run has failed, or a task whose end is not the run's."""
    topic = settings.optional("topic_arn")
    if not topic:
        return []
    message = f"{what} failed: run {{{{ run_id }}}}. What to do stands in the DAG's documentation."
    return [SnsNotifier(target_arn=topic, subject=f"{what} failed", message=message)]


def deadline(subject: str, reference: DeadlineReference, interval: timedelta) -> list[DeadlineAlert] | None:
    """Returns what tells that a run has not ended in time.

    The triggerer runs the callback and does not have this folder on its path, so it is the provider's own class.
    """
    topic = settings.optional("topic_arn")
    if not topic:
        return None
    message = "{{ dag_run.dag_id }} has not ended by {{ deadline.deadline_time }}: run {{ dag_run.dag_run_id }}."
    told = {"target_arn": topic, "subject": subject[:SUBJECT_MAX], "message": message}
    return [DeadlineAlert(reference=reference, interval=interval, callback=AsyncCallback(SnsNotifier, kwargs=told))]


def publish(subject: str, message: str) -> bool:
    """Tells it now; returns whether there is a topic."""
    topic = settings.optional("topic_arn")
    if not topic:
        return False
    from airflow.providers.amazon.aws.hooks.sns import SnsHook

    SnsHook().publish_to_target(target_arn=topic, subject=subject[:SUBJECT_MAX], message=message)
    return True
