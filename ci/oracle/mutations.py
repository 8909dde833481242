"""The wrong rules that `mutate` tries, one at a time, and how far each of them is felt."""

from dataclasses import dataclass

from oracle.rules import DEFINED


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
        ("behavior_lookback_ignored", "a window of behaviour does not read two hours back"),
        ("hubspot_lookback_ignored", "a window of the CRM does not look an hour back"),
        ("sweep_ignored", "what was archived, deleted or merged in the CRM is not found"),
        ("held_by_last_day", "the late window counts back from the window's last day"),
        ("late_behavior_accepted", "a behaviour event is kept although it is held"),
        ("correction_ignored", "the first row of a behaviour event stays, a correction is ignored"),
        ("anonymous_kept", "an anonymous event stays nobody's"),
        ("last_named_of_session", "an anonymous event takes its session's last named customer"),
        ("named_events_resolved", "a named event takes its session's first named customer, too"),
        ("other_session", "an anonymous event takes the customer of another session"),
        ("external_id_ignored", "a contact's external customer id is ignored"),
        ("unknown_external_stops", "a contact that names an unknown customer is not matched by e-mail"),
        ("contact_by_first_email", "a contact is matched by the first e-mail that it had"),
        ("email_match_equal", "a contact matched by e-mail is as good as one matched by id"),
        ("highest_contact_wins", "of several contacts of a customer the highest id wins"),
        ("deleted_contact_shown", "a deleted contact's lifecycle stage is still shown"),
        ("associated_since_types", "an association with other types begins anew"),
        ("removed_association_shown", "the company of a removed association is still shown"),
        ("primary_ignored", "of several companies the lowest id wins, primary or not"),
        ("crm_starts_no_version", "a change in the CRM starts no version"),
        ("crm_as_now", "all versions show what the CRM says now"),
        ("small_groups_shown", "suppressed groups are shown"),
        ("reversals_not_attributed", "what is attributed is the sale alone, without what was returned or cancelled"),
        ("touch_at_start_excluded", "a touch exactly 30 days before the order does not count"),
        ("touch_at_order_included", "a touch at the instant of the order counts"),
        ("touch_ties_reversed", "touches of one instant in the other order"),
        ("half_life_seconds", "the half-life is 14 days", 1209600),
        ("two_positions_unequal", "position based, two touches share 40/60"),
        ("shares_rounded", "shares are rounded, not filled up by largest remainder"),
        ("rest_to_last_touch", "the remainder goes to the last touch"),
        ("unpaid_orders_convert", "an order whose net is not positive is a conversion"),
        ("unattributed_dropped", "orders without a touch are left out"),
        ("cost_only_with_orders", "a campaign costs something only on days with orders"),
        ("cost_without_last_day", "a campaign's last day costs nothing"),
        ("as_of_utc", "the as-of date is the UTC date of the window's end"),
        ("segments_of_newest_state", "segments of earlier dates are computed again from the newest state"),
        ("frequency_of_all_orders", "orders whose net is not positive count as frequency"),
        ("score_from_rank", "score = 1 + floor(5 x rank / n)"),
        ("score_ties_by_number", "customers of one value are ranked by their ids as numbers"),
        ("recency_ascending", "the longer ago, the better the recency score"),
        ("mean_score_rounded_down", "FM is the floor of the mean"),
        ("churn_without_default", "fewer than two orders: one day between them"),
        ("cancellations_are_returns", "the return rate counts cancellations"),
        ("small_counts_shown", "customer counts below 5 are shown, and their margins"),
        ("customers_shown_min", "customer counts are shown from 4 on", 4),
        ("unknown_is_a_customer", "the unknown member counts as a customer"),
        ("cost_as_now", "all sales cost what the product costs now"),
        ("cost_of_movement_date", "what comes back costs what the product costs by then"),
        ("margins_shown_whole", "margins are published to the cent, and where the count is hidden"),
        ("rank_dense", "ranks without gaps"),
        ("category_of_first_version", "ranked in the product's first category"),
        ("growth_from_nothing", "without a positive predecessor the growth is 1"),
    )
)


def differing_rows(bench, mutation):
    """Yields (table, keys with differing rows) for every table that the switched rule can reach.

    Tables that are `derived` from facts take long, so they are looked at only when nothing before them differs.
    """
    differed = False
    for table in reached(bench, mutation):
        if not (differed and table.derived):
            count = keys_that_differ(bench, table, mutation.rules)
            differed = differed or count > 0
            yield table, count
    bench.forget_variants()


def reached(bench, mutation):
    """Returns the judged tables that the switched rule can reach."""
    return [table for table in bench.tables if mutation.flag in bench.flags_of(table.name)]


def keys_that_differ(bench, table, rules):
    """Returns how many keys have other rows under these rules than by the definitions.

    Rows are compared by their hashes, which could hide a difference and never make one up.
    """
    connection = bench.connection
    columns = ", ".join(name for name in table.columns if name not in table.optional and name not in table.near)
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
