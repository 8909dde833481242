"""Which properties HubSpot's objects have, and of what type: what discovery tells, and how a search compares.

HubSpot shows every value as text or null; the type says whether a search compares numbers, instants or text.
"""

from __future__ import annotations

from hubspot_world import BRANCHES, COMPANIES, CONTACTS, CURSORS, KINDS

NUMBER, TEXT, INSTANT, DATE, CHOICE = "number", "string", "datetime", "date", "enumeration"
FIELD_TYPES = {NUMBER: "number", TEXT: "text", INSTANT: "date", DATE: "date", CHOICE: "select"}
_GROUPS = {CONTACTS: "contactinformation", COMPANIES: "companyinformation", BRANCHES: "branch_information"}
# Properties of an account's own, which it made itself.
_OWN = {"annual_income", "external_customer_id", "date_of_birth", "favourite_aisle", "legacy_score"}
_COMMON = {"hs_object_id": NUMBER, "createdate": INSTANT, "hubspot_owner_id": CHOICE, "hs_merged_object_ids": CHOICE}
_TYPES: dict[str, dict[str, str]] = {
    CONTACTS: _COMMON | {
        "email": TEXT, "firstname": TEXT, "lastname": TEXT, "phone": TEXT, "address": TEXT, "city": TEXT, "state": TEXT,
        "zip": TEXT, "country": TEXT, "date_of_birth": TEXT, "annual_income": TEXT, "external_customer_id": TEXT,
        "lifecyclestage": CHOICE, "hs_lead_status": CHOICE, "hs_analytics_source": CHOICE, "lastmodifieddate": INSTANT,
        "hs_email_optout": CHOICE, "favourite_aisle": TEXT, "legacy_score": NUMBER,
    },
    COMPANIES: _COMMON | {
        "name": TEXT, "domain": TEXT, "industry": CHOICE, "country": TEXT, "numberofemployees": TEXT, "annualrevenue": TEXT,
        "hs_lastmodifieddate": INSTANT,
    },
    BRANCHES: {
        "hs_object_id": NUMBER, "hs_createdate": INSTANT, "hs_lastmodifieddate": INSTANT, "name": TEXT, "city": TEXT,
    },
}  # fmt: skip
# The property that says when an object was made: types of the account's own have another one than HubSpot's.
CREATED = {CONTACTS: "createdate", COMPANIES: "createdate", BRANCHES: "hs_createdate"}
# What an answer holds when nobody asks for anything; ids and times are in every answer.
DEFAULTS = {
    CONTACTS: ("createdate", "email", "firstname", "hs_object_id", "lastmodifieddate", "lastname"),
    COMPANIES: ("createdate", "domain", "hs_lastmodifieddate", "hs_object_id", "name"),
    BRANCHES: ("hs_createdate", "hs_lastmodifieddate", "hs_object_id"),
}
ALWAYS = {kind: (CREATED[kind], "hs_object_id", CURSORS[kind]) for kind in KINDS}
# Contacts have no `hs_lastmodifieddate`: a search for it is answered, and finds nothing.
NEVER_SET = {CONTACTS: {"hs_lastmodifieddate": INSTANT}, COMPANIES: {}, BRANCHES: {}}


class Catalogue:
    """The properties of one account."""

    def __init__(self, more: dict[str, dict[str, str]] | None = None) -> None:
        self._types = {kind: types | (more or {}).get(kind, {}) for kind, types in _TYPES.items()}

    def type_of(self, kind: str, name: str) -> str | None:
        """Returns the type of a property, or None when there is no such property."""
        return self._types[kind].get(name) or NEVER_SET[kind].get(name)

    def describe(self, kind: str) -> list[dict]:
        """Returns all properties as discovery shows them."""
        return [self._described(kind, name, type_name) for name, type_name in sorted(self._types[kind].items())]

    def _described(self, kind: str, name: str, type_name: str) -> dict:
        own = name in _OWN or name not in _TYPES[kind]
        return {
            "name": name,
            "label": name.replace("_", " ").capitalize(),
            "type": type_name,
            "fieldType": FIELD_TYPES[type_name],
            "description": "",
            "groupName": _GROUPS[kind],
            "options": [],
            "displayOrder": -1,
            "calculated": name in ("hs_object_id", "lastmodifieddate", "hs_lastmodifieddate"),
            "externalOptions": False,
            "hasUniqueValue": name == "hs_object_id",
            "hidden": False,
            "hubspotDefined": not own,
            "archived": False,
            "formField": own,
            "modificationMetadata": {"archivable": own, "readOnlyDefinition": not own, "readOnlyValue": False},
        }
