"""Asks a live Airflow by its public REST API, as a person's browser does."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

POLL_SECONDS = 1.0
# On a machine with much to do the server may think for long about its first questions.
ANSWER_SECONDS_MAX, BUSY_SECONDS_MAX = 60, 600
ENDED = ("success", "failed")


def waited(what: str, seconds: float, look: Callable[[], Any]) -> Any:
    """Looks until there is something to see, and returns it; stops the proof when there is nothing in time."""
    give_up_at = time.monotonic() + seconds
    while not (found := look()):
        if time.monotonic() > give_up_at:
            raise SystemExit(f"airflow: no {what} within {seconds:.0f} s")
        time.sleep(POLL_SECONDS)
    return found


@dataclass
class Airflow:
    """The API server of one live stack."""

    address: str
    token: str = field(default="", repr=False)

    def ask(self, path: str, method: str = "GET", body: dict | None = None) -> dict:
        """Returns what the API answers; an answer that is an error stops the proof with what it says."""
        # Tokens end after a day, and all of this machine's users are administrators.
        if not self.token:
            self.token = self._answer(urllib.request.Request(f"{self.address}/auth/token"))["access_token"]
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        return self._answer(urllib.request.Request(f"{self.address}/api/v2/{path}", data, headers, method=method))

    def _answer(self, request: urllib.request.Request) -> dict:
        give_up_at = time.monotonic() + BUSY_SECONDS_MAX
        while True:
            try:
                with urllib.request.urlopen(request, timeout=ANSWER_SECONDS_MAX) as answer:
                    return json.load(answer)
            except urllib.error.HTTPError as error:
                # SQLite is locked while another process writes.
                if error.code < 500 or time.monotonic() > give_up_at:
                    raise SystemExit(
                        f"airflow: {request.get_method()} {request.full_url} answers {error.code}: {error.read().decode()}"
                    ) from error
                time.sleep(POLL_SECONDS)
            except TimeoutError as error:
                # Everything that is asked here may be asked twice.
                if time.monotonic() > give_up_at:
                    raise SystemExit(f"airflow: {request.full_url} is not answered within {BUSY_SECONDS_MAX} s") from error

    def dags(self) -> dict[str, dict]:
        """Returns every DAG by its name, paused ones too."""
        return {dag["dag_id"]: dag for dag in self.ask("dags?limit=100")["dags"]}

    def import_errors(self) -> list[str]:
        """Returns what is wrong with the files of DAGs."""
        return [f"{error['filename']}: {error['stack_trace']}" for error in self.ask("importErrors")["import_errors"]]

    def unpause(self, dag: str) -> None:
        """Lets the scheduler start what comes due."""
        self.ask(f"dags/{dag}", "PATCH", {"is_paused": False})

    def runs(self, dag: str) -> list[dict]:
        """Returns every run of a DAG, the oldest first."""
        return self.ask(f"dags/{dag}/dagRuns?limit=100&order_by=run_after")["dag_runs"]

    def tasks(self, dag: str, run: str) -> dict[str, dict]:
        """Returns the tasks of a run by their names."""
        found = self.ask(f"dags/{dag}/dagRuns/{quote(run)}/taskInstances?limit=100")["task_instances"]
        return {task["task_id"]: task for task in found}
