"""Stands for EMR Serverless, S3 and SNS below boto3: real clients, real waiters, requests held against the API's own model."""

import io
import json
from pathlib import Path

from botocore.validate import ParamValidator

ENDED = {"SUCCESS", "FAILED", "CANCELLED"}


class Service:
    """Jobs, objects and messages in memory."""

    def __init__(self) -> None:
        self.jobs: dict[str, dict] = {}
        self.tokens: dict[str, str] = {}
        self.calls: list[str] = []
        self.objects: dict[str, bytes] = {}
        self.messages: list[dict] = []
        self.refuse: dict[str, list[str]] = {}
        # Looks at a job before it ends after it was cancelled.
        self.cancel_looks = 2
        # How a job ends, told by its request: a state, after the job has left what it leaves.
        self.work = lambda request: "SUCCESS"
        # What a job still does when it is asked to end.
        self.cancelled = lambda request: None

    def call(self, client, operation: str, parameters: dict) -> dict:
        """Takes the place of a client's request over the network."""
        self.calls.append(operation)
        shape = client.meta.service_model.operation_model(operation).input_shape
        report = ParamValidator().validate(parameters, shape)
        assert not report.has_errors(), report.generate_report()
        if self.refuse.get(operation):
            code = self.refuse[operation].pop(0)
            raise client.exceptions.from_code(code)({"Error": {"Code": code, "Message": "refused"}}, operation)
        found = getattr(self, operation)(client, **parameters)
        return {"ResponseMetadata": {"HTTPStatusCode": 200}, **found}

    def GetApplication(self, _, applicationId: str) -> dict:
        return {"application": {"applicationId": applicationId, "state": "STARTED"}}

    def StartJobRun(self, _, **request) -> dict:
        token = request["clientToken"]
        if token not in self.tokens:
            job_run = f"job{len(self.jobs)}"
            self.tokens[token] = job_run
            self.jobs[job_run] = {"id": job_run, "name": request["name"], "state": "RUNNING", "request": request, "looks": 0}
            self.jobs[job_run]["state"] = self.work(request)
        job_run = self.tokens[token]
        return {"applicationId": request["applicationId"], "jobRunId": job_run, "arn": "arn"}

    def GetJobRun(self, client, applicationId: str, jobRunId: str) -> dict:
        if jobRunId not in self.jobs:
            error = {"Error": {"Code": "ResourceNotFoundException", "Message": "no such job"}}
            raise client.exceptions.ResourceNotFoundException(error, "GetJobRun")
        job = self.jobs[jobRunId]
        if job["state"] == "CANCELLING":
            job["looks"] += 1
            if job["looks"] >= self.cancel_looks:
                job["state"] = "CANCELLED"
        return {"jobRun": {"jobRunId": jobRunId, "state": job["state"], "stateDetails": ""}}

    def ListJobRuns(self, _, applicationId: str, states: list[str], **_more) -> dict:
        return {"jobRuns": [dict(job) for job in self.jobs.values() if job["state"] in states]}

    def CancelJobRun(self, _, applicationId: str, jobRunId: str, shutdownGracePeriodInSeconds: int) -> dict:
        assert shutdownGracePeriodInSeconds >= 60
        job = self.jobs[jobRunId]
        job["state"] = "CANCELLING"
        self.cancelled(job.get("request"))
        return {"applicationId": applicationId, "jobRunId": jobRunId}

    def GetObject(self, client, Bucket: str, Key: str) -> dict:
        if f"{Bucket}/{Key}" not in self.objects:
            raise client.exceptions.NoSuchKey({"Error": {"Code": "NoSuchKey", "Message": "none"}}, "GetObject")
        return {"Body": io.BytesIO(self.objects[f"{Bucket}/{Key}"])}

    def ListObjectsV2(self, _, Bucket: str, Prefix: str, Delimiter: str, **_more) -> dict:
        keys = [key.removeprefix(f"{Bucket}/") for key in self.objects if key.startswith(f"{Bucket}/{Prefix}")]
        return {"Contents": [{"Key": key} for key in keys if Delimiter not in key[len(Prefix) :]]}

    def Publish(self, _, **message) -> dict:
        self.messages.append(message)
        return {"MessageId": "1"}


def job_of(request: dict) -> dict:
    """Returns what the launcher is told."""
    arguments = request["jobDriver"]["sparkSubmit"]["entryPointArguments"]
    return json.loads(arguments[arguments.index("--job") + 1])


def steps_of(request: dict) -> list[dict]:
    """Returns the steps that the launcher is told."""
    arguments = request["jobDriver"]["sparkSubmit"]["entryPointArguments"]
    return [json.loads(value) for name, value in zip(arguments[::2], arguments[1::2], strict=True) if name == "--step"]


def leave(lake: Path, job: dict, exit_code: int, versions: dict | None = None, /, **other) -> None:
    """Leaves the record of an attempt's end as the launcher does."""
    path = lake / "ops/attempts" / job["run_id"] / f"{job['attempt']}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    step = {"program": "ingest-fx", "table": "bronze_fx_rates", "exit": exit_code, "why": "it said so"}
    kept = {key: job[key] for key in ("job", "run_id", "attempt", "release", "window")}
    path.write_text(json.dumps({"schema_version": 1, **kept, "exit": exit_code, "steps": [step], "versions": versions or {}, **other}))
