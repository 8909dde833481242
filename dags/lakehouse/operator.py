"""The one operator: runs a job of the graph, hands versions on, and judges the end by the launcher's record, never by stdout."""

import time
from collections.abc import Callable, Sequence
from math import ceil
from typing import Any

from airflow.providers.amazon.aws.links.emr import EmrServerlessCloudWatchLogsLink
from airflow.providers.amazon.aws.operators.emr import EmrServerlessStartJobOperator
from airflow.sdk.bases.operator import TRIGGER_FAIL_REPR
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException, TaskDeferred
from botocore.exceptions import BotoCoreError, ClientError

from lakehouse import attempts, graph, identity, policies, requests, settings
from lakehouse.lake import open_lake
from lakehouse.policies import Action
from lakehouse.requests import Choice, Order
from lakehouse.windows import Window

VERSIONS = "versions"
ENDED = {"SUCCESS", "FAILED", "CANCELLED"}
ACTIVE = ["SUBMITTED", "PENDING", "SCHEDULED", "QUEUED", "RUNNING", "CANCELLING"]


class JobOperator(EmrServerlessStartJobOperator):
    """Runs one job of `graph.json`.

    :param job: the job as it stands in the graph
    :param window: which window a run is for
    :param choice: which steps run, and with what arguments more than usual; all of them when absent
    """

    template_fields: Sequence[str] = (*EmrServerlessStartJobOperator.template_fields, "release")
    # The job opens no SparkContext, so there is no dashboard; its logs are the driver's.
    operator_extra_links = (EmrServerlessCloudWatchLogsLink(),)

    def __init__(
        self,
        *,
        job: dict,
        window: Window,
        choice: Callable[[Any], Choice] | Choice = Choice(),
        release: str = "{{ var.value.sluice_release }}",
        **kwargs: Any,
    ) -> None:
        self.job, self.window, self.choice, self.release = job, window, choice, release
        self.order: Order | None = None
        self.missing: list[str] = []
        poll = settings.poll_seconds()
        longest = requests.patience(job)
        # What only a running task knows (ids, versions, places) is filled in by `render_template_fields`.
        super().__init__(
            application_id="",
            execution_role_arn="",
            job_driver={},
            waiter_delay=poll,
            waiter_max_attempts=ceil(longest.total_seconds() / poll),
            **{
                "task_id": job["job"],
                "owner": ",".join(job["owners"]) or policies.OWNER,
                "execution_timeout": longest + policies.CANCEL,
                "doc_md": _doc(job),
                **kwargs,
            },
        )

    def render_template_fields(self, context: Any, jinja_env: Any = None) -> None:
        """Makes the request, so that the rendered fields show what is sent."""
        super().render_template_fields(context, jinja_env)
        attempt = identity.of(context)
        choice = self.choice(context) if callable(self.choice) else self.choice
        self.order = Order(self.job, attempt, self.window(context), self.release, self._handed_over(context["ti"]), choice)
        self.name = attempt.name
        self.application_id = settings.required("application_id")
        self.execution_role_arn = settings.required("role_arn").format(job=self.job["job"].replace("_", "-"))
        self.job_driver = requests.job_driver(self.order)
        self.configuration_overrides = requests.overrides()
        self.config = requests.config(self.order)

    def execute(self, context: Any, event: dict[str, Any] | None = None) -> dict[str, int]:
        """Runs the job and returns the versions that it hands on."""
        if self.missing:
            jobs = ", ".join(self.missing)
            raise AirflowFailException(f"{jobs} handed over no versions: clear what was marked as done by hand, so that it runs")
        order = self._order()
        if not requests.steps(order.job, order.choice):
            context["ti"].xcom_push(key=VERSIONS, value={})
            raise AirflowSkipException("none of the job's tables was chosen")
        # With an event it resumes here once the application has started.
        if event is None and order.attempt.number > 1:
            self._end_attempts()
        # Waiting is done here: only so is a job that takes too long given the time to end by itself.
        self.wait_for_completion = self.deferrable
        try:
            super().execute(context, event)
            ended = self._wait()
        except TaskDeferred:
            raise
        except Exception as error:
            if self.job_id is None:
                raise self._refused(error) from error
            self.log.warning("job %s is no longer seen: %s", self.job_id, error)
            ended = False
        return self._conclude(context, ended)

    def execute_complete(self, context: Any, event: dict[str, Any] | None = None) -> dict[str, int]:
        """Judges the job once the trigger has seen its end, or has given up."""
        ended = bool(event) and event.get("status") == "success"
        if not ended:
            self.log.warning("job did not end well: %s", (event or {}).get("message"))
        return self._conclude(context, ended)

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Any) -> Any:
        """Judges the job also when its trigger failed or was out of time, which Airflow takes for the end of the task.

        The limit of a long wait comes before the trigger's own end, since each of its looks takes a moment more than it counts.
        """
        if next_method == TRIGGER_FAIL_REPR:
            self.log.warning("job is no longer waited for: %s", (next_kwargs or {}).get("error"))
            return self._conclude(context, ended=False)
        return super().resume_execution(next_method, next_kwargs, context)

    def _order(self) -> Order:
        assert self.order is not None, "the fields are rendered before a task runs"
        return self.order

    def _handed_over(self, ti: Any) -> dict[str, int]:
        """Returns the versions that the jobs before handed on."""
        if not self.job["tables"]:
            return {}
        handed = {job: ti.xcom_pull(task_ids=job, key=VERSIONS) for job in self.job["after"]}
        self.missing = [job for job, versions in handed.items() if versions is None]
        found: dict[str, int] = {}
        own: dict[str, int] = {}
        for job, versions in handed.items():
            built = {table: version for table, version in (versions or {}).items() if graph.builds(job, table)}
            found |= versions or {}
            own |= built
        # What a job was handed itself may be older than what the table's own job has built since.
        return found | own

    def _refused(self, error: Exception) -> Exception:
        """Returns what a request that started nothing ends with; throttling and outages may be tried again."""
        code = getattr(error, "response", {}).get("Error", {}).get("Code", "")
        if code in policies.REFUSALS:
            return AirflowFailException(f"the service refuses the job ({code}): mend the settings or the role; {error}")
        return error

    def _conclude(self, context: Any, ended: bool) -> dict[str, int]:
        """Ends the task as the record of the attempt says."""
        order = self._order()
        if not ended:
            # The wait may be over while the job is not; what it still does must be in its record.
            self._end_attempts()
        record = attempts.read(open_lake(settings.required("lake")), order.attempt)
        action = policies.action(record["exit"] if record else None)
        if record is None:
            raise AirflowException(f"{order.attempt.name} left no record of its end at {order.attempt.path}: it is tried again")
        text = f"{order.job['job']} for {order.window}: {attempts.why(record)}"
        if action is Action.RETRY:
            raise AirflowException(f"{text}; it is tried again")
        if action is Action.FAIL:
            raise AirflowFailException(f"{text}; trying again would not help")
        context["ti"].xcom_push(key=VERSIONS, value=record["versions"])
        if action is Action.SKIP:
            raise AirflowSkipException(f"{order.job['job']} for {order.window}: nothing to do")
        return record["versions"]

    def _end_attempts(self) -> None:
        """Cancels what is left of the task's attempts and waits for their end: two would only be in each other's way."""
        active = self._active()
        for job_run in active:
            self.log.info("cancelling %s (%s, %s)", job_run["name"], job_run["id"], job_run["state"])
            self._cancel(job_run["id"])
        until = time.monotonic() + policies.CANCEL.total_seconds()
        for job_run in active:
            while not self._has_ended(job_run["id"]):
                if time.monotonic() > until:
                    raise AirflowException(f"{job_run['name']} does not end although it was cancelled: it is tried again")
                time.sleep(self.waiter_delay)

    def _wait(self) -> bool:
        """Waits for the job's end; False when it takes longer than it may. A few looks without an answer say nothing of the job."""
        unanswered = 0
        for _ in range(self.waiter_max_attempts):
            try:
                if self._has_ended(self.job_id):
                    return True
                unanswered = 0
            except (ClientError, BotoCoreError) as error:
                unanswered += 1
                if unanswered > policies.UNANSWERED_MAX:
                    raise
                self.log.warning("no word of job %s: %s", self.job_id, error)
            time.sleep(self.waiter_delay)
        self.log.warning("job %s takes longer than it may", self.job_id)
        return False

    def _active(self) -> list[dict]:
        stem = self._order().attempt.stem
        pages = self.hook.conn.get_paginator("list_job_runs").paginate(applicationId=self.application_id, states=ACTIVE)
        return [job_run for page in pages for job_run in page["jobRuns"] if job_run.get("name", "").startswith(stem)]

    def _cancel(self, job_run: str) -> None:
        try:
            grace = policies.CANCEL_GRACE_SECONDS
            self.hook.conn.cancel_job_run(applicationId=self.application_id, jobRunId=job_run, shutdownGracePeriodInSeconds=grace)
        except self.hook.conn.exceptions.ClientError as error:
            # It may have ended, or be ending, since it was listed; the wait after this sees which.
            if error.response["Error"]["Code"] not in policies.REFUSALS:
                raise

    def _has_ended(self, job_run: str) -> bool:
        try:
            found = self.hook.conn.get_job_run(applicationId=self.application_id, jobRunId=job_run)["jobRun"]
        except self.hook.conn.exceptions.ResourceNotFoundException:
            return True
        return found["state"] in ENDED


def _doc(job: dict) -> str:
    lines = [f"* {_named(step)}" for step in job["steps"]]
    turns = job.get("turns")
    if turns:
        lines += ["", f"Beside the last one, every {turns['every_seconds']} s:", ""]
        lines += [f"* {_named(step)}{_seldom(step)}" for step in turns["steps"]]
    return "\n".join([f"One job, in this order; it stops at the first that does not end with 0 ({job['layer']}):", "", *lines])


def _named(step: dict) -> str:
    words = [step["table"]] if "table" in step else step.get("arguments", [])
    return f"`{' '.join([step['program'], *words])}`"


def _seldom(step: dict) -> str:
    return f", at most every {step['every_seconds']} s" if step.get("every_seconds") else ""
