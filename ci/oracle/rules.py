"""The switches that `mutate` throws: each flag states the wrong rule that stands in for the defined one."""

from dataclasses import dataclass, fields, replace

from oracle.vocabulary import CUSTOMERS_SHOWN_MIN, GROUP_SIZE_MIN, HALF_LIFE_SECONDS


@dataclass(frozen=True)
class Rules:
    """All flags off and the numbers as they are here = the definitions. A flag is documented where it is read."""

    # What a window reads, and what is repaired or rejected.
    lookback_ignored: bool = False
    behavior_lookback_ignored: bool = False
    hubspot_lookback_ignored: bool = False
    sweep_ignored: bool = False
    confluent_prefix_unknown: bool = False
    null_tokens_kept: bool = False
    email_case_kept: bool = False
    numbers_as_text_rejected: bool = False
    broken_lines_dropped: bool = False
    repeated_lines_kept: bool = False
    duplicates_kept: bool = False
    unknown_currency_accepted: bool = False
    negative_quantity_accepted: bool = False
    held_accepted: bool = False
    late_behavior_accepted: bool = False
    held_by_last_day: bool = False

    # Which row of several wins.
    late_event_wins: bool = False
    status_by_last_event: bool = False
    first_change_of_date_wins: bool = False
    late_measured_by_any_delay: bool = False
    headerless_orders_dropped: bool = False
    correction_ignored: bool = False

    # Whose an event of a session is.
    anonymous_kept: bool = False
    last_named_of_session: bool = False
    named_events_resolved: bool = False
    other_session: bool = False

    # Rates.
    revised_value_wins: bool = False
    missing_value_never_filled: bool = False
    weekend_without_rate: bool = False
    next_observation_wins: bool = False
    old_rate_allowed: bool = False

    # Dimensions.
    first_version_dated: bool = False
    valid_to_inclusive: bool = False
    equal_versions_kept: bool = False
    untracked_as_of_version: bool = False
    group_size_min: int = GROUP_SIZE_MIN
    suppression_counts_all_versions: bool = False
    suppression_of_current_version_only: bool = False
    small_groups_shown: bool = False
    unknown_member_missing: bool = False
    holidays_shifted: bool = False

    # Whose contact a contact is, and what it says of its customer.
    external_id_ignored: bool = False
    unknown_external_stops: bool = False
    contact_by_first_email: bool = False
    email_match_equal: bool = False
    highest_contact_wins: bool = False
    deleted_contact_shown: bool = False
    removed_association_shown: bool = False
    associated_since_types: bool = False
    primary_ignored: bool = False
    crm_starts_no_version: bool = False
    crm_as_now: bool = False

    # Facts.
    utc_date: bool = False
    rate_of_day_before: bool = False
    rate_of_movement_date: bool = False
    half_even: bool = False
    float_money: bool = False
    float_sum: bool = False
    orphan_customers_dropped: bool = False
    orphan_products_dropped: bool = False
    return_positive: bool = False
    discount_positive: bool = False
    coupon_not_reversed: bool = False
    partial_returns_ignored: bool = False
    only_last_return_counts: bool = False
    returns_uncapped: bool = False
    return_dated_by_first: bool = False
    return_after_cancellation_accepted: bool = False
    cancellation_before_return: bool = False
    last_cancellation_counts: bool = False
    cancellation_rounded_alone: bool = False
    cancellation_of_whole_sale: bool = False

    # Attribution.
    reversals_not_attributed: bool = False
    touch_at_start_excluded: bool = False
    touch_at_order_included: bool = False
    touch_ties_reversed: bool = False
    half_life_seconds: int = HALF_LIFE_SECONDS
    two_positions_unequal: bool = False
    shares_rounded: bool = False
    rest_to_last_touch: bool = False
    unpaid_orders_convert: bool = False
    unattributed_dropped: bool = False
    cost_only_with_orders: bool = False
    cost_without_last_day: bool = False

    # Segments.
    as_of_utc: bool = False
    segments_of_newest_state: bool = False
    frequency_of_all_orders: bool = False
    score_from_rank: bool = False
    score_ties_by_number: bool = False
    recency_ascending: bool = False
    mean_score_rounded_down: bool = False
    churn_without_default: bool = False

    # Products.
    cancellations_are_returns: bool = False
    small_counts_shown: bool = False
    customers_shown_min: int = CUSTOMERS_SHOWN_MIN
    unknown_is_a_customer: bool = False
    cost_as_now: bool = False
    cost_of_movement_date: bool = False
    margins_shown_whole: bool = False
    rank_dense: bool = False
    category_of_first_version: bool = False
    growth_from_nothing: bool = False

    def changed(self, names):
        """Returns those of the named flags that differ from the definitions, as `name=value` texts."""
        return tuple(f"{name}={getattr(self, name)}" for name in sorted(names) if getattr(self, name) != getattr(DEFINED, name))

    def with_rule(self, name, value=True):
        """Returns these rules with one of them switched."""
        return replace(self, **{name: value})


DEFINED = Rules()
FLAGS = tuple(field.name for field in fields(Rules))
