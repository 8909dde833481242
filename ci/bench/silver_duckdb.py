"""Runs `silver_duckdb.sql` once: `silver_duckdb.py --output FILE [--stored FILE] BRONZE_FILE...`. Nothing but DuckDB is loaded."""

import argparse
import pathlib
import uuid
from datetime import datetime, timezone

import duckdb

SQL = pathlib.Path(__file__).with_suffix(".sql")


def main() -> None:
    """Sets the script's variables and runs it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", required=True)
    parser.add_argument("--stored")
    parser.add_argument("bronze", nargs="+")
    options = parser.parse_args()
    variables = {
        "bronze": options.bronze,
        "stored": f"FROM read_parquet('{options.stored}')" if options.stored else "FROM no_orders",
        "output": options.output,
        "quarantine": f"{options.output}.quarantine",
        "run_id": str(uuid.uuid4()),
        "ingested_at": datetime.now(timezone.utc).isoformat(),
    }
    connection = duckdb.connect()
    for name, value in variables.items():
        connection.execute(f"SET VARIABLE {name} = ?", [value])
    connection.execute(SQL.read_text())


if __name__ == "__main__":
    main()
