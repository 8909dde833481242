"""EMR Serverless on moto: moto keeps applications and speaks the protocol; jobs are ours, and they run.

What moto's own backend lacks, by its source: jobs that execute, client tokens, attempts, time limits, states before the end, a
cancellation that is refused once a job has ended, application settings that jobs inherit, labels of Spark 8.
"""

from __future__ import annotations

import re
import threading
from datetime import datetime
from types import ModuleType
from typing import Any

from moto.core.exceptions import JsonRESTError
from moto.core.responses import ActionResult, PaginatedResult
from moto.emrserverless import models, urls
from moto.emrserverless.exceptions import AccessDeniedException, ResourceNotFoundException, ValidationException
from moto.emrserverless.responses import EMRServerlessResponse
from moto.emrserverless.utils import random_job_id

import emr_faults
from emr_job import Job, Pace, Places

CLIENT_TOKEN = re.compile(r"[A-Za-z0-9._-]{1,64}")
LABEL = re.compile(r"emr-(spark-)?\d+\.\d+\.\d+")
STREAMING_GRACE_SECONDS = 120
ATTEMPTS_MAX = 10


class ThrottlingException(JsonRESTError):
    """Too many requests: SDKs ask again a few times by themselves."""

    code = 429

    def __init__(self) -> None:
        super().__init__("ThrottlingException", "Rate exceeded")


class ConflictException(JsonRESTError):
    """A client token that was used for another request."""

    code = 409

    def __init__(self, message: str) -> None:
        super().__init__("ConflictException", message)


class Backend(models.EMRServerlessBackend):
    """moto's backend of one account and region, with jobs that run."""

    places: Places
    pace: Pace = Pace()

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self.jobs: dict[str, dict[str, Job]] = {}
        self._tokens: dict[tuple[str, str], Job] = {}
        self._starting = threading.Lock()

    @property
    def _url_module(self) -> ModuleType:
        """Returns moto's addresses of the service; moto derives the module from the class's own, which is this one."""
        return urls

    def reset(self) -> None:
        """Ends every job and forgets everything."""
        for job in self.every_job():
            job.abandon()
        super().reset()

    def every_job(self) -> list[Job]:
        """Returns the jobs of every application."""
        return [job for jobs in list(self.jobs.values()) for job in list(jobs.values())]

    def create(self, request: dict) -> models.Application:
        """Adds an application; the same client token gives the same one."""
        for known in self.applications.values():
            if known.client_token == request["clientToken"]:
                return known
        if not LABEL.fullmatch(request["releaseLabel"]):
            raise ValidationException(f"Release label '{request['releaseLabel']}' does not exist")
        application = models.Application(
            name=request.get("name"), release_label=request["releaseLabel"], application_type=request["type"],
            client_token=request["clientToken"], account_id=self.account_id, region_name=self.region_name,
            initial_capacity=request.get("initialCapacity"), maximum_capacity=request.get("maximumCapacity"),
            tags=request.get("tags") or {}, auto_start_configuration=request.get("autoStartConfiguration"),
            auto_stop_configuration=request.get("autoStopConfiguration"),
            network_configuration=request.get("networkConfiguration"),
        )  # fmt: skip
        application.state = "CREATED"
        application.architecture = request.get("architecture") or "X86_64"
        application.runtime_configuration = request.get("runtimeConfiguration") or []
        application.scheduler_configuration = request.get("schedulerConfiguration")
        runs = (application.scheduler_configuration or {}).get("maxConcurrentRuns")
        application.slots = threading.BoundedSemaphore(runs) if runs else None
        self.applications[application.id] = application
        return application

    def start_job(self, request: dict) -> Job:
        """Starts a job, or finds the one that this client token started."""
        self._check(request)
        application = self.get_application(request["applicationId"])
        key = (application.id, request["clientToken"])
        with self._starting:
            known = self._tokens.get(key)
            if known is not None:
                if known.request != request:
                    raise ConflictException("The client token was used for a job run with other parameters.")
                return known
            if emr_faults.take(self.places.faults, emr_faults.AT_START, request.get("name") or ""):
                raise ThrottlingException
            if application.state != "STARTED":
                self._wake(application)
            job = Job(random_job_id(), request, application, self.places, self.pace)
            self._tokens[key] = job
            self.jobs.setdefault(application.id, {})[job.id] = job
        job.start()
        return job

    def _check(self, request: dict) -> None:
        if not CLIENT_TOKEN.fullmatch(request["clientToken"]):
            raise ValidationException("clientToken must be 1 to 64 characters of [A-Za-z0-9._-]")
        if request["executionRoleArn"].split(":")[4] != self.account_id:
            raise AccessDeniedException("Cross-account pass role is not allowed.")
        attempts = (request.get("retryPolicy") or {}).get("maxAttempts")
        if attempts is not None and not 1 <= attempts <= ATTEMPTS_MAX:
            raise ValidationException(f"maxAttempts must be 1 to {ATTEMPTS_MAX}")
        minutes = request.get("executionTimeoutMinutes")
        if minutes is not None and minutes < 5 and not (minutes == 0 and request.get("mode") == "STREAMING"):
            raise ValidationException("RunTimeout must be at least 5 minutes.")

    @staticmethod
    def _wake(application: models.Application) -> None:
        if application.state == "TERMINATED" or not application.auto_start_configuration.get("enabled", True):
            raise ValidationException(f"Application {application.id} is {application.state} and does not start by itself.")
        application.state = "STARTED"

    def job(self, application_id: str, job_run_id: str) -> Job:
        """Returns a job."""
        self.get_application(application_id)
        try:
            return self.jobs[application_id][job_run_id]
        except KeyError:
            raise ResourceNotFoundException(job_run_id, "JobRun") from None

    def delete_application(self, application_id: str) -> None:
        """Ends an application that runs nothing."""
        if any(job.ended_at is None for job in self.jobs.get(application_id, {}).values()):
            raise ValidationException(f"Application {application_id} has job runs that have not ended.")
        super().delete_application(application_id)


class Response(EMRServerlessResponse):
    """moto's handler, with the requests about jobs answered by ours."""

    @property
    def _backend(self) -> Backend:
        return self.emrserverless_backend  # type: ignore[return-value]

    def _request(self) -> dict[str, Any]:
        """Returns what the client sent, by the names of the API."""
        return {name: value for name, value in self.params.items() if value is not None}

    def create_application(self) -> ActionResult:
        """Answers CreateApplication."""
        made = self._backend.create(self._request())
        return ActionResult({"applicationId": made.id, "name": made.name, "arn": made.arn})

    def start_job_run(self) -> ActionResult:
        """Answers StartJobRun."""
        job = self._backend.start_job(self._request())
        return ActionResult({"applicationId": job.application.id, "jobRunId": job.id, "arn": self._arn(job)})

    def get_job_run(self) -> ActionResult:
        """Answers GetJobRun, of the newest attempt or the one asked for."""
        job = self._job()
        number = self._get_int_param("attempt") or len(job.attempts)
        if not 1 <= number <= len(job.attempts):
            raise ResourceNotFoundException(f"{job.id} attempt {number}", "JobRun")
        attempt = job.attempts[number - 1]
        hours = max(60, job.seconds()) / 3600 if job.started_at else 0.0
        used = {"vCPUHour": 4 * hours, "memoryGBHour": 16 * hours, "storageGBHour": 0.0}
        passed_on = (
            "jobDriver", "configurationOverrides", "executionIamPolicy", "executionTimeoutMinutes", "retryPolicy", "tags", "mode",
        )  # fmt: skip
        shown = {name: job.request[name] for name in passed_on if name in job.request}
        shown.setdefault("mode", "BATCH")
        shown.setdefault("executionTimeoutMinutes", job.timeout_minutes)
        return ActionResult({"jobRun": {
            **shown, **self._summary(job, attempt), "jobRunId": job.id, "attemptCreatedAt": attempt.created_at,
            "attemptUpdatedAt": attempt.updated_at, "totalExecutionDurationSeconds": job.seconds(),
            "billedResourceUtilization": used, "startedAt": job.started_at, "endedAt": job.ended_at,
        }})  # fmt: skip

    def cancel_job_run(self) -> ActionResult:
        """Answers CancelJobRun."""
        job = self._job()
        grace = self._get_int_param("shutdownGracePeriodInSeconds")
        if grace is None and job.streaming:
            grace = STREAMING_GRACE_SECONDS
        if not job.cancel(grace):
            raise ValidationException(f"Job run {job.id} is not in a cancellable state.")
        return ActionResult({"applicationId": job.application.id, "jobRunId": job.id})

    def list_job_runs(self) -> ActionResult:
        """Answers ListJobRuns, newest first."""
        application = self._get_param("applicationId")
        self._backend.get_application(application)
        states = self._get_param("states") or []
        after, before = self._get_param("createdAtAfter"), self._get_param("createdAtBefore")
        found = [
            {**self._summary(job, job.attempt), "id": job.id}
            for job in reversed(self._backend.jobs.get(application, {}).values())
            if (not states or job.attempt.state in states) and _between(after, job.created_at, before)
        ]
        return PaginatedResult({"jobRuns": found})

    def list_job_run_attempts(self) -> ActionResult:
        """Answers ListJobRunAttempts."""
        job = self._job()
        found = [
            {**self._summary(job, one), "id": job.id, "jobCreatedAt": job.created_at, "createdAt": one.created_at}
            for one in job.attempts
        ]
        return PaginatedResult({"jobRunAttempts": found})

    def get_dashboard_for_job_run(self) -> ActionResult:
        """Answers GetDashboardForJobRun: the folder with the job's output."""
        return ActionResult({"url": (self._backend.places.jobs / self._job().id).as_uri()})

    def _job(self) -> Job:
        return self._backend.job(self._get_param("applicationId"), self._get_param("jobRunId"))

    def _arn(self, job: Job) -> str:
        return f"{job.application.arn}/jobruns/{job.id}"

    def _summary(self, job: Job, attempt: Any) -> dict:
        return {
            "applicationId": job.application.id, "name": job.request.get("name"), "arn": self._arn(job),
            "createdBy": f"arn:aws:iam::{self.current_account}:user/local", "createdAt": job.created_at,
            "updatedAt": attempt.updated_at, "executionRole": job.request["executionRoleArn"], "state": attempt.state,
            "stateDetails": attempt.details[:256], "releaseLabel": job.application.release_label,
            "type": job.application.type, "attempt": attempt.number, "mode": job.request.get("mode") or "BATCH",
        }  # fmt: skip


def _between(after: datetime | None, made: datetime, before: datetime | None) -> bool:
    return (after is None or made > _aware(after)) and (before is None or made < _aware(before))


def _aware(instant: datetime) -> datetime:
    return instant if instant.tzinfo else instant.astimezone()


def install(places: Places, pace: Pace) -> None:
    """Puts the emulator in the place of moto's EMR Serverless, before the server is made."""
    Backend.places, Backend.pace = places, pace
    models.emrserverless_backends.backend = Backend
    job = "{0}/applications/(?P<applicationId>[^/]+)/jobruns/(?P<jobRunId>[^/]+)"
    for path in (*urls.url_paths, f"{job}/attempts$", f"{job}/dashboard$"):
        urls.url_paths[path] = Response.dispatch


def every_job() -> list[Job]:
    """Returns the jobs of every account and region."""
    return [job for _, _, backend in models.emrserverless_backends.iter_backends() for job in backend.every_job()]
