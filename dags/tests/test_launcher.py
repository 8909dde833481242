"""The launcher with real processes: small programs take the place of Sluice's, one of them that of `run-pipeline attempt`.

Run by `python -m unittest discover -s dags/tests -p 'test_launcher*.py'`.
"""

import contextlib
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import textwrap
import unittest
import uuid
from pathlib import Path

LAUNCHER = Path(__file__).parents[1] / "jobs" / "launcher.py"
RUN = "6f0e3ef0-4a3e-5c62-9a53-0d1f6a1c0001"

# Does what its arguments after `--` say, after it has noted how it was called.
PROGRAM = """
    import json, os, pathlib, signal, sys, time
    me, argv = pathlib.Path(sys.argv[0]), sys.argv[1:]
    calls = me.parent / "calls"
    before = [json.loads(line) for line in calls.read_text().splitlines()] if calls.exists() else []
    with open(calls, "a") as file:
        file.write(json.dumps([me.name, argv, os.environ.get("LAKE_URI"), os.environ.get("LAKE_CONTRACTS")]) + "\\n")
    what = argv[argv.index("--") + 1:] if "--" in argv else []
    # What each of its calls does; the last of them again and again.
    if what and what[0] == "calls":
        # A program of a turn: the stream beside it must be ready for what is to come.
        while not (me.parent / "stream.pid").exists():
            time.sleep(0.01)
        number = sum(call[0] == me.name and call[1][0] == argv[0] for call in before)
        what = what[1:][min(number, len(what) - 2)].split()
    def after(option):
        return argv[argv.index(option) + 1]
    def told(number, frame):
        print("told of signal", number, flush=True)
        sys.exit(75)
    def ended(number, frame):
        pathlib.Path(after("--summary-to")).write_text(json.dumps({"table": argv[0], "table_version": 99}))
        sys.exit(0)
    if "stream" in what:
        signal.signal(signal.SIGTERM, ended)
        (me.parent / "stream.pid").write_text(str(os.getpid()))
        signal.pause()
    if "wait" in what or "deaf" in what:
        signal.signal(signal.SIGTERM, told if "wait" in what else signal.SIG_IGN)
        signal.signal(signal.SIGINT, told)
        print("waiting", flush=True)
        if "fell" in what:
            os.kill(int((me.parent / "stream.pid").read_text()), signal.SIGKILL)
        signal.pause() if "wait" in what else time.sleep(60)
    if "tell" in what:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        os.kill(os.getppid(), signal.SIGTERM)
    if "kill" in what:
        os.kill(os.getpid(), signal.SIGKILL)
    code = int(next((word for word in what if word.isdigit()), "0"))
    if "--summary-to" in argv and code in (0, 99) and "mute" not in what:
        version = int(next((word[1:] for word in what if word.startswith("v")), "4"))
        given = [argv[at + 1].split("@") for at, word in enumerate(argv) if word == "--input"]
        # Another run may have brought the table further than this one was to go.
        seen = int(next((word[3:] for word in what if word.startswith("saw")), "0"))
        inputs = {table: max(int(number), seen) for table, number in given}
        told = {"table": argv[0], "table_version": version, "inputs": inputs}
        pathlib.Path(after("--summary-to")).write_text(json.dumps(told))
    sys.exit(code)
"""
# Creates the attempt as `run-pipeline attempt` promises to.
RECORDER = """
    import pathlib, sys
    def after(option):
        return sys.argv[sys.argv.index(option) + 1]
    assert sys.argv[1] == "attempt"
    text = pathlib.Path(after("--record")).read_text()
    place = pathlib.Path(after("--lake")) / "ops" / "attempts" / after("--run-id") / (after("--attempt") + ".json")
    if (pathlib.Path(sys.argv[0]).parent / "store-is-down").exists():
        sys.exit(75)
    place.parent.mkdir(parents=True, exist_ok=True)
    try:
        with open(place, "x") as file:
            file.write(text)
    except FileExistsError:
        sys.exit(0 if place.read_text() == text else 2)
"""


def step(program, table=None, *arguments, **more):
    """A step whose program does as the arguments say."""
    return {"program": program, "table": table, "arguments": ["--", *arguments] if arguments else [], **more}


class Launch(unittest.TestCase):
    """A folder with programs and a lake."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.lake, self.programs = self.folder / "lake", self.folder / "sluice" / "bin"
        self.programs.mkdir(parents=True)
        for name in ("ingest-kafka", "dq-check", "silverize", "lineage-emit"):
            self.program(name, PROGRAM)
        self.program("run-pipeline", RECORDER)

    def program(self, name, text):
        path = self.programs / name
        path.write_text(f"#!{sys.executable}\n{textwrap.dedent(text)}")
        path.chmod(0o755)

    def arguments(self, *steps, turn=(), hurry=None, **changes):
        job = {"schema_version": 1, "job": "bronze_kafka", "run_id": RUN, "attempt": 1, "release": "abc", "lake": str(self.lake),
               "window": "2017-12-30", "programs": str(self.programs), **changes}
        # In a hurry: with a time of the launcher set to less.
        code = "import sys; sys.path.insert(0, sys.argv[1]); import launcher, launcher_process; " \
               f"launcher_process.{hurry}; sys.exit(launcher.main(sys.argv[2:]))"
        started = ["-c", code, str(LAUNCHER.parent)] if hurry else [str(LAUNCHER)]
        parts = [sys.executable, *started, "--job", json.dumps(job)]
        for one in steps:
            parts += ["--step", one if isinstance(one, str) else json.dumps(one)]
        for one in turn:
            parts += ["--turn", json.dumps(one)]
        return parts + (["--turn-seconds", "1"] if turn else [])

    def launch(self, *steps, **changes):
        return subprocess.run(self.arguments(*steps, **changes), capture_output=True, text=True, timeout=60, check=False)

    def attempt(self, number=1):
        return json.loads((self.lake / "ops" / "attempts" / RUN / f"{number}.json").read_text())

    def calls(self):
        path = self.programs / "calls"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


class Ends(Launch):
    """How steps end, and what the launcher makes of it."""

    def test_steps_run_in_order_and_hand_their_versions_on(self):
        ran = self.launch(
            step("ingest-kafka", "bronze_kafka_orders", "v7"),
            step("dq-check", "bronze_kafka_orders", "v7", inputs=["bronze_kafka_orders", "silver_orders", "silver_products"]),
            versions={"silver_orders": 3},
        )
        self.assertEqual(ran.returncode, 0, ran.stderr)
        (first, ingest, lake, contracts), (second, check, _, _) = self.calls()
        self.assertEqual((first, second), ("ingest-kafka", "dq-check"))
        self.assertEqual((lake, contracts), (str(self.lake), str(self.programs.parent / "contracts")))
        run_id = str(uuid.uuid5(uuid.UUID(RUN), "ingest-kafka bronze_kafka_orders"))
        self.assertEqual(ingest[:9], ["bronze_kafka_orders", "--window", "2017-12-30", "--lake", str(self.lake), "--contracts",
                                      contracts, "--run-id", run_id])
        self.assertEqual(ingest[9:13], ["--attempt", "1", "--output", "json"])
        self.assertEqual(check[15:19], ["--input", "bronze_kafka_orders@7", "--input", "silver_orders@3"])
        self.assertNotIn("silver_products", " ".join(check))
        left = self.attempt()
        self.assertEqual(left["versions"], {"bronze_kafka_orders": 7, "silver_orders": 3})
        self.assertEqual([one["state"] for one in left["steps"]], ["ok", "ok"])

    def test_the_attempt_says_what_was_run_and_how_it_ended(self):
        self.launch(step("ingest-kafka", "bronze_kafka_orders", "65"), step("dq-check", "bronze_kafka_orders"))
        left = self.attempt()
        same = {key: left[key] for key in ("schema_version", "job", "run_id", "attempt", "release", "window")}
        self.assertEqual(same, {"schema_version": 1, "job": "bronze_kafka", "run_id": RUN, "attempt": 1, "release": "abc",
                                "window": "2017-12-30"})
        why = "`ingest-kafka bronze_kafka_orders` ended with 65"
        self.assertEqual((left["exit"], left["fault"], left["signal"], left["why"]), (65, "data", None, why))
        failed, untouched = left["steps"]
        self.assertEqual((failed["program"], failed["table"], failed["state"]), ("ingest-kafka", "bronze_kafka_orders", "failed"))
        self.assertEqual((failed["exit"], failed["fault"], failed["summary"]), (65, "data", None))
        self.assertLessEqual(left["started_at"], failed["started_at"])
        self.assertLessEqual(failed["ended_at"], left["ended_at"])
        self.assertGreaterEqual(failed["duration_ms"], 0)
        self.assertEqual((untouched["state"], untouched["exit"], untouched["started_at"]), ("not_run", None, None))

    def test_it_stops_at_the_first_step_that_fails_and_ends_as_it_did(self):
        for attempt, (code, fault) in enumerate([(1, "bug"), (2, "config"), (65, "data"), (75, "transient"), (42, "bug")], 1):
            with self.subTest(code=code):
                (self.programs / "calls").unlink(missing_ok=True)
                ran = self.launch(step("ingest-kafka", "bronze_a", str(code)), step("dq-check", "bronze_a"), attempt=attempt)
                self.assertEqual((ran.returncode, [call[0] for call in self.calls()]), (code, ["ingest-kafka"]))
                self.assertEqual((self.attempt(attempt)["exit"], self.attempt(attempt)["fault"]), (code, fault))

    def test_nothing_to_do_stops_without_a_fault(self):
        ran = self.launch(step("ingest-kafka", "bronze_a", "99"), step("dq-check", "bronze_a"))
        left = self.attempt()
        self.assertEqual((ran.returncode, left["exit"], left["fault"], len(self.calls())), (99, 99, None, 1))
        self.assertEqual([one["state"] for one in left["steps"]], ["skipped", "not_run"])

    def test_a_killed_step_is_128_and_the_signal(self):
        ran = self.launch(step("ingest-kafka", "bronze_a", "kill"), step("dq-check", "bronze_a"))
        left = self.attempt()
        self.assertEqual((ran.returncode, left["exit"], left["fault"], left["signal"]), (137, 137, "transient", None))
        self.assertIn("SIGKILL", left["steps"][0]["why"])

    def test_a_step_that_takes_too_long_is_stopped_and_transient(self):
        ran = self.launch(step("ingest-kafka", "bronze_a", "wait", timeout_seconds=1))
        left = self.attempt()
        self.assertEqual((ran.returncode, left["exit"], left["fault"]), (75, 75, "transient"))
        self.assertIn("took longer than 1 s", left["why"])
        self.assertIn("told of signal 15", ran.stdout)

    def test_a_step_that_does_not_listen_is_killed(self):
        parts = self.arguments(step("ingest-kafka", "bronze_a", "deaf", timeout_seconds=1), hurry="GRACE_SECONDS = 0.2")
        ran = subprocess.run(parts, capture_output=True, text=True, timeout=30, check=False)
        self.assertEqual((ran.returncode, self.attempt()["fault"]), (75, "transient"), ran.stderr)

    def test_a_step_that_ends_well_without_a_summary_is_a_bug(self):
        ran = self.launch(step("ingest-kafka", "bronze_a", "mute"), step("dq-check", "bronze_a"))
        self.assertEqual((ran.returncode, self.attempt()["fault"], len(self.calls())), (1, "bug", 1))
        self.assertIn("left no summary", self.attempt()["why"])


class Signals(Launch):
    """What the launcher is told while a step runs."""

    def signalled(self, number, what="wait", hurry=None):
        parts = self.arguments(step("ingest-kafka", "bronze_a", what), step("dq-check", "bronze_a"), hurry=hurry)
        with subprocess.Popen(parts, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                              start_new_session=True) as process:
            try:
                self.assertEqual(process.stdout.readline(), "waiting\n")
                process.send_signal(number)
                rest, _ = process.communicate(timeout=30)
            finally:
                # A step that was not told would wait for ever.
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
        return process.returncode, rest

    def test_signals_are_handed_on_and_no_further_step_starts(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            with self.subTest(signal=number.name):
                code, rest = self.signalled(number)
                self.assertEqual((code, rest), (75, f"told of signal {number.value}\n"))
                left = self.attempt()
                self.assertEqual((left["exit"], left["fault"], left["signal"]), (75, "transient", number.name))
                self.assertEqual([one["state"] for one in left["steps"]], ["failed", "not_run"])
                self.assertEqual([call[0] for call in self.calls()], ["ingest-kafka"])
                (self.programs / "calls").unlink()
                (self.lake / "ops" / "attempts" / RUN / "1.json").unlink()


    def test_the_end_is_told_also_of_a_step_that_does_not_listen(self):
        code, _ = self.signalled(signal.SIGTERM, "deaf", "ENDING_SECONDS = 1")
        left = self.attempt()
        self.assertEqual((code, left["exit"], left["fault"], left["signal"]), (137, 137, "transient", "SIGTERM"))
        self.assertEqual([one["state"] for one in left["steps"]], ["failed", "not_run"])

    def test_a_step_that_does_well_all_the_same_is_the_last_one(self):
        ran = self.launch(step("ingest-kafka", "bronze_a", "tell"), step("dq-check", "bronze_a"))
        left = self.attempt()
        self.assertEqual((ran.returncode, left["exit"], left["fault"], left["signal"]), (143, 143, "transient", "SIGTERM"))
        self.assertEqual([one["state"] for one in left["steps"]], ["ok", "not_run"])
        self.assertIn("SIGTERM came before `dq-check bronze_a`", left["why"])


class Refusals(Launch):
    """What is not run at all."""

    def test_a_program_that_is_not_known_is_refused_and_said_so_in_the_lake(self):
        for attempt, program in enumerate(["bash", "../dq-check", "/bin/sh", "", "all-clis"], 1):
            with self.subTest(program=program):
                ran = self.launch(step("dq-check", "bronze_a"), step(program, "bronze_a"), attempt=attempt)
                self.assertEqual((ran.returncode, self.calls()), (2, []))
                left = self.attempt(attempt)
                self.assertEqual((left["exit"], left["fault"]), (2, "config"))
                self.assertIn("`program` must be one of catalog-sync, dq-check", left["why"])

    def test_a_program_that_is_not_there_is_missed_before_anything_is_run(self):
        (self.programs / "silverize").unlink()
        ran = self.launch(step("ingest-kafka", "bronze_a"), step("silverize", "silver_a"))
        self.assertEqual((ran.returncode, self.calls()), (2, []))
        self.assertIn(f"{self.programs} has no silverize", self.attempt()["why"])

    def test_without_the_recorder_nothing_is_run_and_nothing_left(self):
        (self.programs / "run-pipeline").unlink()
        ran = self.launch(step("ingest-kafka", "bronze_a"))
        self.assertEqual((ran.returncode, self.calls(), self.lake.exists()), (2, [], False))
        self.assertIn("has no run-pipeline", ran.stderr)

    def test_a_description_with_a_mistake_is_refused(self):
        good = step("dq-check", "bronze_a")
        for changes, steps, said in [
            ({"attempt": 0}, [good], "`attempt` must be a whole number from 1"),
            ({"attempt": True}, [good], "`attempt` must be a whole number from 1"),
            ({"run_id": "one"}, [good], "`run_id` must be a UUID"),
            ({"schema_version": 2}, [good], "`schema_version` must be 1"),
            ({"lake": None}, [good], "`lake` must be a text"),
            ({"versions": {"silver_a": "3"}}, [good], "`versions` must be tables with their versions"),
            ({"tables": []}, [good], "unknown key `tables`"),
            ({}, [{**good, "table": "--version"}], "`table` must be the name of a table"),
            ({}, [{**good, "inputs": ["--lake"]}], "`inputs` must be a list of names of tables"),
            ({}, [{**good, "arguments": "-v"}], "`arguments` must be a list of texts"),
            ({}, [{**good, "timeout_seconds": 0}], "`timeout_seconds` must be a whole number"),
            ({}, ["[]"], "is no JSON object"),
            ({}, ["{"], "is no JSON"),
        ]:
            with self.subTest(said=said):
                ran = self.launch(*steps, **changes)
                self.assertEqual((ran.returncode, self.calls()), (2, []), ran.stderr)
                self.assertIn(said, ran.stderr)

    def test_arguments_are_handed_on_as_they_are(self):
        words = ["$(touch owned)", "; touch owned", "`touch owned`", "a b", "", "*", "--x=|| true", "é\n"]
        ran = self.launch(step("lineage-emit", None, *words))
        self.assertEqual((ran.returncode, self.calls()[0][1]), (0, ["--", *words]), ran.stderr)
        self.assertFalse(any("owned" in name for _, _, files in os.walk(self.folder) for name in files))

    def test_a_program_without_its_bit_is_run_all_the_same(self):
        program = self.programs / "dq-check"
        program.chmod(stat.S_IRUSR | stat.S_IWUSR)
        self.assertEqual(self.launch(step("dq-check", "bronze_a")).returncode, 0)
        self.assertTrue(program.stat().st_mode & stat.S_IXUSR)


    def test_the_snowflake_driver_of_the_archive_is_found(self):
        self.program("ingest-snowflake", """
            import os, pathlib, sys
            print("driver", os.environ.get("SNOWFLAKE_DRIVER"))
            pathlib.Path(sys.argv[sys.argv.index("--summary-to") + 1]).write_text("{}")
        """)
        driver = self.programs.parent / "lib" / "libadbc_driver_snowflake.so"
        one = step("ingest-snowflake", "bronze_snowflake_orders")
        without = {name: value for name, value in os.environ.items() if name != "SNOWFLAKE_DRIVER"}

        def told(**more):
            ran = subprocess.run(self.arguments(one), env=without | more, capture_output=True, text=True, timeout=60, check=False)
            return ran.stdout.splitlines()[0]

        self.assertEqual(told(), "driver None")
        driver.parent.mkdir()
        driver.touch()
        self.assertEqual(told(), f"driver {driver}")
        self.assertEqual(told(SNOWFLAKE_DRIVER="/elsewhere.so"), "driver /elsewhere.so")


class Attempts(Launch):
    """What is left in the lake when more than one tells of an attempt, or none can."""

    def test_a_second_copy_of_an_attempt_leaves_the_first_ones_word(self):
        self.assertEqual(self.launch(step("dq-check", "bronze_a", "v1")).returncode, 0)
        first = self.attempt()
        ran = self.launch(step("dq-check", "bronze_a", "v2"))
        self.assertEqual((ran.returncode, self.attempt()), (2, first))
        self.assertIn("could not be left", ran.stderr)
        self.assertEqual(self.launch(step("dq-check", "bronze_a", "v2"), attempt=2).returncode, 0)
        self.assertEqual(self.attempt(2)["versions"], {"bronze_a": 2})

    def test_what_did_well_but_could_not_be_told_is_tried_again(self):
        (self.programs / "store-is-down").touch()
        self.assertEqual(self.launch(step("dq-check", "bronze_a")).returncode, 75)
        self.assertEqual(self.launch(step("dq-check", "bronze_a", "65")).returncode, 65)

    def test_programs_and_parts_are_found_in_the_unpacked_archive(self):
        (self.folder / "environment").symlink_to(self.programs.parent)
        shutil.copytree(LAUNCHER.parent, self.programs.parent / "jobs")
        # The service fetches the entry point alone.
        entry = shutil.copy(LAUNCHER, self.folder / "fetched.py")
        parts = self.arguments(step("dq-check", "bronze_a"), programs=None)
        parts[1] = str(entry)
        ran = subprocess.run(parts, cwd=self.folder, capture_output=True, text=True, timeout=30, check=False)
        self.assertEqual(ran.returncode, 0, ran.stderr)
        self.assertEqual(self.calls()[0][3], str(self.folder / "environment" / "contracts"))

    def test_a_step_without_a_table_is_told_the_window_where_its_arguments_ask_for_it(self):
        one = {"program": "lineage-emit", "arguments": ["ledger", "--window", "{window}", "a {window}"]}
        shown = subprocess.run([*self.arguments(one), "--show"], capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(json.loads(shown.stdout), ["lineage-emit", "ledger", "--window", "2017-12-30", "a {window}"])

    def test_what_is_shown_is_what_would_be_started(self):
        ran = self.launch(step("dq-check", "bronze_a", inputs=["bronze_a"]), versions={"bronze_a": 5})
        shown = subprocess.run([*self.arguments(step("dq-check", "bronze_a", inputs=["bronze_a"]), versions={"bronze_a": 5},
                                contracts=str(self.programs.parent / "contracts")), "--show"],
                               capture_output=True, text=True, timeout=30, check=False)
        self.assertEqual((ran.returncode, shown.returncode), (0, 0))
        name, arguments, _, _ = self.calls()[0]
        arguments[arguments.index("--summary-to") + 1] = "summary-1.json"
        self.assertEqual([json.loads(line) for line in shown.stdout.splitlines()], [[name, *arguments]])
        self.assertEqual(len(self.calls()), 1)


if __name__ == "__main__":
    unittest.main()
