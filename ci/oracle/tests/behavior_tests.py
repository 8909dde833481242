"""Campaigns and behaviour events, worked out by hand."""

from oracle import ledger
from oracle.rules import Rules
from oracle.tests.world import World, at, day


def _by_id(rows):
    return {row["event_id"]: row for row in rows}


def _resolved(world, rules=Rules(), through=None):
    with world.oracle(through, rules) as table:
        return {row["event_id"]: row["resolved_customer_id"] for row in table("silver_behavior_events")}


def _counted(world):
    with world.bench() as bench:
        found = ledger.counted(bench)
        return {
            batch: {name: count for name, count in buckets.items() if count}
            for (batch, table, source), buckets in found.items()
            if (table, source) == ("silver_behavior_events", "bronze_redshift_events") and sum(buckets.values())
        }


def campaigns_are_cleaned_and_the_newest_row_counts():
    world = World()
    world.row("history", "CAMPAIGNS", "2017-01-02T00:00", campaign_id=8, name=" Spring ", channel=" Email", budget="100.50",
              daily_cost="1.25", start_date=day("2017-03-01"), end_date=day("2017-03-31"))  # fmt: skip
    world.row("2017-12-30", "CAMPAIGNS", "2017-12-30T09:00", campaign_id=8, name="n/a", channel="SOCIAL", daily_cost="2.00")
    world.row("history", "CAMPAIGN_TARGETS", "2017-01-02T00:00", campaign_id=8, customer_id=1)
    world.row("history", "CAMPAIGN_TARGETS", "2017-01-02T00:00", campaign_id=8, customer_id=2)
    world.row("history", "COUPON_REDEMPTIONS", "2017-03-02T20:00", customer_id=1, coupon_upc=10000085493, campaign_id=8,
              redeemed_on=day("2017-03-02"))  # fmt: skip
    with world.oracle("history") as table:
        (row,) = table("silver_campaigns")
        assert (row["campaign_id"], row["name"], row["channel"], row["budget"], row["daily_cost"]) == ("8", "Spring", "email", 10050, 125)
    with world.oracle() as table:
        (row,) = table("silver_campaigns")
        assert (row["name"], row["channel"], row["budget"], row["daily_cost"], row["start_date"]) == (None, "social", None, 200, None)
        assert [row["customer_id"] for row in table("silver_campaign_targets")] == ["1", "2"]
        assert [tuple(row.values()) for row in table("silver_coupon_redemptions")] == [
            ("1", "10000085493", "8", day("2017-03-02"), at("2017-03-02T20:00"))
        ]


def a_window_of_behaviour_reads_two_hours_back():
    world = World()
    # Published with the batch of the 30th though loaded before: the lookback begins at 22:00.
    world.touch("2017-12-30", "edge", "2017-12-29T21:00", loaded_at="2017-12-29T22:00")
    world.touch("2017-12-30", "before", "2017-12-29T21:00", loaded_at="2017-12-29T21:59:59.999999")
    world.touch("2017-12-30", "last", "2017-12-30T23:59:59.999999")
    world.touch("2017-12-30", "after", "2017-12-31T00:00")
    assert sorted(_resolved(world)) == ["after", "edge", "last"]
    # "after" lies in the window of the next day, which reads it.
    assert sorted(_resolved(world, through="2017-12-30")) == ["edge", "last"]
    assert sorted(_resolved(world, Rules(behavior_lookback_ignored=True))) == ["after", "last"]
    # "last" lands again with the 31st's window, "edge" only once.
    assert _counted(world) == {"2017-12-30": {"accepted": 2}, "2017-12-31": {"accepted": 1, "duplicate": 1}}


def events_are_repaired_or_rejected():
    world = World()
    world.touch("history", " e1 ", "2017-12-29T10:00", " 1 ", " s1", event_name=" Page_View", utm_campaign=" 8", geo="N/A",
                metadata=' {"a":  1} ')  # fmt: skip
    world.touch("history", "calendar", "1999-01-01T23:59:59.999999", loaded_at="2017-12-29T10:00")
    world.touch("history", "future", "2036-01-01", loaded_at="2017-12-29T10:00")
    world.touch("history", "timeless", None, loaded_at="2017-12-29T10:00")
    world.touch("history", "null", "2017-12-29T10:00")
    world.touch("history", "sessionless", "2017-12-29T10:00", session_id="none")
    world.touch("history", "scroll", "2017-12-29T10:00", event_name="scroll")
    world.touch("history", "nameless", "2017-12-29T10:00", event_name=None)
    with world.oracle() as table:
        (row,) = table("silver_behavior_events")
    assert (row["event_id"], row["session_id"], row["customer_id"], row["event_name"]) == ("e1", "s1", "1", "page_view")
    assert (row["utm_campaign"], row["geo"], row["metadata"], row["is_late"]) == ("8", None, '{"a":  1}', False)
    assert _counted(world)["history"] == {"accepted": 1, "quarantined": 7}


def the_late_window_is_counted_back_from_the_end_of_the_windows_first_day():
    world = World()
    # History begins on the 1st of January: nothing of the year is behind its late window, which ends on the 26th of December.
    world.touch("history", "spring", "2017-03-01T10:00")
    world.touch("history", "old", "2016-12-26T00:00", loaded_at="2017-01-01T01:00")
    world.touch("history", "older", "2016-12-25T23:59:59.999999", loaded_at="2017-01-01T01:00")
    # Of the 30th's window the end of the first day is midnight of the 31st: seven days back is the 24th.
    world.touch("2017-12-30", "week", "2017-12-24T00:00", loaded_at="2017-12-30T05:00")
    world.touch("2017-12-30", "behind", "2017-12-23T23:59:59.999999", loaded_at="2017-12-30T05:00")
    world.touch("2017-12-30", "day", "2017-12-29T00:00", loaded_at="2017-12-30T05:00")
    with world.oracle() as table:
        late = {row["event_id"]: row["is_late"] for row in table("silver_behavior_events")}
    assert late == {"spring": False, "old": True, "week": True, "day": False}
    # From its last day, only the last week of history would be within it.
    assert sorted(_resolved(world, Rules(held_by_last_day=True))) == ["day", "week"]
    assert sorted(_resolved(world, Rules(late_behavior_accepted=True))) == ["behind", "day", "old", "older", "spring", "week"]
    assert _counted(world) == {"history": {"accepted": 2, "held": 1}, "2017-12-30": {"accepted": 2, "held": 1}}


def a_correction_counts_when_it_is_loaded_later():
    world = World()
    world.touch("2017-12-30", "e1", "2017-12-30T10:00", 1, loaded_at="2017-12-30T10:05", utm_campaign="8")
    world.touch("2017-12-30", "e1", "2017-12-30T10:00", 1, loaded_at="2017-12-30T11:00", utm_campaign="9")
    world.touch("2017-12-30", "e1", "2017-12-30T10:00", 1, loaded_at="2017-12-30T11:00", utm_campaign="9")
    # Broken, so it corrects nothing.
    world.touch("2017-12-30", "e1", "2017-12-30T10:00", 1, loaded_at="2017-12-30T12:00", event_name="scroll")
    # Published late and loaded before what is known.
    world.touch("2017-12-30", "e2", "2017-12-30T22:00", 1, loaded_at="2017-12-30T23:30", utm_campaign="8")
    world.touch("2017-12-31", "e2", "2017-12-30T22:00", 1, loaded_at="2017-12-30T23:00", utm_campaign="9")
    with world.oracle() as table:
        assert {name: row["utm_campaign"] for name, row in _by_id(table("silver_behavior_events")).items()} == {"e1": "9", "e2": "8"}
    with world.oracle(rules=Rules(correction_ignored=True)) as table:
        assert {name: row["utm_campaign"] for name, row in _by_id(table("silver_behavior_events")).items()} == {"e1": "8", "e2": "9"}
    assert _counted(world) == {
        "2017-12-30": {"accepted": 3, "duplicate": 1, "quarantined": 1}, "2017-12-31": {"superseded": 1, "duplicate": 1},
    }  # fmt: skip


def what_lands_again_is_judged_again():
    world = World()
    end = "2017-12-30T23:"
    world.touch("2017-12-30", "e1", "2017-12-30T22:00", 1, loaded_at=f"{end}00")
    world.touch("2017-12-30", "e1", "2017-12-30T22:00", 1, loaded_at=f"{end}10", geo="US")
    world.touch("2017-12-30", "broken", "2017-12-30T22:00", 1, loaded_at=f"{end}20", event_name="scroll")
    # An hour within the late window of the 30th, and behind that of the 31st.
    world.touch("2017-12-30", "edge", "2017-12-24T01:00", 1, loaded_at=f"{end}30")
    assert _counted(world) == {
        "2017-12-30": {"accepted": 3, "quarantined": 1},
        "2017-12-31": {"superseded": 1, "duplicate": 1, "quarantined": 1, "held": 1},
    }
    assert sorted(_resolved(world)) == ["e1", "edge"]


def an_anonymous_event_is_its_sessions_first_named_customers():
    world = World()
    for event_id, minute, customer_id, session_id in (
        ("e1", 0, None, "s"), ("e4", 4, None, "s"), ("e5", 5, "3", "s"),
        # Two names at one instant: as bytes B comes before a.
        ("a", 3, "1", "s"), ("B", 3, "2", "s"),
        ("e6", 0, None, "t"), ("e7", 0, "9", "u"),
    ):  # fmt: skip
        world.touch("history", event_id, f"2017-12-29T10:0{minute}", customer_id, session_id)
    own = {"e5": "3", "a": "1", "B": "2", "e7": "9"}
    assert _resolved(world) == own | {"e1": "2", "e4": "2", "e6": None}
    assert _resolved(world, Rules(last_named_of_session=True)) == own | {"e1": "3", "e4": "3", "e6": None}
    assert _resolved(world, Rules(named_events_resolved=True)) == dict.fromkeys(("e1", "e4", "e5", "a", "B"), "2") | {
        "e6": None, "e7": "9",
    }  # fmt: skip
    assert _resolved(world, Rules(anonymous_kept=True)) == own | {"e1": None, "e4": None, "e6": None}
    assert _resolved(world, Rules(other_session=True))["e1"] == "9"


def a_later_row_can_change_whose_an_old_event_is():
    world = World()
    world.touch("history", "e1", "2017-12-29T10:00", None, "s")
    world.touch("history", "e2", "2017-12-29T10:05", 7, "s")
    # Arrives two days later and stands between both; then the only name is taken back.
    world.touch("2017-12-31", "e3", "2017-12-29T10:02", 8, "s", loaded_at="2017-12-31T05:00")
    world.touch("2018-01-01", "e3", "2017-12-29T10:02", None, "s", loaded_at="2018-01-01T05:00")
    world.touch("2018-01-01", "e2", "2017-12-29T10:05", 7, "t", loaded_at="2018-01-01T05:00")
    assert _resolved(world, through="2017-12-30")["e1"] == "7"
    assert _resolved(world, through="2017-12-31")["e1"] == "8"
    assert _resolved(world) == {"e1": None, "e2": "7", "e3": None}
