"""What happens in HubSpot on each of the three days. Each docstring says what Sluice makes of it.

A window reads what was changed in [FROM - 1 h, TO), and compares what is live, archived and associated with what it knows.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import changes
import hubspot_people as people
import places
from hubspot_population import FIRST_UNKNOWN_CUSTOMER
from hubspot_teller import Teller
from hubspot_world import Thing

MINUTE, HOUR, MILLISECOND = timedelta(minutes=1), timedelta(hours=1), timedelta(milliseconds=1)
LOOKBACK = places.HUBSPOT_LOOKBACK

Story = Callable[[Teller], None]


def _advance_stage(teller: Teller, thing: Thing) -> dict[str, str | None]:
    """Returns another lifecycle stage: what Gold tracks."""
    stage = str(thing.properties.get("lifecyclestage") or "other").strip().lower()
    stages = people.LIFECYCLE_STAGES
    return {"lifecyclestage": people.stage_as_written(stages[(stages.index(stage) + 1) % len(stages)], teller.number())}


def _change(teller: Teller, kind: str, thing: Thing, hours: float) -> None:
    teller.crm.edit(thing, teller.at(thing, hours), **_advance_stage(teller, thing))
    teller.note(kind, thing.id)


def _has_customer(thing: Thing) -> bool:
    return bool(thing.properties.get("external_customer_id"))


def contact_lifecycle(teller: Teller) -> None:
    """Another lifecycle stage: accepted."""
    _change(teller, "contact_lifecycle", teller.pick_customers(), 9)


def contact_phone(teller: Teller) -> None:
    """Another phone number: accepted; Gold does not track it."""
    thing = teller.pick_nobodys()
    teller.crm.edit(thing, teller.at(thing, 10), phone=people.new_phone(teller.number()))
    teller.note("contact_phone", thing.id)


def contact_email(teller: Teller) -> None:
    """Another e-mail: accepted; a contact that names its customer stays with it."""
    thing = teller.pick_nobodys()
    teller.crm.edit(thing, teller.at(thing, 11), email=people.new_email(teller.number()))
    teller.note("contact_email", thing.id)


def contact_status(teller: Teller) -> None:
    """Another owner and lead status, the analytics source emptied: accepted."""
    thing = teller.pick_nobodys()
    owner = people.OWNERS[(people.OWNERS.index(thing.properties.get("hubspot_owner_id") or people.OWNERS[0]) + 1) % 4]
    teller.crm.edit(
        thing,
        teller.at(thing, 12),
        hubspot_owner_id=owner,
        hs_lead_status="ATTEMPTED_TO_CONTACT",
        hs_analytics_source="",
    )
    teller.note("contact_status", thing.id)


def contact_touched(teller: Teller) -> None:
    """Only the time of the last change moves: accepted, a version of the history."""
    thing = teller.pick_nobodys()
    teller.crm.edit(thing, teller.at(thing, 13))
    teller.note("contact_touched", thing.id)


def contact_edited_twice(teller: Teller) -> None:
    """Two edits within one batch: the first is never seen."""
    thing = teller.pick_nobodys()
    teller.crm.edit(thing, teller.at(thing, 7), **_advance_stage(teller, thing))
    _change(teller, "contact_edited_twice", thing, 15)


def contact_late(teller: Teller) -> None:
    """Edited 25 minutes before the window, published within it: found by the lookback, accepted."""
    thing = teller.pick_customers()
    teller.crm.edit(thing, teller.start - 25 * MINUTE, **_advance_stage(teller, thing))
    teller.note("contact_late", thing.id)


def contact_late_edge(teller: Teller) -> None:
    """Edited exactly an hour before the window: just found."""
    thing = teller.pick_nobodys()
    teller.crm.edit(thing, teller.start - LOOKBACK, **_advance_stage(teller, thing))
    teller.note("contact_late_edge", thing.id)


def contact_overlap(teller: Teller) -> None:
    """Edited in the window's last hour (at its first and its last millisecond, and between): lands again in the next one, a
    duplicate. A millisecond before that hour: does not."""
    for kind, before in (
        ("contact_overlap", 50 * MINUTE), ("contact_overlap_edge", LOOKBACK), ("contact_overlap_last", MILLISECOND),
        ("contact_no_overlap", LOOKBACK + MILLISECOND),
    ):  # fmt: skip
        thing = teller.pick_nobodys(hold=teller.has_next_day)
        teller.crm.edit(thing, teller.end - before, **_advance_stage(teller, thing))
        teller.note(kind, thing.id)


def contact_dateline(teller: Teller) -> None:
    """Edited at 02:30 UTC, which is the day before in New York."""
    thing = teller.pick_customers()
    teller.crm.edit(thing, teller.start + 150 * MINUTE, **_advance_stage(teller, thing))
    teller.note("contact_dateline", thing.id)


def contact_twice(teller: Teller) -> None:
    """Two edits on one New York date, in two batches: two versions of the history, of which Gold shows the last."""
    for thing in teller.kept("twice"):
        _change(teller, "contact_twice_second", thing, 3)
    if teller.has_next_day:
        thing = teller.pick_customers(hold=True)
        _change(teller, "contact_twice_first", thing, 15)
        teller.promise("twice", thing)


def contact_archived(teller: Teller) -> None:
    """Archived: a tombstone, found by the sweep. Its associations are gone."""
    thing = teller.pick_customers()
    teller.crm.archive(thing, teller.at(thing, 14))
    teller.note("contact_archived", thing.id)


def contact_archived_late(teller: Teller) -> None:
    """Archived 20 minutes before the window, published within it: the sweep asks for no time, so it is found."""
    thing = teller.pick_nobodys()
    teller.crm.archive(thing, teller.start - 20 * MINUTE)
    teller.note("contact_archived_late", thing.id)


def contact_restored(teller: Teller) -> None:
    """Archived on one day, restored on the next with its associations: a tombstone, then a live row again."""
    for thing in teller.kept("restored"):
        teller.crm.restore(thing, teller.at(thing, 16))
        teller.note("contact_restored", thing.id)
    if teller.has_next_day:
        thing = teller.pick_customers(hold=True)
        teller.crm.archive(thing, teller.at(thing, 5))
        teller.note("contact_archived_to_be_restored", thing.id)
        teller.promise("restored", thing)


def contact_archived_then_deleted(teller: Teller) -> None:
    """Archived on one day, deleted for good on the next: the deletion brings no row, the tombstone is there."""
    for thing in teller.kept("deleted"):
        teller.crm.remove(thing, teller.at(thing, 11))
        teller.note("contact_deleted_after_archived", thing.id)
    if teller.has_next_day:
        thing = teller.pick_nobodys(hold=True)
        teller.crm.archive(thing, teller.at(thing, 6))
        teller.note("contact_archived_to_be_deleted", thing.id)
        teller.promise("deleted", thing)


def contact_deleted(teller: Teller) -> None:
    """Deleted for good (GDPR): no list shows it, so it is `absent`, dated by the window's end."""
    thing = teller.pick_customers()
    teller.crm.remove(thing, teller.at(thing, 17))
    teller.note("contact_deleted", thing.id)


def contact_merged(teller: Teller) -> None:
    """Merged into another one, which gets its associations and the values that it lacks: `absent`, and one edit."""
    first, second = teller.pick(_has_customer), teller.pick(lambda thing: not _has_customer(thing))
    # By turns the one that names a customer stays, and goes.
    winner, loser = (first, second) if first.id % 2 else (second, first)
    teller.crm.remove(loser, teller.at(winner, 18), into=winner)
    teller.note("contact_merged", loser.id)
    teller.note("contact_merge_winner", winner.id)


def contact_created(teller: Teller) -> None:
    """A new contact of a customer who had none; it counts from its first state on."""
    customer = teller.strangers.pop(0)
    thing = teller.contact(teller.emails[customer], customer, teller.start + 8 * HOUR)
    teller.note("contact_created", thing.id)


def contact_names_unknown_customer(teller: Teller) -> None:
    """The contact names another, unknown customer from now on: it belongs to whom its e-mail says."""
    thing = teller.pick(_has_customer)
    unknown = FIRST_UNKNOWN_CUSTOMER + 50 + teller.numbers_used % 40
    teller.crm.edit(thing, teller.at(thing, 19), external_customer_id=str(unknown))
    teller.note("contact_names_unknown_customer", thing.id)


def contact_of_new_customer(teller: Teller) -> None:
    """Names a customer that the warehouse has from today on, and one that it has from tomorrow on."""
    day = places.DAYS.index(teller.batch)
    today = teller.contact(None, changes.FIRST_NEW_CUSTOMER + day, teller.start + 20 * HOUR)
    teller.note("contact_of_new_customer", today.id)
    if teller.has_next_day:
        early = teller.contact(None, changes.FIRST_NEW_CUSTOMER + day + 1, teller.start + 21 * HOUR)
        teller.note("contact_customer_arrives_later", early.id)


def first_day_of_roles(teller: Teller) -> None:
    """What happens on the first day to the contacts that stand for a role: see `hubspot_population`."""
    for thing in teller.roles["named_archived"][::2]:
        teller.crm.archive(thing, teller.at(thing, 10))
        teller.note("contact_named_archived_now", thing.id)
    for thing in teller.roles["email_comes_later"]:
        # The last one: stories that make contacts take from the beginning.
        email = people.email_as_written(teller.emails[teller.strangers.pop()], teller.number())
        teller.crm.edit(thing, teller.at(thing, 12), email=email)
        teller.note("contact_email_comes", thing.id)


def second_day_of_roles(teller: Teller) -> None:
    """What happens to them on the second day."""
    for thing in teller.roles["two_named_lowest_archived"][::2]:
        teller.crm.archive(thing, teller.at(thing, 10))
        teller.note("contact_lowest_archived_now", thing.id)
    for thing in teller.roles["archived_before"]:
        teller.crm.restore(thing, teller.at(thing, 13))
        teller.note("contact_restored_from_before", thing.id)
    for thing in teller.roles["email_goes"]:
        teller.crm.edit(thing, teller.at(thing, 12), email=people.new_email(teller.number()))
        teller.note("contact_email_gone", thing.id)


# Those that want a contact of some kind come first: the small slice has few.
EACH_REPEAT: list[Story] = [
    contact_merged, contact_lifecycle, contact_email, contact_phone, contact_status, contact_touched, contact_edited_twice,
    contact_late, contact_dateline, contact_twice, contact_archived, contact_restored, contact_deleted,
]  # fmt: skip
FIRST: list[Story] = [contact_names_unknown_customer, contact_created, contact_of_new_customer]
LAST: list[Story] = [contact_overlap, contact_late_edge, contact_archived_late, contact_archived_then_deleted]
ROLE_DAYS: dict[str, Story] = {places.DAYS[0]: first_day_of_roles, places.DAYS[1]: second_day_of_roles}


def tell(teller: Teller) -> None:
    """Tells the stories of a batch; history has only what lands again in the window after it."""
    if teller.batch == places.HISTORY:
        contact_overlap(teller)
        return
    ROLE_DAYS.get(teller.batch, lambda _: None)(teller)
    for story in FIRST + EACH_REPEAT * teller.sizes.changes + LAST:
        story(teller)
