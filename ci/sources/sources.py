"""Runs the local sources: up, advance, down, stats, publish-extra, redshift-sql. `ci/sources/README.md` says what each is for."""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import shutil
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import behavior
import broker
import generate
import journey
import places
import processes
import publish
import redshift_cluster
import state
from web_server import OWN_QUESTION

SNOWFLAKE, WEB, HUBSPOT = "snowflake", "web", "hubspot"
SERVERS = (broker.NAME, SNOWFLAKE, WEB, HUBSPOT, redshift_cluster.NAME)
WEB_PORTS = ("fx", "snowflake_refusing", "unavailable")
HERE = Path(__file__).parent


def say(text: str) -> None:
    """Tells the caller how far it is."""
    print(f"sources: {text}", flush=True)


@contextmanager
def alone() -> Iterator[None]:
    """Holds the sources' lock: two commands at once would start servers twice."""
    places.SOURCES.mkdir(parents=True, exist_ok=True)
    with (places.SOURCES / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def up(profile: str, fresh: bool) -> None:
    """Makes the servers run with the profile's history; what runs already goes on."""
    started = time.monotonic()
    made = generate.generate(profile, places.DATA)
    say(f"{profile} data {'generated' if made else 'is up to date'} ({time.monotonic() - started:.1f} s)")
    stamp = generate.stamp(profile)
    if fresh or state.data_stamp() != stamp:
        stop_all()
        for folder in (broker.FOLDER, redshift_cluster.FOLDER):
            shutil.rmtree(folder, ignore_errors=True)
        state.forget()
        state.begin(stamp)
    for name in state.SECRETS:
        state.secret(name)
    broker.start(stamp)
    redshift_cluster.start()
    start_python_servers()
    processes.wait_until(WEB, lambda: ask("fx") is not None)
    processes.wait_until(SNOWFLAKE, lambda: ask("snowflake") is not None)
    processes.wait_until(HUBSPOT, lambda: publish.hubspot_answers() is not None)
    redshift_cluster.wait_ready()
    broker.wait_ready()
    publish.publish(places.HISTORY)
    state.write_json(places.ENDPOINTS, endpoints())
    newest = state.published()[-1]
    health_check(newest)
    say(f"up in {time.monotonic() - started:.1f} s with {profile} data up to {newest}; {places.ENDPOINTS}")


def start_python_servers() -> None:
    """Starts what is not there. The folder in each command line is how `down` knows its own processes."""
    before = state.ports()
    if processes.running(SNOWFLAKE) is None:
        port = processes.free_port(before.get(SNOWFLAKE))
        state.keep_ports({SNOWFLAKE: port})
        processes.start(SNOWFLAKE, [sys.executable, str(HERE / "snowflake_server.py"), str(port), str(places.SOURCES)])
    if processes.running(WEB) is None:
        chosen = {name: processes.free_port(before.get(name)) for name in WEB_PORTS}
        state.keep_ports(chosen)
        numbers = [str(chosen[name]) for name in WEB_PORTS]
        processes.start(WEB, [sys.executable, str(HERE / "web_server.py"), *numbers, str(places.SOURCES)])
    if processes.running(HUBSPOT) is None:
        port = processes.free_port(before.get(HUBSPOT))
        state.keep_ports({HUBSPOT: port})
        processes.start(HUBSPOT, [sys.executable, str(HERE / "hubspot_server.py"), str(port), str(places.SOURCES)])


def ask(server: str) -> dict | None:
    """Returns a Python server's own counters, or None while it does not answer."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{state.ports()[server]}/sources/stats", timeout=30) as answer:
            return json.load(answer)
    except OSError:
        return None


def health_check(batch: str) -> None:
    """Asks every server whether it holds what the manifest says, extras included or not."""
    publication = json.loads((places.DATA / "manifest.json").read_text())["publication"]
    expected = publication[batch]
    marks = broker.high_watermarks()
    if any(found < wanted for found, wanted in zip(marks, expected["high_watermarks"], strict=True)):
        raise SystemExit(f"sources: Kafka stands at {marks}, expected {expected['high_watermarks']}")
    rows = (ask("snowflake") or {}).get("rows", {})
    if any(rows.get(table, 0) < wanted for table, wanted in expected["warehouse_rows"].items()):
        raise SystemExit(f"sources: the warehouse holds {rows}, expected {expected['warehouse_rows']}")
    events = redshift_cluster.counters()["redshift_table_rows"]
    if events < expected["behavior_rows"]:
        raise SystemExit(f"sources: the behaviour table holds {events} rows, expected {expected['behavior_rows']}")
    shown = (publish.hubspot_answers() or {}).get("rows")
    # Objects come and go, so more is no proof; a killed `advance` may have left the next batch there already.
    right = [publication[name]["hubspot"] for name in places.BATCHES[places.BATCHES.index(batch) :][:2]]
    if shown not in right and not state.EXTRA_CRM.is_file():
        raise SystemExit(f"sources: HubSpot shows {shown}, expected {expected['hubspot']}")
    question = urllib.request.Request(
        f"{endpoints()['fx']['base_url']}eurofxref-daily.xml", headers={OWN_QUESTION: "1"}
    )
    with urllib.request.urlopen(question, timeout=10) as answer:
        if b"time='2017-12-29'" not in answer.read():
            raise SystemExit("sources: the rates' server does not serve the newest observation")


def endpoints() -> dict:
    """Returns where everything is; secrets are named, and stand as files under `$SLUICE_HOME/secrets/`."""
    ports = state.ports()
    warehouse = {
        "host": "127.0.0.1", "protocol": "http", "account": "local", "database": places.WAREHOUSE_DATABASE,
        "schema": places.WAREHOUSE_SCHEMA, "warehouse": "COMPUTE", "user": "SLUICE", "password_secret": "snowflake/password",
    }  # fmt: skip
    return {
        "kafka": {
            "bootstrap": f"127.0.0.1:{ports['kafka']}",
            "secure": f"127.0.0.1:{ports['kafka_secure']}",
            "ca": str(broker.FOLDER / "tls" / "ca.pem"),
            "mechanism": "SCRAM-SHA-512",
            "user": "alice",
            "user_secret": "kafka/alice",
            "wrong_secret": "kafka/wrong",
            "topic": places.TOPIC,
        },
        "snowflake": warehouse | {"port": ports["snowflake"]},
        "snowflake_refusing": warehouse | {"port": ports["snowflake_refusing"]},
        "snowflake_unavailable": warehouse | {"port": ports["unavailable"]},
        "redshift": {
            "host": "localhost",
            "port": ports[redshift_cluster.NAME],
            "database": redshift_cluster.DATABASE,
            "schema": behavior.SCHEMA,
            "table": behavior.TABLE,
            "user": redshift_cluster.LOGIN,
            "password_secret": redshift_cluster.LOGIN_SECRET,
            "wrong_secret": redshift_cluster.WRONG_SECRET,
            "ca": str(redshift_cluster.ca_file()),
            # An authority of the same name that did not sign the certificate.
            "wrong_ca": str(broker.FOLDER / "tls" / "ca.pem"),
        },
        "hubspot": {
            "base_url": f"http://127.0.0.1:{ports['hubspot']}",
            "token_secret": "hubspot/token",
            "wrong_secret": "hubspot/wrong",
            "control_secret": "hubspot/control",
        },
        "hubspot_unavailable": {"base_url": f"http://127.0.0.1:{ports['unavailable']}"},
        "fx": {"base_url": f"http://127.0.0.1:{ports['fx']}/"},
        "fx_unavailable": {"base_url": f"http://127.0.0.1:{ports['unavailable']}/"},
        "data": str(places.DATA),
        "secrets": str(places.SECRETS),
    }


def advance(day: str) -> None:
    """Publishes a day's batch; a day that is published stays so."""
    missing = [name for name in SERVERS if processes.running(name) is None]
    if missing:
        raise SystemExit(f"sources: {', '.join(missing)} not running: start them with ci/sources/up")
    started = time.monotonic()
    done = publish.publish(day)
    health_check(state.published()[-1])
    say(f"{day} {'published' if done else 'was published before'} ({time.monotonic() - started:.1f} s)")


def stop_all() -> None:
    """Stops every server."""
    stopped = [name for name in SERVERS if name != redshift_cluster.NAME and processes.stop(name)]
    if redshift_cluster.stop():
        stopped.append(redshift_cluster.NAME)
    programs = (str(HERE / f"{name}_server.py") for name in (SNOWFLAKE, WEB, HUBSPOT))
    for pid in processes.strays(("kafka.Kafka", *programs)):
        processes.end(pid)
        stopped.append(str(pid))
    if stopped:
        say(f"stopped {', '.join(stopped)}")


def stats() -> None:
    """Prints what the servers were asked since they were started."""
    missing = [name for name in SERVERS if processes.running(name) is None]
    if missing:
        raise SystemExit(f"sources: {', '.join(missing)} not running: start them with ci/sources/up")
    counted = (
        broker.fetched()
        | {"kafka_high_watermarks": broker.high_watermarks()}
        | (ask("fx") or {})
        | (ask("snowflake") or {})
    )
    counted |= redshift_cluster.counters()
    counted.pop("rows", None)
    crm = publish.hubspot_answers() or {}
    counted |= {"hubspot_requests": sum(crm.get("requests", {}).values()), "hubspot": crm}
    print(json.dumps(counted, sort_keys=True))


def parse() -> argparse.Namespace:
    """Returns the command and its options."""
    parser = argparse.ArgumentParser(prog="ci/sources/", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("up", help="start the servers and load history")
    one.add_argument("--profile", choices=sorted(journey.SIZES), default=os.environ.get("SLUICE_PROFILE", "full"))
    one.add_argument("--fresh", action="store_true", help="start from nothing, whatever was published")
    one = commands.add_parser("advance", help="publish one day")
    one.add_argument("day", choices=places.DAYS)
    commands.add_parser("down", help="stop the servers; what they hold stays for the next up")
    commands.add_parser("stats", help="print what the servers were asked, as JSON")
    commands.add_parser("publish-extra", help="publish what stdin holds, after everything else")
    commands.add_parser("redshift-sql", help="run what stdin holds in PostgreSQL, as its administrator")
    return parser.parse_args()


def main() -> None:
    """Runs one command."""
    args = parse()
    if args.command == "stats":
        stats()
        return
    with alone():
        match args.command:
            case "up":
                up(args.profile, args.fresh)
            case "advance":
                advance(args.day)
            case "down":
                stop_all()
                say("down")
            case "publish-extra":
                events, rows, objects = publish.publish_extra(json.load(sys.stdin))
                say(f"{events} events, {rows} rows and {objects} of HubSpot published beside the batches")
            case "redshift-sql":
                state.EXTRA_EVENTS.touch()
                print(redshift_cluster.run_sql(sys.stdin.read()), end="")


if __name__ == "__main__":
    main()
