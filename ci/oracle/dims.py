"""gold_dim_customers and gold_dim_products: versions by business date, tokens, suppression, the unknown member."""

import hashlib
import hmac

import pyarrow

from oracle import text
from oracle.vocabulary import INCOME_BANDS, SUPPRESSED
from oracle.workbench import Stage

ALWAYS = "DATE '1900-01-01'"
CUSTOMER_TRACKED = ("country", "income_band", "lifecycle_stage", "company_name", "email_domain_class")
CUSTOMER_CURRENT = ("name_initials", "email_token", "phone_last2", "birth_decade", "region", "acquisition_source")
PRODUCT_TRACKED = ("list_price", "category", "is_active")
PRODUCT_CURRENT = ("department", "brand", "type", "package_size")


def versions(step, changes, identity, tracked, untracked):
    """Returns SQL for the versions of a dimension, one row each: identity, valid_from, valid_to, is_current, attributes.

    "Two changes on one business date: the last one counts"; "A version starts when a tracked attribute changes"; "Versions equal to
    their predecessor are dropped; valid_to is exclusive; the first version is valid from 1900-01-01"; "untracked attributes show
    the current value on all versions".
    """
    rules = step.rules
    on_date = "utc_date" if rules.utc_date else "business_date"
    last = "ASC" if rules.first_change_of_date_wins else "DESC"
    names = ", ".join((*tracked, *untracked))
    differs = " OR ".join(f"{name} IS DISTINCT FROM lag({name}) OVER change" for name in tracked)
    starts = "true" if rules.equal_versions_kept else f"number = 1 OR {differs}"
    first = "valid_from" if rules.first_version_dated else f"CASE WHEN number = 1 THEN {ALWAYS} ELSE valid_from END"
    newest = ", ".join(f"v.{name}" if rules.untracked_as_of_version else f"n.{name}" for name in untracked)
    return (
        f"WITH dated AS (SELECT {identity}, {names}, changed_at, {on_date}(changed_at) AS valid_from FROM {changes}), "
        f"states AS (SELECT *, row_number() OVER (PARTITION BY {identity} ORDER BY valid_from) AS number FROM (SELECT * FROM dated "
        f"QUALIFY row_number() OVER (PARTITION BY {identity}, valid_from ORDER BY changed_at {last}) = 1)), "
        f"marked AS (SELECT *, {starts} AS starts FROM states WINDOW change AS (PARTITION BY {identity} ORDER BY number)), "
        f"kept AS (SELECT {identity}, {names}, {first} AS valid_from, "
        f"lead(valid_from) OVER (PARTITION BY {identity} ORDER BY number) AS valid_to FROM marked WHERE starts), "
        f"newest AS (SELECT * FROM dated QUALIFY row_number() OVER (PARTITION BY {identity} ORDER BY changed_at DESC) = 1) "
        f"SELECT v.{identity}, v.valid_from, v.valid_to, v.valid_to IS NULL AS is_current, "
        f"{', '.join(f'v.{name}' for name in tracked)}, {newest} FROM kept v JOIN newest n USING ({identity})"
    )


def key(kind, identity, valid_from="valid_from"):
    """The definition: "customer_key = first 32 hex digits of SHA-256(`customer|<id>|<valid_from>`)"."""
    return f"left(sha256('{kind}|' || {identity} || '|' || strftime({valid_from}, '%Y-%m-%d')), 32)"


def unknown_key(kind):
    """The definition: "The unknown member (id `unknown`, from 1900-01-01) stands for orphans"."""
    return hashlib.sha256(f"{kind}|unknown|1900-01-01".encode()).hexdigest()[:32]


def customer_changes(step):
    """The states of customers with the published attributes in place of the identifying ones: one row per change point.

    "Every change point (customer change, contact change, association start/end, company deletion) of a customer is a candidate state;
    ... attributes are as of that last instant; ... only change points from the customer's first own change on start versions".
    """
    _, secret = step.bench.token_key
    own = {}
    for row in step.rows(
        "SELECT customer_id, changed_at, first_name, last_name, email, phone, birth_date, income_band, country, state, "
        f"acquisition_source FROM {step['silver_customers_history']} ORDER BY changed_at"
    ):
        customer_id, changed_at, *identity = row
        own.setdefault(customer_id, []).append((changed_at, published(identity, secret, step.rules)))
    known = step["crm_attributes"]
    rows = []
    for customer_id, changes in own.items():
        crm = known.get(customer_id)
        points = {changed_at for changed_at, _ in changes}
        if crm is not None:
            points |= {point for point in crm.change_points() if point > changes[0][0]}
        for point in sorted(points):
            values = [attributes for changed_at, attributes in changes if changed_at <= point][-1]
            values["lifecycle_stage"], values["company_name"] = crm.at(point) if crm else (None, None)
            rows.append((customer_id, point, *(values[name] for name in (*CUSTOMER_TRACKED, *CUSTOMER_CURRENT))))
    columns = ("customer_id", "changed_at", *CUSTOMER_TRACKED, *CUSTOMER_CURRENT)
    step.fill([(name, pyarrow.timestamp("us") if name == "changed_at" else pyarrow.string()) for name in columns], rows)


def published(identity, secret, rules):
    """Returns what Gold shows of a customer's own columns; "income_band in the demographics' bands else `unknown`"."""
    first_name, last_name, email, phone, birth_date, income_band, country, state, source = identity
    return {
        "country": country,
        "income_band": income_band if income_band in INCOME_BANDS else "unknown",
        "email_domain_class": text.email_domain_class(email),
        "name_initials": text.name_initials(first_name, last_name),
        "email_token": email_token(email, secret, rules),
        "phone_last2": phone[-2:] if phone else None,
        "birth_decade": text.birth_decade(birth_date),
        "region": state,
        "acquisition_source": source,
    }


def email_token(email, secret, rules):
    """The definition: "email_token = lowercase hex HMAC-SHA256(key, lower-cased e-mail)"."""
    if email is None:
        return None
    written = email if rules.email_case_kept else email.lower()
    return hmac.new(secret, written.encode(), hashlib.sha256).hexdigest()


def dim_customers(step):
    """gold_dim_customers, suppressed, with its unknown member."""
    rules = step.rules
    key_id, _ = step.bench.token_key
    selected = versions(step, step["customer_changes"], "customer_id", CUSTOMER_TRACKED, CUSTOMER_CURRENT)
    counted = "" if rules.suppression_counts_all_versions else "WHERE is_current"
    hidden = "customer_id IN (FROM hidden)"
    if rules.suppression_of_current_version_only:
        hidden = f"is_current AND {hidden}"
    birth_decade, region = (f"CASE WHEN {hidden} THEN '{SUPPRESSED}' ELSE {name} END AS {name}" for name in ("birth_decade", "region"))
    nulls = ", ".join(["CAST(NULL AS VARCHAR)"] * 5)
    unknown = f"UNION ALL SELECT '{unknown_key('customer')}', 'unknown', {ALWAYS}, NULL, true, {nulls}, 'unknown', {nulls}, '{key_id}'"
    # "where fewer than 5 customers share all four, region and birth decade become `suppressed` (counted over current versions; all
    # versions of a customer follow)"; "group (country, region, birth_decade, income_band) with nulls equal".
    step.create(
        f"WITH versions AS ({selected}), sharing AS (SELECT customer_id, "
        f"count(*) OVER (PARTITION BY country, region, birth_decade, income_band) AS customers FROM versions {counted}), "
        f"hidden AS (SELECT customer_id FROM sharing WHERE customers < {0 if rules.small_groups_shown else rules.group_size_min}) "
        f"SELECT {key('customer', 'customer_id')} AS customer_key, customer_id, valid_from, valid_to, is_current, name_initials, "
        f"email_token, email_domain_class, phone_last2, {birth_decade}, income_band, country, {region}, lifecycle_stage, "
        f"acquisition_source, company_name, '{key_id}' AS token_key_id FROM versions "
        f"{'' if rules.unknown_member_missing else unknown}"
    )


def dim_products(step):
    """The definition: "gold_dim_products (SCD2 on list price, category, active flag), the same rules";
    "unknown member likewise with nulls"."""
    selected = versions(step, step["silver_products_history"], "product_id", PRODUCT_TRACKED, PRODUCT_CURRENT)
    unknown = f"UNION ALL SELECT '{unknown_key('product')}', 'unknown', {ALWAYS}, NULL, true, NULL, NULL, NULL, NULL, NULL, NULL, NULL"
    step.create(
        f"WITH versions AS ({selected}) SELECT {key('product', 'product_id')} AS product_key, product_id, valid_from, valid_to, "
        "is_current, department, brand, category, type, package_size, list_price, is_active FROM versions "
        f"{'' if step.rules.unknown_member_missing else unknown}"
    )


VERSION_FLAGS = (
    "utc_date",
    "first_change_of_date_wins",
    "equal_versions_kept",
    "first_version_dated",
    "untracked_as_of_version",
    "unknown_member_missing",
)
STAGES = {
    "customer_changes": Stage(customer_changes, ("silver_customers_history", "crm_attributes"), ("email_case_kept",)),
    "gold_dim_customers": Stage(
        dim_customers,
        ("customer_changes",),
        (*VERSION_FLAGS, "group_size_min", "small_groups_shown", "suppression_counts_all_versions", "suppression_of_current_version_only"),
    ),
    "gold_dim_products": Stage(dim_products, ("silver_products_history",), VERSION_FLAGS),
}
