"""The wrong rules that `mutate` tries, one at a time, and how far each of them is felt."""

from dataclasses import dataclass

from oracle.rules import DEFINED
from oracle.tables import TABLES


@dataclass(frozen=True)
class Mutation:
    """One flag of the rules, switched; `says` is the wrong rule in words."""

    flag: str
    says: str
    value: object = True

    @property
    def rules(self):
        """The definitions with this one rule switched."""
        return DEFINED.with_rule(self.flag, self.value)


MUTATIONS = tuple(
    Mutation(*one)
    for one in (
        ("rate_of_day_before", "the rate of the wrong day: the day before the sale"),
        ("rate_of_movement_date", "a return takes the rate of its own date"),
        ("weekend_without_rate", "no rate on a day without an observation"),
        ("next_observation_wins", "a gap takes the observation after it"),
        ("old_rate_allowed", "an observation older than 7 days still counts"),
        ("revised_value_wins", "a revised FX value replaces the first published one"),
        ("missing_value_never_filled", "an N/A that becomes a value later is not taken"),
        ("half_even", "halves go to the even neighbour"),
        ("float_money", "net x rate in floating point"),
        ("float_sum", "returns are summed in floating point and cut to cents"),
        ("utc_date", "the business date is the UTC date"),
        ("return_positive", "the sign of returns and cancellations"),
        ("discount_positive", "the sign of a reversal's discount"),
        ("coupon_not_reversed", "a reversal leaves the manufacturer's coupon out"),
        ("partial_returns_ignored", "only a return of the whole line counts"),
        ("only_last_return_counts", "of several returns of a line only the last counts"),
        ("returns_uncapped", "a return reverses more than is open"),
        ("return_dated_by_first", "several returns are dated by the first"),
        ("return_after_cancellation_accepted", "a return after the cancellation counts"),
        ("cancellation_before_return", "the cancellation is applied before the returns"),
        ("last_cancellation_counts", "of two cancellations the last one counts"),
        ("cancellation_rounded_alone", "net_usd of a cancellation is rounded on its own"),
        ("cancellation_of_whole_sale", "a cancellation reverses the whole sale, not what is open"),
        ("orphan_customers_dropped", "INNER for LEFT: an order of an unknown customer is dropped"),
        ("orphan_products_dropped", "INNER for LEFT: a line of an unknown product is dropped"),
        ("valid_to_inclusive", "valid_to is inclusive"),
        ("first_version_dated", "the first version is valid from its own date, not from 1900-01-01"),
        ("first_change_of_date_wins", "of two changes on one business date the first one counts"),
        ("equal_versions_kept", "a version equal to its predecessor is kept"),
        ("untracked_as_of_version", "untracked attributes show the value of their time"),
        ("group_size_min", "suppression below 4", 4),
        ("suppression_counts_all_versions", "suppression counts all versions"),
        ("suppression_of_current_version_only", "suppression leaves older versions readable"),
        ("unknown_member_missing", "there is no unknown member"),
        ("email_case_kept", "the e-mail is not lower-cased, nor its token"),
        ("holidays_shifted", "holidays on a weekend are shifted"),
        ("duplicates_kept", "equal events are kept"),
        ("repeated_lines_kept", "a repeated line of one event is kept"),
        ("broken_lines_dropped", "a broken line is dropped, the rest of its event is kept"),
        ("late_event_wins", "what arrives last wins, not what happened last"),
        ("status_by_last_event", "the status is the last event's, not the highest rank"),
        ("held_accepted", "events behind the late window are accepted"),
        ("late_measured_by_any_delay", "anything that happened before the window is late"),
        ("headerless_orders_dropped", "an order known only by a later event is dropped"),
        ("lookback_ignored", "a window does not read two hours back"),
        ("confluent_prefix_unknown", "the Confluent prefix makes a record undecodable"),
        ("null_tokens_kept", "null tokens stay as text"),
        ("numbers_as_text_rejected", "a number as text breaks its event"),
        ("unknown_currency_accepted", "an unknown currency is accepted"),
        ("negative_quantity_accepted", "a negative quantity is accepted"),
    )
)


def differing_rows(bench, mutation):
    """Yields (table, keys with differing rows) for every table that the switched rule can reach."""
    for table in TABLES:
        if mutation.flag in bench.flags_of(table.name):
            yield table, keys_that_differ(bench, table, mutation.rules)
    bench.forget_variants()


def keys_that_differ(bench, table, rules):
    """Returns how many keys have other rows under these rules than by the definitions.

    Rows are compared by their hashes, which could hide a difference and never make one up.
    """
    connection = bench.connection
    columns = ", ".join(name for name in table.columns if name not in table.optional)
    hashes = "SELECT hash({key}) AS key, hash({columns}) AS content FROM {relation}"
    defined = f"{bench.get(table.name)}_hashes"
    known = {"key": ", ".join(table.key), "columns": columns}
    connection.execute(f"CREATE TABLE IF NOT EXISTS {defined} AS {hashes.format(relation=bench.get(table.name), **known)}")
    return connection.execute(
        "SELECT count(*) FROM (SELECT key FROM ("
        f"SELECT key, content::HUGEINT AS content FROM {defined} UNION ALL "
        f"SELECT key, -content::HUGEINT FROM ({hashes.format(relation=bench.get(table.name, rules), **known)})"
        ") GROUP BY key HAVING sum(content) <> 0)"
    ).fetchone()[0]
