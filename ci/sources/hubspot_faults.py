"""What goes wrong on purpose: which request is answered how, a given number of times.

A fault is `{"kind": ..., "on": ENDPOINT, "object": contacts, "skip": 0, "times": 1, ...}`; without `on` and `object` any
request will do. With `most` it leaves alone a question that has met so many faults, whichever they were: who asks several
things at once would else meet all of them with the one that is answered last. Kinds, with what else they take:

* `rate_limit`: 429 by `policy` (default TEN_SECONDLY_ROLLING), with `retry_after` seconds where given
* `status`: any other `status`, such as 500, 502, 503, 423, 401, 403
* `torn`: the body ends in the middle, less than its length says, and the connection with it
* `cut`: the body is JSON that ends in the middle, and its length says so
* `reset`: the connection ends without an answer
* `slow`: the answer waits `seconds`
* `drip`: the body waits so long in its middle, and then ends
"""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass, field

KINDS = {
    "rate_limit": {"policy", "retry_after"}, "status": {"status"}, "torn": set(), "cut": set(), "reset": set(),
    "slow": {"seconds"}, "drip": {"seconds"},
}  # fmt: skip
COMMON = {"kind", "on", "object", "skip", "times", "most"}


@dataclass
class Fault:
    """One fault, and how often it still comes."""

    kind: str
    on: str | None
    object: str | None
    skip: int
    times: int
    most: int | None = None
    more: dict = field(default_factory=dict)

    @classmethod
    def of(cls, document: dict) -> Fault:
        """Reads a fault; what is not known is refused."""
        kind = document.get("kind")
        if kind not in KINDS:
            raise ValueError(f"no fault is called {kind}")
        unknown = document.keys() - COMMON - KINDS[kind]
        if unknown:
            raise ValueError(f"fault {kind} knows no {', '.join(sorted(unknown))}")
        more = {name: document[name] for name in KINDS[kind] if name in document}
        skip, times, most = int(document.get("skip", 0)), int(document.get("times", 1)), document.get("most")
        return cls(kind, document.get("on"), document.get("object"), skip, times, None if most is None else int(most), more)

    def meets(self, endpoint: str, kind: str, met: int) -> bool:
        """Whether it comes now to a question that has met so many faults; a request that it could meet counts down."""
        if self.times <= 0 or self.on not in (None, endpoint) or self.object not in (None, kind):
            return False
        if self.most is not None and met >= self.most:
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        self.times -= 1
        return True


class Faults:
    """All faults that are switched on."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []
        self._came: Counter[str] = Counter()
        self._met: Counter[tuple[str, str, bytes]] = Counter()

    def set(self, documents: list[dict]) -> None:
        """Replaces all faults."""
        faults = [Fault.of(document) for document in documents]
        with self._lock:
            self._faults = faults
            self._met.clear()

    def next(self, endpoint: str, kind: str, asked: bytes = b"") -> Fault | None:
        """Returns the first fault that meets a request; `asked` tells its question from others."""
        question = endpoint, kind, asked
        with self._lock:
            for fault in self._faults:
                if fault.meets(endpoint, kind, self._met[question]):
                    self._came[fault.kind] += 1
                    self._met[question] += 1
                    return fault
        return None

    def forget(self) -> None:
        """Starts counting anew."""
        with self._lock:
            self._came.clear()

    def counts(self) -> dict:
        """Returns which faults came, and how many are still to come."""
        with self._lock:
            return {"came": dict(self._came), "to_come": sum(fault.times for fault in self._faults)}
