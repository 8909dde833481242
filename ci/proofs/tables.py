"""Prints every table of a lake: place, version, rows. `python -m proofs.tables --lake DIR|s3://BUCKET/PREFIX`."""

from __future__ import annotations

import argparse

from proofs import lake, stores


def main() -> int:
    """Prints one line per table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lake", type=stores.place, required=True)
    folder = parser.parse_args().lake
    for place, table in lake.tables(folder):
        rows = sum(action for action in table.get_add_actions(flatten=True).column("num_records").to_pylist())
        print(f"{place:<32} version {table.version():>4}  {rows:>10,} rows  {folder / place}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
