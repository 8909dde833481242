"""The warehouse's rows as the windows read them: each row of the sources' files with the window that saw it first."""

from oracle.vocabulary import WAREHOUSE_LOOKBACK
from oracle.workbench import Stage

KEYS = {
    "CUSTOMERS": ("CUSTOMER_ID",),
    "PRODUCTS": ("PRODUCT_ID",),
    "ORDERS": ("ORDER_ID",),
    "ORDER_ITEMS": ("ORDER_ID", "LINE_NUMBER"),
}


def seen(warehouse_table):
    """Returns the stage that holds every row of one warehouse table that some window reads.

    "A row of a later batch with the same primary key replaces the earlier row in the warehouse": so a row stands in the
    warehouse from its own batch up to the one that replaces it, and window k sees it if its UPDATED_AT is in
    [FROM - 2 h, TO). `seen_in` is the number of the first such window.
    """

    def build(step):
        files = {
            index: step.data / window.batch / "warehouse" / f"{warehouse_table}.parquet"
            for index, window in enumerate(step.windows)
        }
        landed = " UNION ALL BY NAME ".join(
            f"SELECT *, {index} AS batch, file_row_number AS place FROM read_parquet('{path}', file_row_number = true)"
            for index, path in files.items()
            if path.exists()
        )
        key = ", ".join(KEYS[warehouse_table])
        lookback = "INTERVAL 0 HOUR" if step.rules.lookback_ignored else f"INTERVAL {WAREHOUSE_LOOKBACK.seconds} SECOND"
        visible = ", ".join(
            f"CASE WHEN batch <= {index} AND {index} < COALESCE(replaced_in, {len(step.windows)})"
            f" AND UPDATED_AT >= TIMESTAMP '{window.start}' - {lookback} AND UPDATED_AT < TIMESTAMP '{window.stop}'"
            f" THEN {index} END"
            for index, window in enumerate(step.windows)
        )
        step.create(
            f"WITH landed AS ({landed}), "
            f"following AS (SELECT *, lead(batch) OVER (PARTITION BY {key} ORDER BY batch, place) AS replaced_in FROM landed) "
            f"SELECT * EXCLUDE (replaced_in, place, file_row_number), COALESCE({visible}) AS seen_in FROM following "
            f"WHERE COALESCE({visible}) IS NOT NULL"
        )

    return Stage(build, flags=("lookback_ignored",))


STAGES = {f"seen_{table.lower()}": seen(table) for table in KEYS}
