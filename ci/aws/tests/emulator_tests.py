"""The emulator, asked by boto3: it promises what the service's API model and guide say, and what the drills rely on."""

from __future__ import annotations

import os
import signal
import tarfile
import textwrap
import time
import unittest
from pathlib import Path

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

import emr_faults
from emr_faults import Fault
from tests.world import World

ROLE = "arn:aws:iam::123456789012:role/jobs"
ENDED = ("SUCCESS", "FAILED", "CANCELLED")

# A stand-in for the launcher: does what its first argument says.
DRIVER = """
import os, signal, subprocess, sys, time
what, *rest = sys.argv[1:]
if what == "exit":
    sys.exit(int(rest[0]))
if what == "once":
    marker = rest[0]
    if os.path.exists(marker):
        sys.exit(0)
    open(marker, "w").close()
    sys.exit(75)
if what == "show":
    print(os.environ.get(rest[0], "unset"), open(rest[1]).read() if len(rest) > 1 else "")
if what == "polite":
    signal.signal(signal.SIGTERM, lambda *_: (open(rest[0], "w").close(), sys.exit(143)))
    print("ready", flush=True)
    signal.pause()
if what == "deaf":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    subprocess.run(["sleep", "600"])
if what == "apart":
    subprocess.Popen(["sleep", "600"], start_new_session=True)
    print("ready", flush=True)
    signal.pause()
if what == "program":
    sys.exit(128 - subprocess.run(["sleep", "600"]).returncode)
if what == "foreign":
    import boto3
"""


class Emulator(unittest.TestCase):
    """One server for all; each test has an application of its own."""

    world: World

    @classmethod
    def setUpClass(cls) -> None:
        cls.world = World()
        cls.entry = cls.world.home / "driver.py"
        cls.entry.write_text(textwrap.dedent(DRIVER))
        cls.emr = boto3.client("emr-serverless", **cls.world.access, config=Config(retries={"max_attempts": 1}))
        cls.addClassCleanup(cls.world.stop)

    def setUp(self) -> None:
        emr_faults.clear(self.world.faults)
        self.application = self.create()

    def create(self, **more: object) -> str:
        """Makes an application and returns its id."""
        made = self.emr.create_application(
            name="lake", releaseLabel="emr-spark-8.0.0", type="SPARK", clientToken=os.urandom(8).hex(), **more
        )
        return made["applicationId"]

    def start(self, *arguments: str, token: str = "", application: str = "", parameters: str = "", **more: object) -> str:
        """Starts a job and returns its id."""
        submit = {"entryPoint": str(self.entry), "entryPointArguments": list(arguments), "sparkSubmitParameters": parameters}
        if not parameters:
            del submit["sparkSubmitParameters"]
        return self.emr.start_job_run(
            applicationId=application or self.application, clientToken=token or os.urandom(8).hex(), executionRoleArn=ROLE,
            jobDriver={"sparkSubmit": submit}, **more,
        )["jobRunId"]  # fmt: skip

    def job(self, job: str, **more: object) -> dict:
        """Returns what the service says of a job."""
        return self.emr.get_job_run(applicationId=self.application, jobRunId=job, **more)["jobRun"]

    def until(self, job: str, *states: str, seconds: float = 20) -> dict:
        """Waits until a job is in one of the states."""
        give_up_at = time.monotonic() + seconds
        while (found := self.job(job))["state"] not in states:
            self.assertLess(time.monotonic(), give_up_at, f"{found['state']} instead of {states}")
            time.sleep(0.05)
        return found

    def end(self, job: str) -> dict:
        """Waits for the end."""
        return self.until(job, *ENDED)

    def output(self, job: str, attempt: int = 1, stream: str = "stdout") -> str:
        """Returns what a driver printed."""
        return (self.world.jobs / job / str(attempt) / stream).read_text()

    def wait_for(self, file: Path) -> None:
        """Waits until a file is there."""
        give_up_at = time.monotonic() + 20
        while not file.exists():
            self.assertLess(time.monotonic(), give_up_at, f"no {file}")
            time.sleep(0.05)

    def refused(self, code: str, call: object, *arguments: object, **named: object) -> str:
        """Asserts that a call is refused with a code; returns the message."""
        with self.assertRaises(ClientError) as caught:
            call(*arguments, **named)
        self.assertEqual(caught.exception.response["Error"]["Code"], code)
        return caught.exception.response["Error"]["Message"]

    def test_the_exit_code_of_the_driver_decides(self) -> None:
        self.assertEqual(self.end(self.start("exit", "0"))["state"], "SUCCESS")
        failed = self.end(self.start("exit", "65"))
        self.assertEqual(failed["state"], "FAILED")
        self.assertIn("ExitCode: 65", failed["stateDetails"])

    def test_a_client_token_starts_one_job(self) -> None:
        first = self.start("exit", "0", token="day-1.try-1")
        self.assertEqual(self.start("exit", "0", token="day-1.try-1"), first)
        self.end(first)
        self.assertEqual(self.start("exit", "0", token="day-1.try-1"), first)
        self.assertNotEqual(self.start("exit", "0", token="day-1.try-2"), first)
        self.refused("ConflictException", self.start, "exit", "1", token="day-1.try-1")
        self.refused("ValidationException", self.start, "exit", "0", token="scheduled__2026-01-01T00:00:00+00:00")

    def test_a_failed_attempt_is_tried_again_and_listed(self) -> None:
        marker = self.world.home / os.urandom(8).hex()
        job = self.start("once", str(marker), retryPolicy={"maxAttempts": 3})
        self.assertEqual(self.end(job)["attempt"], 2)
        listed = self.emr.list_job_run_attempts(applicationId=self.application, jobRunId=job)["jobRunAttempts"]
        self.assertEqual([(one["attempt"], one["state"]) for one in listed], [(1, "FAILED"), (2, "SUCCESS")])
        self.assertEqual(self.job(job, attempt=1)["state"], "FAILED")
        self.refused("ResourceNotFoundException", self.job, job, attempt=3)

    def test_without_a_policy_nothing_is_tried_again(self) -> None:
        self.assertEqual(self.end(self.start("exit", "75"))["attempt"], 1)

    def test_a_cancelled_driver_may_end_by_itself(self) -> None:
        marker = self.world.home / os.urandom(8).hex()
        job = self.start("polite", str(marker))
        self.until(job, "RUNNING")
        self.wait_ready(job)
        self.emr.cancel_job_run(applicationId=self.application, jobRunId=job)
        self.assertIn(self.job(job)["state"], ("CANCELLING", "CANCELLED"))
        self.assertEqual(self.end(job)["state"], "CANCELLED")
        self.assertTrue(marker.exists())

    def wait_ready(self, job: str) -> None:
        """Waits until a driver says that it is ready."""
        give_up_at = time.monotonic() + 20
        while "ready" not in self.output(job):
            self.assertLess(time.monotonic(), give_up_at)
            time.sleep(0.05)

    def test_a_driver_that_does_not_listen_is_ended_with_its_children(self) -> None:
        job = self.start("deaf")
        self.until(job, "RUNNING")
        self.emr.cancel_job_run(applicationId=self.application, jobRunId=job)
        self.assertEqual(self.end(job)["state"], "CANCELLED")
        self.assertEqual(self.world.processes_of(job), [])

    def test_a_session_of_its_own_does_not_outlive_the_job(self) -> None:
        job = self.start("apart")
        self.until(job, "RUNNING")
        self.wait_ready(job)
        self.emr.cancel_job_run(applicationId=self.application, jobRunId=job)
        self.end(job)
        left = self.world.processes_of(job)
        for pid in left:
            os.kill(pid, signal.SIGKILL)
        self.assertEqual(left, [])

    def test_what_has_ended_is_not_cancelled(self) -> None:
        job = self.start("exit", "0")
        self.end(job)
        said = self.refused(
            "ValidationException", self.emr.cancel_job_run, applicationId=self.application, jobRunId=job
        )
        self.assertIn("not in a cancellable state", said)
        self.assertEqual(self.job(job)["state"], "SUCCESS")
        self.refused("ResourceNotFoundException", self.job, "0000000000000000")

    def test_a_job_out_of_time_is_cancelled(self) -> None:
        job = self.start("deaf", executionTimeoutMinutes=5)
        found = self.end(job)
        self.assertEqual(found["state"], "CANCELLED")
        self.assertIn("5 minutes", found["stateDetails"])
        self.refused("ValidationException", self.start, "exit", "0", executionTimeoutMinutes=1)

    def test_jobs_beyond_the_limit_queue(self) -> None:
        self.application = self.create(schedulerConfiguration={"maxConcurrentRuns": 1})
        first, second = self.start("deaf"), self.start("exit", "0")
        self.until(first, "RUNNING")
        self.until(second, "QUEUED")
        self.emr.cancel_job_run(applicationId=self.application, jobRunId=first)
        self.assertEqual(self.end(second)["state"], "SUCCESS")

    def test_a_job_that_is_cancelled_in_the_queue_leaves_its_length_alone(self) -> None:
        self.application = self.create(schedulerConfiguration={"maxConcurrentRuns": 1})
        first, second = self.start("deaf"), self.start("exit", "0")
        self.until(first, "RUNNING")
        self.until(second, "QUEUED")
        self.emr.cancel_job_run(applicationId=self.application, jobRunId=second)
        self.assertEqual(self.end(second)["state"], "CANCELLED")
        third = self.start("exit", "0")
        self.until(third, "QUEUED")
        self.emr.cancel_job_run(applicationId=self.application, jobRunId=first)
        self.assertEqual((self.end(first)["state"], self.end(third)["state"]), ("CANCELLED", "SUCCESS"))

    def test_a_driver_gets_the_environment_of_application_and_job_and_no_other(self) -> None:
        name = "spark.emr-serverless.driverEnv"
        self.application = self.create(
            runtimeConfiguration=[{"classification": "spark-defaults", "properties": {f"{name}.LAKE": "app", f"{name}.OWN": "app"}}]
        )
        overrides = {"applicationConfiguration": [{"classification": "spark-defaults", "properties": {f"{name}.LAKE": "job"}}]}
        for variable, parameters, wanted in (
            ("OWN", "", "app"), ("LAKE", "", "job"), ("LAKE", f"--conf {name}.LAKE=submit --conf a=b", "submit"),
            ("SLUICE_HOME", "", "unset"),
        ):  # fmt: skip
            job = self.start("show", variable, parameters=parameters, configurationOverrides=overrides)
            self.end(job)
            self.assertEqual(self.output(job).strip(), wanted)

    def test_archives_lie_unpacked_beside_the_driver(self) -> None:
        inside = self.world.home / "note"
        inside.write_text("from the archive")
        archive = self.world.home / "release.tar.gz"
        with tarfile.open(archive, "w:gz") as made:
            made.add(inside, "bin/note")
        s3 = boto3.client("s3", **self.world.access)
        s3.create_bucket(Bucket="art")
        s3.upload_file(str(archive), "art", "1/release.tar.gz")
        s3.upload_file(str(self.entry), "art", "1/driver.py")
        submit = {
            "entryPoint": "s3://art/1/driver.py", "entryPointArguments": ["show", "HOME", "environment/bin/note"],
            "sparkSubmitParameters": "--conf spark.archives=s3://art/1/release.tar.gz#environment",
        }  # fmt: skip
        job = self.emr.start_job_run(
            applicationId=self.application, clientToken=os.urandom(8).hex(), executionRoleArn=ROLE,
            jobDriver={"sparkSubmit": submit},
        )["jobRunId"]  # fmt: skip
        self.assertEqual(self.end(job)["state"], "SUCCESS", self.output(job, stream="stderr"))
        self.assertIn("from the archive", self.output(job))

    def test_what_cannot_be_fetched_fails_the_job(self) -> None:
        self.entry, kept = Path("/nowhere/launcher.py"), self.entry
        try:
            found = self.end(self.start("exit", "0"))
        finally:
            self.entry = kept
        self.assertEqual(found["state"], "FAILED")
        self.assertIn("/nowhere/launcher.py", found["stateDetails"])

    def test_what_the_system_cannot_start_fails_the_job(self) -> None:
        found = self.end(self.start("exit", "0" * 200_000))
        self.assertEqual(found["state"], "FAILED")
        self.assertIn("could not be started", found["stateDetails"])

    def test_a_driver_sees_the_standard_library_alone(self) -> None:
        job = self.start("foreign")
        self.assertEqual(self.end(job)["state"], "FAILED")
        self.assertIn("No module named 'boto3'", self.output(job, stream="stderr"))

    def test_a_lost_job_is_failed_and_nothing_of_it_runs(self) -> None:
        emr_faults.plant(self.world.faults, Fault(emr_faults.LOST, job="silver"))
        other = self.start("exit", "0", name="bronze")
        job = self.start("deaf", name="silver-orders")
        self.assertEqual(self.end(other)["state"], "SUCCESS")
        self.assertEqual(self.end(job)["state"], "FAILED")
        self.assertEqual(self.world.processes_of(job), [])
        self.assertEqual(emr_faults.planted(self.world.faults), [])

    def test_an_orphan_works_on_while_its_job_is_failed(self) -> None:
        emr_faults.plant(self.world.faults, Fault(emr_faults.ORPHANED))
        job = self.start("deaf")
        self.assertEqual(self.end(job)["state"], "FAILED")
        left = self.world.processes_of(job)
        self.assertNotEqual(left, [])
        for pid in left:
            os.kill(pid, signal.SIGKILL)

    def test_a_killed_program_is_the_drivers_to_report(self) -> None:
        emr_faults.plant(self.world.faults, Fault(emr_faults.PROGRAM_KILLED))
        found = self.end(self.start("program"))
        self.assertIn("ExitCode: 137", found["stateDetails"])

    def test_a_job_that_never_starts_waits_until_it_is_cancelled(self) -> None:
        emr_faults.plant(self.world.faults, Fault(emr_faults.NEVER_STARTING))
        job = self.start("exit", "0")
        self.until(job, "SCHEDULED")
        self.end(self.start("exit", "0"))
        self.assertEqual(self.job(job)["state"], "SCHEDULED")
        self.emr.cancel_job_run(applicationId=self.application, jobRunId=job)
        self.assertEqual(self.end(job)["state"], "CANCELLED")

    def test_a_throttled_start_starts_nothing_and_the_same_token_works_later(self) -> None:
        emr_faults.plant(self.world.faults, Fault(emr_faults.THROTTLED), times=2)
        self.refused("ThrottlingException", self.start, "exit", "0", token="a")
        job = self.start("exit", "0", token="a")
        self.end(job)
        runs = self.emr.list_job_runs(applicationId=self.application)["jobRuns"]
        self.assertEqual([one["id"] for one in runs], [job])

    def test_a_streaming_job_is_kept_alive(self) -> None:
        marker = self.world.home / os.urandom(8).hex()
        job = self.start("once", str(marker), mode="STREAMING", retryPolicy={"maxFailedAttemptsPerHour": 2})
        self.assertEqual(self.end(job)["attempt"], 2)
        job = self.start("exit", "75", mode="STREAMING", retryPolicy={"maxFailedAttemptsPerHour": 3})
        found = self.end(job)
        self.assertEqual((found["state"], found["attempt"]), ("FAILED", 3))

    def test_an_application_starts_with_its_first_job_and_is_made_once_per_token(self) -> None:
        shown = self.emr.get_application(applicationId=self.application)["application"]
        self.assertEqual(shown["state"], "CREATED")
        self.end(self.start("exit", "0"))
        self.assertEqual(self.emr.get_application(applicationId=self.application)["application"]["state"], "STARTED")
        asked = {"name": "x", "releaseLabel": "emr-7.13.0", "type": "SPARK", "clientToken": "one"}
        self.assertEqual(
            self.emr.create_application(**asked)["applicationId"], self.emr.create_application(**asked)["applicationId"]
        )


if __name__ == "__main__":
    unittest.main()
