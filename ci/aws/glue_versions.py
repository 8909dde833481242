"""Glue on moto that looks at the VersionId of an update: moto takes a stale one, and so two writers would never meet.

That an update with another VersionId than the entry's ends with `ConcurrentModificationException` is what the service's API says;
it was not seen on the service.
"""

from __future__ import annotations

import threading
from typing import Any

from moto.core.exceptions import JsonRESTError
from moto.glue.responses import GlueResponse

# A request may come between the look and the write of another one.
_writing = threading.Lock()
_taken = GlueResponse.update_table


class ConcurrentModificationException(JsonRESTError):
    """Another writer has changed the entry since it was read."""

    def __init__(self) -> None:
        super().__init__("ConcurrentModificationException", "Update table failed due to concurrent modifications.")


def _update_table(self: GlueResponse) -> Any:
    asked, version = self.parameters, self.parameters.get("VersionId")
    with _writing:
        entry = self.glue_backend.get_table(asked["DatabaseName"], asked["TableInput"]["Name"])
        if version not in (None, entry.as_dict()["VersionId"]):
            raise ConcurrentModificationException
        return _taken(self)


def install() -> None:
    """Puts the check before moto's own update."""
    GlueResponse.update_table = _update_table
