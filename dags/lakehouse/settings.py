"""What differs between deployments, read from the environment: `AIRFLOW__SLUICE__<NAME>`.

The managed service turns each of its configuration options `sluice.<name>` into such a variable, for all of its processes. Nothing is
read while DAG files are parsed but what has a default, so that an import needs neither network nor database nor environment.
"""

import json
import os

from airflow.sdk.exceptions import AirflowFailException

PREFIX = "AIRFLOW__SLUICE__"


def optional(name: str, default: str = "") -> str:
    """Returns a setting, or the default where it is absent or empty."""
    return os.environ.get(PREFIX + name.upper()) or default


def required(name: str) -> str:
    """Returns a setting without which no job can start."""
    found = optional(name)
    if not found:
        raise AirflowFailException(f"setting sluice.{name} is absent: set {PREFIX}{name.upper()} for the whole environment")
    return found


def poll_seconds() -> int:
    """Returns the seconds between two looks at a job."""
    return int(optional("poll_seconds", "15"))


def retry_seconds() -> int:
    """Returns the least seconds before the first new try; each further one waits twice as long, and Airflow adds up to as much again."""
    return int(optional("retry_seconds", "60"))


def driver_env() -> dict[str, str]:
    """Returns the variables of the programs: addresses of sources and names of secrets, never a secret."""
    text = optional("driver_env", "{}")
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise AirflowFailException(f"{PREFIX}DRIVER_ENV is not a JSON object of texts: mend it")
    return found
