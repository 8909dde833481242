"""What happens on each day to companies and to associations. Each docstring says what Sluice makes of it.

Nothing of an association shows in the contact's or the company's last change: only reading all of them finds it.
"""

from __future__ import annotations

from datetime import timedelta

import places
from hubspot_teller import Teller
from hubspot_world import Pair, Thing

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


def _may_go(teller: Teller, thing: Thing) -> bool:
    """Whether a company has contacts, but not the one whose companies fill three pages."""
    contacts = {pair[0] for pair in teller.crm.visible() if pair[1] == thing.id}
    return bool(contacts) and not contacts & {many.id for many in teller.roles["many_companies"]}


def company_renamed(teller: Teller) -> None:
    """Another name: accepted; Gold shows it on all versions."""
    thing = teller.pick_company()
    if thing:
        name = str(thing.properties["name"]).strip().removesuffix(" Group") + " Group"
        teller.crm.edit(thing, teller.at(thing, 9), name=name)
        teller.note("company_renamed", thing.id)


def company_archived(teller: Teller) -> None:
    """Archived: a tombstone. Its associations are gone."""
    thing = teller.pick_company(lambda thing: _may_go(teller, thing))
    if thing:
        teller.crm.archive(thing, teller.at(thing, 10))
        teller.note("company_archived", thing.id)


def company_restored(teller: Teller) -> None:
    """Archived on one day, restored on the next with its associations."""
    for thing in teller.kept("company_restored"):
        teller.crm.restore(thing, teller.at(thing, 11))
        teller.note("company_restored", thing.id)
    chosen = teller.pick_company(lambda thing: _may_go(teller, thing), hold=True) if teller.has_next_day else None
    if chosen:
        teller.crm.archive(chosen, teller.at(chosen, 4))
        teller.note("company_archived_to_be_restored", chosen.id)
        teller.promise("company_restored", chosen)


def company_merged(teller: Teller) -> None:
    """Merged into another one, on the last day: `absent`; the contacts move to the other one."""
    if teller.has_next_day:
        return
    loser = teller.pick_company(lambda thing: _may_go(teller, thing))
    winner = teller.pick_company()
    if loser and winner:
        teller.crm.remove(loser, teller.at(winner, 12), into=winner)
        teller.note("company_merged", loser.id)
        teller.note("company_merge_winner", winner.id)


def company_created(teller: Teller) -> None:
    """A new company, with a contact that had none."""
    thing = teller.company(teller.start + 7 * HOUR)
    contact = teller.pick(lambda contact: not teller.crm.companies_of(contact), purpose="association")
    teller.crm.pairs[contact.id, thing.id] = ("primary", "plain")
    teller.companies.append(thing.id)
    teller.note("company_created", thing.id)
    teller.note("association_added", f"{contact.id}/{thing.id}")


def company_times(teller: Teller) -> None:
    """Changed 10 minutes before the window and published within it: accepted. Changed in its last 20 minutes: lands twice."""
    late = teller.pick_company() if teller.batch != places.HISTORY else None
    if late:
        teller.crm.edit(late, teller.start - 10 * MINUTE, industry="WHOLESALE")
        teller.note("company_late", late.id)
    again = teller.pick_company(hold=teller.has_next_day)
    if again:
        teller.crm.edit(again, teller.end - 20 * MINUTE, annualrevenue="987654.25")
        teller.note("company_overlap", again.id)


def company_mended(teller: Teller) -> None:
    """On the second day somebody types a number of employees where there was none: accepted at last."""
    if teller.batch == places.DAYS[1]:
        for thing in teller.roles["unreadable_company"]:
            teller.crm.edit(thing, teller.at(thing, 13), numberofemployees="40")
            teller.note("company_mended", thing.id)


def _pick_pairs(teller: Teller, wanted: str) -> list[Pair]:
    """Returns the associations of the next contact that has `one`, or `two` of which one is primary."""
    shape = {"one": [True], "two": [True, False]}[wanted]

    def fits(contact: Thing) -> bool:
        return [teller.crm.is_primary(pair) for pair in teller.crm.companies_of(contact)] == shape

    return teller.crm.companies_of(teller.pick(fits, purpose="association"))


def association_added(teller: Teller) -> None:
    """A second company, not the primary one: accepted."""
    (pair,) = _pick_pairs(teller, "one")
    company = teller.pick_company(lambda thing: thing.id != pair[1], purpose="association")
    if company:
        teller.crm.pairs[pair[0], company.id] = ("plain",)
        teller.note("association_added", f"{pair[0]}/{company.id}")


def association_removed(teller: Teller) -> None:
    """No company any more: a tombstone."""
    (pair,) = _pick_pairs(teller, "one")
    del teller.crm.pairs[pair]
    teller.note("association_removed", f"{pair[0]}/{pair[1]}")


def association_switched(teller: Teller) -> None:
    """The other company becomes the primary one: both associations are of other types, accepted. Since when they are there stays."""
    primary, other = _pick_pairs(teller, "two")
    teller.crm.pairs[primary], teller.crm.pairs[other] = ("plain",), ("primary", "plain")
    teller.note("association_switched", *(f"{contact}/{company}" for contact, company in (primary, other)))


def association_labelled(teller: Teller) -> None:
    """A label of the account's own is added: of other types, so it lands and is accepted; Silver shows nothing of it."""
    (pair,) = _pick_pairs(teller, "one")
    teller.crm.pairs[pair] = ("primary", "plain", "decision_maker")
    teller.note("association_labelled", f"{pair[0]}/{pair[1]}")


# Those that want a company of some kind come first: the small slice has few.
ONCE = (
    company_restored, company_archived, company_merged, company_renamed, company_mended, company_times, association_labelled,
)  # fmt: skip
EACH_REPEAT = (association_switched, association_removed, association_added)


def tell(teller: Teller) -> None:
    """Tells the stories of a batch; history has only what lands again in the window after it."""
    if teller.batch == places.HISTORY:
        company_times(teller)
        return
    for story in ONCE:
        story(teller)
    for _ in range(teller.sizes.changes):
        for story in EACH_REPEAT:
            story(teller)
    # Last, so that nothing else happens to it on its first day.
    company_created(teller)
