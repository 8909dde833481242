"""The two commands: `check` judges a lake, `mutate` judges the oracle. Data on stdout, everything else on stderr."""

import argparse
import itertools
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from oracle import judge, ledger, mutations, pipeline, real_lines
from oracle.lake import Lake
from oracle.tables import ATTRIBUTION_SHARES, TABLES
from oracle.vocabulary import WINDOWS

REPOSITORY = Path(__file__).resolve().parents[2]


class Unusable(Exception):
    """Something that the command needs is not there: exit 2."""


def home():
    """`SLUICE_HOME` (default `<repo>/.sluice`)."""
    return Path(os.environ.get("SLUICE_HOME") or REPOSITORY / ".sluice")


def arguments(argv):
    """Reads the command line."""
    parser = argparse.ArgumentParser(prog="ci/oracle")
    commands = parser.add_subparsers(dest="command", required=True)
    check = commands.add_parser("check", help="compare every Silver and Gold table of a lake with the oracle's, row by row")
    check.add_argument("--lake", default=None, help="directory or s3://bucket/prefix (default: $SLUICE_HOME/lake)")
    check.add_argument("--save", default=None, metavar="DIR", help="also write the expected tables there as Parquet")
    check.add_argument(
        "--shares",
        default=None,
        metavar="FILE",
        help="a Parquet file with the shares per order, model and touch (default: what `goldify show-cte` tells of the lake)",
    )
    mutate = commands.add_parser("mutate", help="switch the oracle's rules one by one; each must change some row")
    mutate.add_argument("--only", default=None, help="a mutation's flag")
    for command in (check, mutate):
        command.add_argument(
            "--through", choices=[window.batch for window in WINDOWS], default=None, help="the last batch that was run"
        )
        command.add_argument("--data", default=None, help="what the sources publish (default: $SLUICE_HOME/sources/data)")
        command.add_argument("--token-key", default=None, help="default: $SLUICE_HOME/secrets/masking/token-key")
    return parser.parse_args(argv)


def bench_of(options, needs_key):
    """Returns the workbench of the sources and the key that the options name."""
    data = Path(options.data or home() / "sources" / "data")
    if not (data / "history").is_dir():
        raise Unusable(f"no sources in {data}: run ci/sources/up")
    path = Path(options.token_key or home() / "secrets" / "masking" / "token-key")
    if path.exists():
        key = pipeline.token_key(path)
    elif needs_key:
        raise Unusable(f"no token key in {path}: ci/demo makes it")
    else:
        key = ("k1", bytes(32))
    return pipeline.workbench(data, key, options.through)


def check(options):
    """Compares a lake with the oracle; returns the exit code."""
    started = time.monotonic()
    bench = bench_of(options, needs_key=True)
    one_lake = Lake(options.lake or str(home() / "lake"))
    if not one_lake.exists():
        raise Unusable(f"no lake in {one_lake.uri}: run ci/demo, or name one with --lake")
    held = total = differences = 0
    if options.shares and "behavior" not in bench.parts:
        raise Unusable(f"no behaviour events in {bench.data}, so there are no shares to compare")
    compared = judge.judge_all(bench, one_lake)
    if "behavior" in bench.parts:
        compared = itertools.chain(compared, [(ATTRIBUTION_SHARES, shares(bench, one_lake, options))])
    for table, result in compared:
        total += 1
        held += not result.differences
        differences += result.differences
        print(
            f"{table.name:<26} {result.rows_expected:>10,} expected {result.rows_found:>10,} found {result.differences:>8,} differences",
            flush=True,
        )
        for line in result.shown:
            print(f"    {line}")
    say_what_is_not_judged(bench)
    lines = real_lines.judge(bench, one_lake)
    for line in lines.wrong:
        print(f"real lines: {line}")
    cells, wrong = ledger.disagreements(bench)
    for line in wrong:
        print(f"manifest's ledger: {line}")
    if options.save:
        judge.save(bench, options.save)
    through = bench.windows[-1].batch
    print(
        f"oracle: {held} of {total} tables hold row by row through {through}, {differences:,} differences; {lines.summary}; "
        f"manifest's ledger right in {cells - len(wrong)} of {cells} places; {time.monotonic() - started:.0f} s"
    )
    return 0 if held == total and not lines.wrong and not wrong else 1


def shares(bench, one_lake, options):
    """Compares the shares per order, model and touch with those of a file, or with what the model itself made of them."""
    if options.shares:
        return judge.judge_shares(bench, options.shares)
    goldify = home() / "bin" / "goldify"
    if not goldify.exists():
        raise Unusable(f"no {goldify} to tell the shares of orders: run ci/build, or name a file with --shares")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "shares.parquet"
        command = [goldify, "show-cte", "gold_marketing_attribution", "shares", "--to", path, "--lake", one_lake.uri]
        command += ["--contracts", REPOSITORY / "contracts", "--secrets", f"file:{home() / 'secrets'}"]
        ran = subprocess.run(command, capture_output=True, text=True)
        if ran.returncode:
            raise Unusable(f"goldify show-cte ended with {ran.returncode}: {ran.stderr.strip()}")
        return judge.judge_shares(bench, path)


def say_what_is_not_judged(bench):
    """Names the tables whose data the sources do not have: on stderr, so that it is never overlooked."""
    left_out = [table.name for table in TABLES if table not in bench.tables]
    if left_out:
        print(f"not judged, for want of data: {', '.join(left_out)}", file=sys.stderr)


def mutate(options):
    """Tries every mutation that can reach a judged table against the oracle's own tables; returns the exit code."""
    bench = bench_of(options, needs_key=False)
    say_what_is_not_judged(bench)
    chosen = [one for one in mutations.MUTATIONS if options.only in (None, one.flag) and mutations.reached(bench, one)]
    if not chosen:
        known = ", ".join(one.flag for one in mutations.MUTATIONS)
        raise Unusable(f"no mutation {options.only!r} that reaches a judged table: there are {known}")
    seen = 0
    for mutation in chosen:
        counts = {table.name: count for table, count in mutations.differing_rows(bench, mutation) if count}
        seen += bool(counts)
        shown = "  ".join(f"{name} {count:,}" for name, count in counts.items()) or "NO DIFFERENCE"
        print(f"{mutation.flag:<36} {shown}  ({mutation.says})", flush=True)
    print(f"{seen} of {len(chosen)} mutations differ from the oracle's own tables in at least one row")
    return 0 if seen == len(chosen) else 1


def main(argv=None):
    """Runs one command: 0 all held, 1 something differs, 2 it could not be asked."""
    options = arguments(argv)
    try:
        return {"check": check, "mutate": mutate}[options.command](options)
    except Unusable as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
