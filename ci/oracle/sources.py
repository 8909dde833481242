"""The warehouse's rows as the windows read them: each row of the sources' files with the window that saw it first."""

from oracle.vocabulary import WAREHOUSE_LOOKBACK
from oracle.workbench import Stage

KEYS = {
    "CUSTOMERS": ("CUSTOMER_ID",),
    "PRODUCTS": ("PRODUCT_ID",),
    "ORDERS": ("ORDER_ID",),
    "ORDER_ITEMS": ("ORDER_ID", "LINE_NUMBER"),
    "CAMPAIGNS": ("CAMPAIGN_ID",),
    "CAMPAIGN_TARGETS": ("CAMPAIGN_ID", "CUSTOMER_ID"),
    "COUPON_REDEMPTIONS": ("CUSTOMER_ID", "COUPON_UPC", "CAMPAIGN_ID", "REDEEMED_ON"),
}


def standing(source, table):
    """Returns SQL for every row of one warehouse table with its batch, its place in the file and the batch that replaces it.

    "A row of a later batch with the same primary key replaces the earlier row in the warehouse".
    """
    files = {index: source.data / window.batch / "warehouse" / f"{table}.parquet" for index, window in enumerate(source.windows)}
    landed = " UNION ALL BY NAME ".join(
        f"SELECT * EXCLUDE (file_row_number), {index} AS batch, file_row_number AS place "
        f"FROM read_parquet('{path}', file_row_number = true)"
        for index, path in files.items()
        if path.exists()
    )
    return (
        f"SELECT *, COALESCE(lead(batch) OVER (PARTITION BY {', '.join(KEYS[table])} ORDER BY batch, place), {len(source.windows)}) "
        f"AS replaced_in FROM ({landed})"
    )


def visible(index, window, lookback):
    """Returns the SQL condition under which a window reads a row: "[FROM - 2 h, TO) on UPDATED_AT" of what stands there then."""
    return (
        f"batch <= {index} AND {index} < replaced_in AND UPDATED_AT >= TIMESTAMP '{window.start}' - INTERVAL {lookback} SECOND "
        f"AND UPDATED_AT < TIMESTAMP '{window.stop}'"
    )


def landings(bench, table):
    """Returns SQL for the rows as each window reads them, once per window (`seen_in`)."""
    return " UNION ALL ".join(
        f"SELECT * EXCLUDE (replaced_in), {index} AS seen_in FROM ({standing(bench, table)}) "
        f"WHERE {visible(index, window, WAREHOUSE_LOOKBACK.seconds)}"
        for index, window in enumerate(bench.windows)
    )


def seen(table):
    """Returns the stage that holds every row that some window reads, once, with the number of the first such window."""

    def build(step):
        lookback = 0 if step.rules.lookback_ignored else WAREHOUSE_LOOKBACK.seconds
        first = ", ".join(f"CASE WHEN {visible(index, window, lookback)} THEN {index} END" for index, window in enumerate(step.windows))
        step.create(
            f"SELECT * EXCLUDE (replaced_in, place) FROM (SELECT *, COALESCE({first}) AS seen_in FROM ({standing(step, table)})) "
            "WHERE seen_in IS NOT NULL"
        )

    return Stage(build, flags=("lookback_ignored",))


STAGES = {f"seen_{table.lower()}": seen(table) for table in KEYS}
