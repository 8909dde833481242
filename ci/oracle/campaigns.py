"""Silver's tables of campaigns: what ran, at whom it was aimed, and which coupons came back."""

from oracle.silver import cents, current
from oracle.workbench import Stage


def text_columns(step, *names):
    """Returns SQL for texts "cleaning as in silver_products (trim, null tokens ...)"; an id's number stands for its digits."""
    clean = "trimmed" if step.rules.null_tokens_kept else "cleaned"
    return ", ".join(f"{clean}(CAST({name.upper()} AS VARCHAR)) AS {name}" for name in names)


def campaigns_repaired(step):
    """Every row of CAMPAIGNS that some window saw: "channel lower"."""
    step.create(
        f"SELECT * REPLACE (lower(channel) AS channel) FROM (SELECT {text_columns(step, 'campaign_id', 'name', 'channel')}, "
        f"{cents('BUDGET')}, {cents('DAILY_COST')}, CAST(START_DATE AS DATE) AS start_date, CAST(END_DATE AS DATE) AS end_date, "
        f"CAST(UPDATED_AT AS TIMESTAMP) AS updated_at, seen_in FROM {step['seen_campaigns']}) WHERE campaign_id IS NOT NULL"
    )


def targets_repaired(step):
    """Every row of CAMPAIGN_TARGETS that some window saw."""
    step.create(
        f"SELECT {text_columns(step, 'campaign_id', 'customer_id')}, CAST(UPDATED_AT AS TIMESTAMP) AS updated_at, seen_in "
        f"FROM {step['seen_campaign_targets']} WHERE CAMPAIGN_ID IS NOT NULL AND CUSTOMER_ID IS NOT NULL"
    )


def redemptions_repaired(step):
    """Every row of COUPON_REDEMPTIONS that some window saw: "key = the first four" columns, so each of them is there."""
    step.create(
        f"SELECT {text_columns(step, 'customer_id', 'coupon_upc', 'campaign_id')}, CAST(REDEEMED_ON AS DATE) AS redeemed_on, "
        f"CAST(UPDATED_AT AS TIMESTAMP) AS updated_at, seen_in FROM {step['seen_coupon_redemptions']} "
        "WHERE CUSTOMER_ID IS NOT NULL AND COUPON_UPC IS NOT NULL AND CAMPAIGN_ID IS NOT NULL AND REDEEMED_ON IS NOT NULL"
    )


STAGES = {
    "campaigns_repaired": Stage(campaigns_repaired, ("seen_campaigns",), ("null_tokens_kept",)),
    "targets_repaired": Stage(targets_repaired, ("seen_campaign_targets",), ("null_tokens_kept",)),
    "redemptions_repaired": Stage(redemptions_repaired, ("seen_coupon_redemptions",), ("null_tokens_kept",)),
    "silver_campaigns": current("campaigns_repaired", "campaign_id"),
    "silver_campaign_targets": current("targets_repaired", "campaign_id, customer_id"),
    "silver_coupon_redemptions": current("redemptions_repaired", "customer_id, coupon_upc, campaign_id, redeemed_on"),
}
