"""Silver's tables of the CRM: contacts and their history, companies, and which contact belongs to which company.

"a row for which it holds is a tombstone: key, sequence, `deleted_at` stay, every other column is null, required fields are not asked for".
"""

import pyarrow

from oracle import text
from oracle.silver import current, history
from oracle.workbench import Stage

TEXT, INSTANT, LONG = pyarrow.string(), pyarrow.timestamp("us"), pyarrow.int64()
# Silver's name of each property.
CONTACT_PROPERTIES = {
    "email": "email",
    "first_name": "firstname",
    "last_name": "lastname",
    "phone": "phone",
    "address": "address",
    "city": "city",
    "state": "state",
    "zip": "zip",
    "country": "country",
    "customer_id": "external_customer_id",
    "lifecycle_stage": "lifecyclestage",
    "lead_status": "hs_lead_status",
    "analytics_source": "hs_analytics_source",
    "owner_id": "hubspot_owner_id",
    "birth_date": "date_of_birth",
    "annual_income": "annual_income",
}
CONTACT_TWINS = {
    "email_masked": ("email", text.email_masked),
    "first_name_masked": ("first_name", text.name_masked),
    "last_name_masked": ("last_name", text.name_masked),
    "phone_masked": ("phone", text.phone_masked),
    "address_masked": ("address", text.redacted),
    "birth_date_masked": ("birth_date", text.birth_decade),
}
COMPANY_PROPERTIES = {
    "name": "name",
    "domain": "domain",
    "industry": "industry",
    "country": "country",
    "number_of_employees": "numberofemployees",
    "annual_revenue": "annualrevenue",
}
KINDS = {"birth_date": pyarrow.date32(), "annual_income": LONG, "number_of_employees": LONG, "annual_revenue": LONG}
# "HUBSPOT_DEFINED typeId 1 = primary".
PRIMARY = ("HUBSPOT_DEFINED", 1)


def clean_properties(state, names, rules):
    """Returns {column: text} of an object's properties, repaired as a customer's columns are."""
    keep = (lambda value: value.strip() or None if value else None) if rules.null_tokens_kept else text.cleaned
    properties = state.content["properties"]
    return {column: keep(properties.get(name)) for column, name in names.items()}


def contact(state, rules):
    """Returns a live contact's columns.

    "email [... lower], phone [e164, onInvalid null], state upper, country [iso3166, onInvalid null], birth_date DATE [onInvalid null],
    annual_income DECIMAL(18,2) [onInvalid null], lifecycle_stage lower".
    """
    one = clean_properties(state, CONTACT_PROPERTIES, rules)
    if not rules.email_case_kept:
        one["email"] = text.email_address(one["email"])
    one["phone"] = text.phone_number(one["phone"])
    one["state"] = one["state"] and one["state"].upper()
    one["country"] = text.country_code(one["country"])
    one["lifecycle_stage"] = one["lifecycle_stage"] and one["lifecycle_stage"].lower()
    one["birth_date"] = text.calendar_date(one["birth_date"])
    one["annual_income"] = text.exact_number(one["annual_income"], 2)
    return one | {twin: mask(one[name]) for twin, (name, mask) in CONTACT_TWINS.items()}


def company(state, rules):
    """Returns a live company's columns: "domain lower". A number that cannot be read breaks the row: null, it is quarantined."""
    one = clean_properties(state, COMPANY_PROPERTIES, rules)
    one["domain"] = one["domain"] and one["domain"].lower()
    for name, digits in (("number_of_employees", 0), ("annual_revenue", 2)):
        written, one[name] = one[name], text.exact_number(one[name], digits)
        if written is not None and one[name] is None:
            return None
    return one


def judged(states, columns, read):
    """Returns a stage: the list of (state, values) that landed. A tombstone's values are all null, a broken row has none."""

    def build(step):
        found = []
        for state in step[states]:
            values = dict.fromkeys(columns) if state.is_deleted else read(state, step.rules)
            if values is not None and not state.is_deleted:
                values["created_at"] = state.content["created_at"]
            found.append((state, values))
        return found

    return Stage(build, (states,), ("null_tokens_kept", "email_case_kept"))


def rows_of(key, judged_states, columns):
    """Returns a stage: one row per state that is whole; "`updated_at` ... = `_observed_at`", and so is `deleted_at`."""

    def build(step):
        rows = []
        for state, values in step[judged_states]:
            if values is not None:
                stamps = (state.observed_at, state.observed_at if state.is_deleted else None, state.window)
                rows.append((str(*state.key), *(values[name] for name in columns), *stamps))
        typed = [(name, INSTANT if name == "created_at" else KINDS.get(name, TEXT)) for name in columns]
        step.fill([(key, TEXT), *typed, ("updated_at", INSTANT), ("deleted_at", INSTANT), ("seen_in", pyarrow.int32())], rows)

    return Stage(build, (judged_states,))


def contact_companies(step):
    """silver_contact_companies: one row per pair, with the time over which it stood: "[associated_at, deleted_at)".

    "silver_contact_companies.associated_at = `_present_since`": another type does not move it. A removed pair keeps it and `is_primary`,
    so that Gold knows over which time and how the pair stood; only `deleted_at` is new.
    """
    rows = {}
    for state in sorted(step["association_states"], key=lambda one: one.order):
        if state.is_deleted:
            is_primary, deleted_at = rows[state.key][2], state.observed_at
        else:
            is_primary, deleted_at = any((category, type_id) == PRIMARY for category, type_id, _ in state.content), None
        rows[state.key] = (*map(str, state.key), is_primary, state.present_since, deleted_at)
    step.fill(
        [
            ("contact_id", TEXT),
            ("company_id", TEXT),
            ("is_primary", pyarrow.bool_()),
            ("associated_at", INSTANT),
            ("deleted_at", INSTANT),
        ],
        rows.values(),
    )


# Of two states of one instant the tombstone counts.
TOMBSTONE_FIRST = "deleted_at IS NULL, seen_in DESC"
CONTACT_COLUMNS = (*CONTACT_PROPERTIES, *CONTACT_TWINS, "created_at")
COMPANY_COLUMNS = (*COMPANY_PROPERTIES, "created_at")
STAGES = {
    "contacts_judged": judged("contact_states", CONTACT_COLUMNS, contact),
    "companies_judged": judged("company_states", COMPANY_COLUMNS, company),
    "contact_rows": rows_of("contact_id", "contacts_judged", CONTACT_COLUMNS),
    "company_rows": rows_of("company_id", "companies_judged", COMPANY_COLUMNS),
    "silver_contacts": current("contact_rows", "contact_id", TOMBSTONE_FIRST),
    "silver_contacts_history": history("contact_rows", "contact_id", TOMBSTONE_FIRST),
    "silver_companies": current("company_rows", "company_id", TOMBSTONE_FIRST),
    "silver_contact_companies": Stage(contact_companies, ("association_states",)),
}
