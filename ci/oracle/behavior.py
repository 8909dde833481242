"""silver_behavior_events: which rows of the behaviour system count, and whose an anonymous event is."""

from oracle.rules import DEFINED
from oracle.silver import in_calendar
from oracle.vocabulary import BEHAVIOR_EVENTS, BEHAVIOR_LOOKBACK, LATE_AFTER, LATE_WINDOW
from oracle.workbench import Stage

TEXTS = (
    "event_id session_id customer_id event_name device geo url referrer utm_source utm_medium utm_campaign metadata"
).split()


def rows(source):
    """Returns SQL for every row of every batch, with its batch and its place in the order of insertion."""
    files = {index: source.data / window.batch / "behavior" / "events.parquet" for index, window in enumerate(source.windows)}
    return " UNION ALL BY NAME ".join(
        f"SELECT * EXCLUDE (file_row_number), {index} AS batch, file_row_number AS place "
        f"FROM read_parquet('{path}', file_row_number = true)"
        for index, path in files.items()
        if path.exists()
    )


def visible(index, window, lookback):
    """Returns the SQL condition under which a window reads a row: "A window reads loaded_at in [FROM - 2 h, TO)"."""
    return (
        f"batch <= {index} AND loaded_at >= TIMESTAMP '{window.start}' - INTERVAL {lookback} SECOND "
        f"AND loaded_at < TIMESTAMP '{window.stop}'"
    )


def landings(bench):
    """Returns SQL for the rows as each window reads them, once per window (`seen_in`)."""
    return " UNION ALL ".join(
        f"SELECT *, {index} AS seen_in FROM ({rows(bench)}) WHERE {visible(index, window, BEHAVIOR_LOOKBACK.seconds)}"
        for index, window in enumerate(bench.windows)
    )


def seen(step):
    """Every row that some window reads, once, with the number of the first such window: "A row is never updated in place"."""
    lookback = 0 if step.rules.behavior_lookback_ignored else BEHAVIOR_LOOKBACK.seconds
    first = ", ".join(f"CASE WHEN {visible(index, window, lookback)} THEN {index} END" for index, window in enumerate(step.windows))
    step.create(f"SELECT * FROM (SELECT *, COALESCE({first}) AS seen_in FROM ({rows(step)})) WHERE seen_in IS NOT NULL")


def by_window(windows, value):
    """Returns SQL for an instant that depends on the window (`seen_in`)."""
    return "CASE seen_in " + " ".join(f"WHEN {index} THEN TIMESTAMP '{value(window)}'" for index, window in enumerate(windows)) + " END"


def repaired(rows_seen, windows, rules=DEFINED):
    """Returns SQL for rows with clean texts and `verdict`: `quarantined`, `held` or `kept`.

    "event_name lower, allowed page_view|search|add_to_cart|coupon_view|checkout|purchase"; "Required: event_id, session_id, event_name,
    event_ts, loaded_at; else quarantine. event_ts within 1999-01-02..2036-01-01"; "late window 7d on event_ts (held)", counted back
    from where `Window.late_from` says; what is broken is not held.
    """
    clean = "trimmed" if rules.null_tokens_kept else "cleaned"
    held_before = by_window(windows, lambda window: window.late_from if not rules.held_by_last_day else window.stop - LATE_WINDOW)
    texts = ", ".join(f"{clean}(CAST({name} AS VARCHAR)) AS {name}" for name in TEXTS)
    names = ", ".join(f"'{name}'" for name in BEHAVIOR_EVENTS)
    whole = f"event_id IS NOT NULL AND session_id IS NOT NULL AND event_name IN ({names}) AND {in_calendar('event_ts')}"
    return (
        f"SELECT *, CASE WHEN NOT COALESCE({whole}, false) THEN 'quarantined' "
        f"WHEN event_ts < {held_before} THEN 'held' ELSE 'kept' END AS verdict "
        f"FROM (SELECT * REPLACE (lower(event_name) AS event_name) FROM (SELECT {texts}, CAST(event_ts AS TIMESTAMP) AS event_ts, "
        f"CAST(loaded_at AS TIMESTAMP) AS loaded_at, batch, place, seen_in FROM {rows_seen}))"
    )


def current(step):
    """The row that counts per event: "same event_id with later loaded_at = accepted; earlier = superseded".

    "is_late = ingested in a window that begins more than 24 h after the event": the window that first saw the winning row decides.
    Of two rows of one event with one loaded_at the one that was read, and then inserted, later counts.
    """
    rules = step.rules
    kept = "verdict <> 'quarantined'" if rules.late_behavior_accepted else "verdict = 'kept'"
    order = "loaded_at DESC, seen_in DESC, batch DESC, place DESC"
    if rules.late_event_wins:
        order = "seen_in DESC, batch DESC, place DESC"
    if rules.correction_ignored:
        order = "loaded_at, seen_in, batch, place"
    delay = 0 if rules.late_measured_by_any_delay else int(LATE_AFTER.total_seconds())
    step.create(
        f"SELECT {', '.join(TEXTS)}, event_ts, loaded_at, "
        f"{by_window(step.windows, lambda window: window.start)} - event_ts > INTERVAL {delay} SECOND AS is_late "
        f"FROM ({repaired(step['seen_behavior'], step.windows, rules)}) WHERE {kept} "
        f"QUALIFY row_number() OVER (PARTITION BY event_id ORDER BY {order}) = 1"
    )


def events(step):
    """silver_behavior_events.

    "resolved_customer_id = customer_id, else the first named customer of the same session_id (by event_ts, event_id as bytes) over all
    rows of the table now": a later correction or a late event can change whose an old event is.
    """
    rules = step.rules
    order = "event_ts DESC, event_id DESC" if rules.last_named_of_session else "event_ts, event_id"
    own = "e.customer_id, n.named" if not rules.named_events_resolved else "n.named, e.customer_id"
    resolved = "e.customer_id" if rules.anonymous_kept else f"COALESCE({own})"
    session = "session_id"
    if rules.other_session:
        # The wrong session: the next one by id, for the last the first.
        session = "COALESCE(lead(session_id) OVER (ORDER BY session_id), min(session_id) OVER ()) AS session_id"
    step.create(
        f"WITH named AS (SELECT session_id, customer_id AS named FROM {step['current_behavior']} WHERE customer_id IS NOT NULL "
        f"QUALIFY row_number() OVER (PARTITION BY session_id ORDER BY {order}) = 1), "
        f"of_session AS (SELECT {session}, named FROM named) "
        f"SELECT e.*, {resolved} AS resolved_customer_id FROM {step['current_behavior']} e LEFT JOIN of_session n USING (session_id)"
    )


STAGES = {
    "seen_behavior": Stage(seen, flags=("behavior_lookback_ignored",)),
    "current_behavior": Stage(
        current,
        ("seen_behavior",),
        (
            "late_behavior_accepted",
            "held_by_last_day",
            "late_event_wins",
            "correction_ignored",
            "late_measured_by_any_delay",
            "null_tokens_kept",
        ),
    ),
    "silver_behavior_events": Stage(
        events,
        ("current_behavior",),
        ("last_named_of_session", "named_events_resolved", "anonymous_kept", "other_session"),
    ),
}
