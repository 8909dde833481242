"""Which contact is a customer's, and what the CRM said of the customer at each instant: lifecycle stage and company."""

from dataclasses import dataclass, field
from datetime import datetime

from oracle.rules import Rules
from oracle.workbench import Stage


@dataclass(frozen=True)
class Contact:
    """A contact by all its states: (changed_at, deleted_at, lifecycle stage), oldest first."""

    contact_id: str
    changes: tuple

    @property
    def is_deleted(self):
        """Whether the newest state is a tombstone."""
        return self.changes[-1][1] is not None

    def lifecycle_stage(self, at, rules):
        """The definition: "That contact's *history* gives lifecycle_stage over time: before its first state null, after its deletion
        null"."""
        stage = None
        for changed_at, deleted_at, value in self.changes:
            if changed_at > at:
                break
            if deleted_at is None or not rules.deleted_contact_shown:
                stage = value
        return stage


@dataclass(frozen=True)
class Association:
    """A contact's company with the time over which they belong together, as Silver has it now."""

    company_id: str
    is_primary: bool
    associated_at: datetime
    deleted_at: datetime | None
    company_name: str | None
    company_deleted_at: datetime | None

    def holds(self, at, rules):
        """The definition: "[associated_at, deleted_at) of silver_contact_companies", "deleted companies: none from their deletion on"."""
        removed = self.deleted_at is not None and self.deleted_at <= at and not rules.removed_association_shown
        gone = self.company_deleted_at is not None and self.company_deleted_at <= at
        return self.associated_at <= at and not removed and not gone

    def rank(self, rules):
        """The definition: "several: primary first, then lowest company id as a number"."""
        return (not self.is_primary and not rules.primary_ignored, int(self.company_id))


@dataclass
class Attributes:
    """What the CRM knows of one customer, under some rules."""

    contact: Contact
    rules: Rules
    associations: list = field(default_factory=list)

    def change_points(self):
        """The definition: "Every change point (... contact change, association start/end, company deletion) of a customer"."""
        if self.rules.crm_starts_no_version:
            return set()
        points = {changed_at for changed_at, _, _ in self.contact.changes}
        for one in self.associations:
            points |= {one.associated_at, one.deleted_at, one.company_deleted_at}
        return points - {None}

    def at(self, instant):
        """Returns (lifecycle stage, company name) as of an instant."""
        instant = datetime.max if self.rules.crm_as_now else instant
        held = [one for one in self.associations if one.holds(instant, self.rules)]
        company = min(held, key=lambda one: one.rank(self.rules)).company_name if held else None
        return self.contact.lifecycle_stage(instant, self.rules), company


def matched(step):
    """Returns {customer_id: Contact}.

    "each contact by its newest *live* state (the newest state with deleted_at null; also for contacts that are deleted now): by
    customer_id (external) where that customer exists, else by e-mail equal to a current silver_customers e-mail (if several customers
    share it, the lowest customer id as bytes). A contact that names an unknown external customer falls through to the e-mail. Of several
    contacts of one customer: external before e-mail, then live before deleted, then lowest contact id as a number."
    """
    rules = step.rules
    customers = dict(step.rows(f"SELECT customer_id, email FROM {step['silver_customers']} ORDER BY customer_id"))
    by_email = {}
    for customer_id, email in customers.items():
        by_email.setdefault(email, customer_id)
    by_email.pop(None, None)
    changes, live = {}, {}
    for contact_id, *change, email, named in step.rows(
        "SELECT contact_id, changed_at, deleted_at, lifecycle_stage, email, customer_id "
        f"FROM {step['silver_contacts_history']} ORDER BY contact_id, changed_at"
    ):
        changes.setdefault(contact_id, []).append(tuple(change))
        if change[1] is None:
            first_email = live.get(contact_id, (None, email))[1]
            live[contact_id] = (named, first_email if rules.contact_by_first_email else email)
    found = {}
    for contact_id, (named, email) in live.items():
        contact = Contact(contact_id, tuple(changes[contact_id]))
        customer_id, by_external = by_email.get(email), False
        if named is not None and not rules.external_id_ignored:
            if named in customers:
                customer_id, by_external = named, True
            elif rules.unknown_external_stops:
                customer_id = None
        if customer_id is not None:
            number = int(contact_id) * (-1 if rules.highest_contact_wins else 1)
            place = (not by_external and not rules.email_match_equal, contact.is_deleted, number)
            found[customer_id] = min(found.get(customer_id, (place, contact)), (place, contact), key=lambda one: one[0])
    return {customer_id: contact for customer_id, (_, contact) in found.items()}


def attributes(step):
    """Returns {customer_id: Attributes}: "That contact's" states, companies and their current names."""
    found = {customer_id: Attributes(contact, step.rules) for customer_id, contact in step["matched_contacts"].items()}
    of_contact = {}
    for one in found.values():
        of_contact.setdefault(one.contact.contact_id, []).append(one)
    for contact_id, *columns in step.rows(
        "SELECT a.contact_id, a.company_id, a.is_primary, a.associated_at, a.deleted_at, c.name, c.deleted_at "
        f"FROM {step['silver_contact_companies']} a JOIN {step['silver_companies']} c USING (company_id)"
    ):
        for one in of_contact.get(contact_id, ()):
            one.associations.append(Association(*columns))
    return found


MATCH_FLAGS = (
    "contact_by_first_email",
    "external_id_ignored",
    "unknown_external_stops",
    "highest_contact_wins",
    "email_match_equal",
)
STAGES = {
    "matched_contacts": Stage(matched, ("silver_customers", "silver_contacts_history"), MATCH_FLAGS),
    "crm_attributes": Stage(
        attributes,
        ("matched_contacts", "silver_contact_companies", "silver_companies"),
        ("deleted_contact_shown", "removed_association_shown", "primary_ignored", "crm_starts_no_version", "crm_as_now"),
    ),
}
# Without a CRM nothing is known of any customer.
NOTHING_KNOWN = {"crm_attributes": Stage(lambda step: {})}
