"""The launcher's turns with real processes: what goes on beside a step that is kept alive, and how each ends the other."""

import json
import signal
import subprocess
import sys
import unittest
import uuid
from datetime import datetime, timezone

from test_launcher import LAUNCHER, RUN, Launch, step

sys.path.insert(0, str(LAUNCHER.parent))

import launcher_order  # noqa: E402
import launcher_turns  # noqa: E402

BRONZE, SILVER = "bronze_kafka_orders", "silver_orders"
# As the launcher, with other limits: a test has no minute to wait.
PATCHED = "import sys; sys.path.insert(0, sys.argv[1]); import launcher, launcher_turns; launcher_turns.SETTLE_SECONDS = 0.2; " \
          "launcher_turns.TRIES_MAX = 3; {more}; sys.exit(launcher.main(sys.argv[2:]))"


def turn(*, check, build=("v10",), gate=("v1",), gate_every=None):
    """The steps of a turn: what each call of them does."""
    return [
        step("dq-check", BRONZE, "calls", *check, inputs=[BRONZE]),
        step("silverize", SILVER, "calls", *build, inputs=[BRONZE, "bronze_snowflake_orders"]),
        step("dq-check", SILVER, "calls", *gate, inputs=[SILVER, "silver_customers"], every_seconds=gate_every),
    ]


class Turns(Launch):
    """A stream, and turns beside it. Whatever tells the launcher to end is a program of a turn."""

    def stream(self, turns, stream="stream", more="pass", **changes):
        (self.programs / "stream.pid").unlink(missing_ok=True)
        code = PATCHED.format(more=more)
        parts = self.arguments(step("ingest-kafka", BRONZE, stream), turn=turns, **changes)[2:]
        return subprocess.run([sys.executable, "-c", code, str(LAUNCHER.parent), *parts], capture_output=True, text=True,
                              timeout=60, check=False)

    def calls_of(self, program, table):
        return [call[1] for call in self.calls() if call[0] == program and call[1][0] == table]

    @staticmethod
    def after(argv, option):
        return argv[argv.index(option) + 1]

    def test_turns_are_taken_again_and_again_and_hand_their_versions_on(self):
        ran = self.stream(turn(check=["v1", "v2", "v3 tell"], build=["v10", "v11"], gate=["v10", "v11"]))
        left = self.attempt()
        self.assertEqual((ran.returncode, left["exit"], left["signal"]), (0, 0, "SIGTERM"), ran.stderr)
        self.assertEqual([one["state"] for one in left["steps"]], ["ok"])
        inputs = [[word for word in argv if "@" in word] for argv in self.calls_of("silverize", SILVER)]
        self.assertEqual(inputs, [[f"{BRONZE}@1"], [f"{BRONZE}@2"]])
        inputs = [[word for word in argv if "@" in word] for argv in self.calls_of("dq-check", SILVER)]
        self.assertEqual(inputs, [[f"{SILVER}@10"], [f"{SILVER}@11"]])
        # The newest of the stream is its own, not what a turn has judged.
        self.assertEqual(left["versions"], {BRONZE: 99, SILVER: 11})

    def test_the_attempt_holds_the_last_run_of_each_step_and_counts(self):
        self.stream(turn(check=["v1", "v2", "v3", "v4 tell"], build=["v10", "v11", "v12"], gate=["v10", "v11", "v12"]))
        told = self.attempt()["turns"]
        self.assertEqual({key: told[key] for key in ("every_seconds", "taken", "interrupted")},
                         {"every_seconds": 1, "taken": 3, "interrupted": 0})
        self.assertEqual([(one["program"], one["turn"], one["runs"]) for one in told["steps"]],
                         [("dq-check", 4, 4), ("silverize", 3, 3), ("dq-check", 3, 3)])
        last = self.calls_of("silverize", SILVER)[-1]
        self.assertEqual(told["steps"][1]["run_id"], self.after(last, "--run-id"))
        self.assertEqual(told["steps"][1]["summary"]["table_version"], 12)

    def test_each_turn_has_runs_of_its_own_and_so_has_each_attempt_of_the_job(self):
        for attempt in (1, 2):
            self.stream(turn(check=["v1", "v2 tell"], build=["v10"]), attempt=attempt)
            (self.programs / "calls").rename(self.programs / f"calls-{attempt}")
        calls = [json.loads(line) for attempt in (1, 2) for line in (self.programs / f"calls-{attempt}").read_text().splitlines()]
        checks = [call[1] for call in calls if call[0] == "dq-check" and call[1][0] == BRONZE]
        self.assertEqual([self.after(argv, "--attempt") for argv in checks], ["1"] * 4)
        wanted = [str(uuid.uuid5(uuid.UUID(RUN), f"dq-check {BRONZE} attempt {attempt} turn {number}"))
                  for attempt in (1, 2) for number in (1, 2)]
        self.assertEqual([self.after(argv, "--run-id") for argv in checks], wanted)
        self.assertEqual(len({self.after(call[1], "--run-id") for call in calls if call[0] != "ingest-kafka"}), 8)

    def test_a_turn_without_news_is_one_process(self):
        ran = self.stream(turn(check=["v1", "v1", "v1", "tell"]))
        self.assertEqual((ran.returncode, len(self.calls_of("dq-check", BRONZE))), (0, 4))
        self.assertEqual((len(self.calls_of("silverize", SILVER)), len(self.calls_of("dq-check", SILVER))), (1, 1))
        self.assertEqual(self.attempt()["turns"]["taken"], 3)

    def test_nothing_to_do_ends_a_turn_and_is_no_failure(self):
        ran = self.stream(turn(check=["99", "99", "tell"]))
        self.assertEqual((ran.returncode, self.calls_of("silverize", SILVER)), (0, []))
        self.assertEqual((self.attempt()["turns"]["taken"], self.attempt()["turns"]["interrupted"]), (2, 0))

    def test_a_gate_that_reads_all_rows_is_left_out_of_most_turns(self):
        self.stream(turn(check=["v1", "v2", "v3", "tell"], build=["v10", "v11", "v12"], gate=["v10"], gate_every=900))
        self.assertEqual((len(self.calls_of("silverize", SILVER)), len(self.calls_of("dq-check", SILVER))), (3, 1))
        self.assertEqual(self.attempt()["versions"][SILVER], 12)

    def test_what_was_interrupted_is_tried_again_as_another_attempt_of_the_same_run(self):
        ran = self.stream(turn(check=["v1", "v2", "v3", "v4", "tell"], build=["75", "kill", "v10", "v11"]))
        self.assertEqual(ran.returncode, 0, ran.stderr)
        builds = self.calls_of("silverize", SILVER)
        self.assertEqual([self.after(argv, "--attempt") for argv in builds], ["1", "2", "3", "1"])
        ids = [self.after(argv, "--run-id") for argv in builds]
        self.assertEqual((len(set(ids[:3])), ids[3] in ids[:3]), (1, False))
        self.assertEqual((self.attempt()["turns"]["taken"], self.attempt()["turns"]["interrupted"]), (2, 2))

    def test_interrupted_too_often_in_a_row_it_is_for_the_scheduler_to_try(self):
        ran = self.stream(turn(check=["v1"], build=["75"]))
        left = self.attempt()
        self.assertEqual((ran.returncode, left["exit"], left["fault"], left["signal"]), (75, 75, "transient", None))
        self.assertIn("3 tries of a turn in a row", left["why"])
        self.assertEqual((left["steps"][0]["exit"], len(self.calls_of("silverize", SILVER))), (0, 3))

    def test_a_failure_that_a_person_must_look_at_ends_the_job_and_the_stream(self):
        for attempt, (code, fault) in enumerate([(65, "data"), (2, "config"), (1, "bug"), (42, "bug")], 1):
            with self.subTest(code=code):
                ran = self.stream(turn(check=["v1"], build=[str(code)]), attempt=attempt)
                left = self.attempt(attempt)
                self.assertEqual((ran.returncode, left["exit"], left["fault"]), (code, code, fault))
                self.assertEqual(left["why"], f"`silverize {SILVER}` ended with {code}")
                self.assertEqual((left["steps"][0]["exit"], left["steps"][0]["summary"]["table_version"]), (0, 99))
                self.assertEqual(len(self.calls_of("silverize", SILVER)), 1)
                (self.programs / "calls").unlink()

    def test_a_stream_that_dies_ends_the_turn_under_way(self):
        ran = self.stream(turn(check=["v1"], build=["fell wait"]))
        left = self.attempt()
        self.assertEqual((ran.returncode, left["exit"], left["fault"]), (137, 137, "transient"), ran.stderr)
        self.assertIn("told of signal 15", ran.stdout)
        self.assertEqual((left["turns"]["taken"], left["turns"]["interrupted"]), (0, 0))

    def test_a_signal_reaches_the_stream_and_the_turn(self):
        parts = self.arguments(step("ingest-kafka", BRONZE, "stream"), turn=turn(check=["wait"]))[2:]
        command = [sys.executable, "-c", PATCHED.format(more="pass"), str(LAUNCHER.parent), *parts]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
            self.assertEqual(process.stdout.readline(), "waiting\n")
            process.send_signal(signal.SIGTERM)
            rest, _ = process.communicate(timeout=30)
        left = self.attempt()
        self.assertEqual((process.returncode, left["exit"], left["signal"]), (0, 0, "SIGTERM"))
        self.assertIn("told of signal 15", rest)
        self.assertEqual((left["steps"][0]["state"], left["turns"]["interrupted"]), ("ok", 0))

    def test_turns_that_break_do_not_leave_a_stream_without_them(self):
        more = "real = launcher_turns.Turns._turn; launcher_turns.Turns._turn = lambda self: real(self) and 1 / 0"
        ran = self.stream(turn(check=["v1"]), more=more)
        left = self.attempt()
        self.assertEqual((ran.returncode, left["fault"], left["steps"][0]["exit"]), (1, "bug", 0), ran.stderr)
        self.assertIn("ZeroDivisionError", left["why"])

    def test_a_stream_that_cannot_start_has_no_turns(self):
        (self.programs / "ingest-kafka").write_text("#!/nonexistent/interpreter\n")
        ran = self.stream(turn(check=["v1"]))
        self.assertEqual((ran.returncode, self.calls()), (2, []), ran.stderr)

    def test_turns_that_are_described_wrongly_are_refused(self):
        good = step("dq-check", BRONZE)
        for changes, said in [({"table": None}, "`table` must be the name of a table"),
                              ({"every_seconds": 0}, "`every_seconds` must be a whole number"),
                              ({"program": "sh"}, "`program` must be one of")]:
            with self.subTest(said=said):
                ran = self.launch(step("ingest-kafka", BRONZE), turn=[{**good, **changes}])
                self.assertEqual((ran.returncode, self.calls()), (2, []))
                self.assertIn(said, ran.stderr)
        for more in (["--turn-seconds", "0", "--turn", json.dumps(good)], ["--turn-seconds", "5"], ["--turn", json.dumps(good)]):
            with self.subTest(more=more):
                ran = subprocess.run([*self.arguments(step("ingest-kafka", BRONZE)), *more], capture_output=True, text=True,
                                     timeout=30, check=False)
                self.assertEqual((ran.returncode, self.calls()), (2, []))
                self.assertIn("--turn and --turn-seconds", ran.stderr)


class Siblings(Launch):
    """A job whose tables a stream's turns bring further while it runs."""

    def build(self, *items, orders=("v20 saw7",)):
        (self.programs / "stream.pid").touch()
        of = {"inputs": [BRONZE], "work": "build"}
        return self.launch(
            step("silverize", "silver_order_items", "calls", *items, **of),
            step("silverize", SILVER, "calls", *orders, **of),
            step("dq-check", "silver_order_items", "v11", inputs=["silver_order_items", SILVER], work="check"),
            versions={BRONZE: 5},
        )

    def inputs(self, program, table):
        return [[word for word in argv if "@" in word] for name, argv, _, _ in self.calls() if name == program and argv[0] == table]

    def test_tables_that_read_the_same_are_brought_together_before_their_gates(self):
        ran = self.build("v10", "v11 saw7")
        self.assertEqual(ran.returncode, 0, ran.stderr)
        self.assertEqual(self.inputs("silverize", "silver_order_items"), [[f"{BRONZE}@5"], [f"{BRONZE}@7"]])
        self.assertEqual(self.inputs("silverize", SILVER), [[f"{BRONZE}@5"]])
        self.assertEqual(self.inputs("dq-check", "silver_order_items"), [["silver_order_items@11", f"{SILVER}@20"]])
        self.assertEqual(self.attempt()["versions"], {BRONZE: 5, "silver_order_items": 11, SILVER: 20})

    def test_nothing_is_built_twice_where_tables_belong_together(self):
        self.assertEqual(self.build("v10", orders=("v20",)).returncode, 0)
        self.assertEqual(len(self.calls()), 3)

    def test_tables_that_never_come_together_are_for_the_next_attempt(self):
        # Each round one of them is a step further than the other.
        items, orders = ([f"v{n} saw{first + 2 * n}" for n in range(20)] for first in (6, 7))
        ran = self.build(*items, orders=orders)
        left = self.attempt()
        self.assertEqual((ran.returncode, left["fault"], left["steps"][2]["state"]), (75, "transient", "not_run"))
        self.assertIn("do not come together", left["why"])

    def test_a_table_that_goes_on_behind_its_gate_is_judged_again(self):
        (self.programs / "stream.pid").touch()
        of = {"inputs": [BRONZE], "work": "build"}
        steps = (
            step("silverize", "silver_a", "calls", "v10", "v11 saw7", **of),
            step("dq-check", "silver_a", "calls", "v10", "{}", inputs=["silver_a"], work="check"),
            step("silverize", "silver_b", "calls", "v20 saw7", **of),
            step("dq-check", "silver_b", inputs=["silver_b"], work="check"),
        )
        for second, ends in (("v11", 0), ("65", 65)):
            (self.programs / "calls").unlink(missing_ok=True)
            told = [{**one, "arguments": [second if word == "{}" else word for word in one["arguments"]]} for one in steps]
            ran = self.launch(*told, versions={BRONZE: 5}, attempt=1 + ends)
            self.assertEqual(ran.returncode, ends, ran.stderr)
            self.assertEqual(self.inputs("dq-check", "silver_a"), [["silver_a@10"], ["silver_a@11"]])

    def test_nothing_is_brought_together_after_a_signal(self):
        ran = self.build("v10", "v11 saw7", orders=("v20 saw7 tell",))
        left = self.attempt()
        self.assertEqual((ran.returncode, left["signal"], len(self.calls())), (143, "SIGTERM", 2), ran.stderr)
        self.assertEqual([one["state"] for one in left["steps"]], ["ok", "ok", "not_run"])

    def test_a_table_that_cannot_go_on_ends_the_job(self):
        ran = self.build("v10", "65")
        left = self.attempt()
        self.assertEqual((ran.returncode, left["steps"][0]["state"], left["steps"][2]["state"]), (65, "failed", "not_run"))


class Instants(unittest.TestCase):
    """When turns begin, and which window they are for."""

    def test_a_turn_begins_at_an_interval_or_at_once(self):
        self.assertEqual([launcher_turns.rest_after(took, 20) for took in (0, 15, 20, 25)], [20, 5, 0, 0])

    def test_the_window_of_a_turn_is_the_one_that_holds_it(self):
        for window, day, hour, wanted in [
            ("2026-11-29", 29, 23, "2026-11-29"),
            ("2026-11-29", 30, 0, "2026-11-30"),
            ("2026-11-28", 30, 12, "2026-11-30"),
            ("2026-11-30", 29, 12, "2026-11-30"),
            ("2026-11-29T00:00:00Z/2026-11-29T06:00:00Z", 29, 13, "2026-11-29T12:00:00Z/2026-11-29T18:00:00Z"),
            ("yesterday", 29, 13, "yesterday"),
        ]:
            with self.subTest(window=window, day=day, hour=hour):
                at = datetime(2026, 11, day, hour, tzinfo=timezone.utc)
                self.assertEqual(launcher_order.window_at(window, at), wanted)


if __name__ == "__main__":
    unittest.main()
