"""HubSpot's limits on requests, and how well and how loyally a client uses them.

Two buckets with rolling windows (all requests but searches; searches) and a count for the day. A rejected request takes
nothing from a bucket, but it came: it counts as one above the budget.
"""

from __future__ import annotations

import threading
from bisect import bisect_left, bisect_right
from collections import Counter, deque
from dataclasses import dataclass, field

TEN_SECONDLY, SECONDLY, DAILY = "TEN_SECONDLY_ROLLING", "SECONDLY", "DAILY"
SEARCH, OTHER = "search", "other"
# A client that asks nothing for longer than this is not busy.
IDLE_SECONDS = 10.0
# A request that comes so soon after another one was refused was on its way.
NOTICE_SECONDS = 0.2


@dataclass
class Bucket:
    """At most `allowed` requests in any window of `seconds`."""

    policy: str
    seconds: float
    allowed: int
    arrivals: list[float] = field(default_factory=list)
    highest: int = 0
    above: int = 0
    _taken: deque[float] = field(default_factory=deque)
    _recent: deque[float] = field(default_factory=deque)

    def take(self, now: float) -> float | None:
        """Counts a request; returns None when it may pass, else the seconds until one may."""
        self.arrivals.append(now)
        self._recent.append(now)
        for times in (self._taken, self._recent):
            while times and times[0] <= now - self.seconds:
                times.popleft()
        self.highest = max(self.highest, len(self._recent))
        if len(self._taken) >= self.allowed:
            self.above += 1
            return self._taken[0] + self.seconds - now
        self._taken.append(now)
        return None

    def remaining(self) -> int:
        """Returns how many more may pass in this window."""
        return self.allowed - len(self._taken)

    def filled(self, start: float, at: float) -> float:
        """Returns which share was used at an instant of the window that ends there, or of its part since `start`.

        The arrivals must be in order.
        """
        since = max(start, at - self.seconds)
        # The window is open at its beginning, as `take` counts; what began the period belongs to it.
        first = bisect_left(self.arrivals, since) if since == start else bisect_right(self.arrivals, since)
        return min(1.0, (bisect_right(self.arrivals, at) - first) * self.seconds / self.allowed / (at - since))

    def forget(self) -> None:
        """Starts counting anew; what is taken stays taken."""
        self.arrivals, self.highest, self.above = [], 0, 0
        self._recent.clear()


class Budget:
    """All limits of one account."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.buckets = {OTHER: Bucket(TEN_SECONDLY, 10.0, 190), SEARCH: Bucket(SECONDLY, 1.0, 5)}
        self.daily = 650_000
        self.used_today = 0
        # Whether a rejection says how long to wait, as HubSpot's sometimes do.
        self.retry_after = False
        self._rejected: Counter[str] = Counter()
        # Times in which a client was told to wait: (from, to).
        self._told_to_wait: list[tuple[float, float]] = []
        self._impatient = 0

    def set(self, limits: dict) -> None:
        """Changes limits; a name that is not known is refused."""
        with self._lock:
            other, search = self.buckets[OTHER], self.buckets[SEARCH]
            for name, value in limits.items():
                match name:
                    case "requests":
                        other.allowed = int(value)
                    case "interval_seconds":
                        other.seconds = float(value)
                    case "search_per_second":
                        search.allowed = int(value)
                    case "daily":
                        self.daily = int(value)
                    case "retry_after":
                        self.retry_after = bool(value)
                    case _:
                        raise ValueError(f"no limit is called {name}")

    def take(self, what: str, now: float) -> tuple[str, float] | None:
        """Counts a request; returns None when it may pass, else the policy that it breaks and the seconds to wait."""
        with self._lock:
            self._impatient += any(start + NOTICE_SECONDS < now < end for start, end in self._told_to_wait)
            bucket = self.buckets[what]
            wait = bucket.take(now)
            if wait is not None:
                return self._reject(bucket.policy, now, wait)
            if self.used_today >= self.daily:
                return self._reject(DAILY, now, 3_600.0)
            self.used_today += 1
            return None

    def _reject(self, policy: str, now: float, wait: float) -> tuple[str, float]:
        self._rejected[policy] += 1
        if self.retry_after:
            self._told_to_wait.append((now, now + wait))
        return policy, wait

    def told_to_wait(self, policy: str, now: float, seconds: float | None) -> None:
        """Notes a rejection that was not the budget's doing."""
        with self._lock:
            self._rejected[policy] += 1
            if seconds:
                self._told_to_wait.append((now, now + seconds))

    def headers(self) -> dict[str, str]:
        """Returns the headers that HubSpot sends with everything but searches."""
        with self._lock:
            bucket = self.buckets[OTHER]
            return {
                "X-HubSpot-RateLimit-Daily": str(self.daily),
                "X-HubSpot-RateLimit-Daily-Remaining": str(max(0, self.daily - self.used_today)),
                "X-HubSpot-RateLimit-Interval-Milliseconds": str(round(bucket.seconds * 1000)),
                "X-HubSpot-RateLimit-Max": str(bucket.allowed),
                "X-HubSpot-RateLimit-Remaining": str(bucket.remaining()),
            }

    def forget(self) -> None:
        """Starts counting anew."""
        with self._lock:
            for bucket in self.buckets.values():
                bucket.forget()
            self._rejected.clear()
            self._told_to_wait.clear()
            self._impatient = 0

    def usage(self) -> dict:
        """Returns what was asked, and how much of what was allowed.

        `busy_share` looks at each second in which the client was busy at what it had used of the window that ends there (what
        the service counts), in the bucket that was fuller, since that one holds it back. Seconds in which it was told to
        wait are left out.
        """
        with self._lock:
            found: dict = {"rate_limited": dict(self._rejected), "during_retry_after": self._impatient}
            for what, bucket in self.buckets.items():
                found[what] = {
                    "requests": len(bucket.arrivals), "allowed": bucket.allowed, "window_seconds": bucket.seconds,
                    "highest": bucket.highest, "above": bucket.above,
                }  # fmt: skip
            seconds, share = self._busy()
            return found | {"busy_seconds": seconds, "busy_share": share, "used_today": self.used_today}

    def _busy(self) -> tuple[int, float | None]:
        for bucket in self.buckets.values():
            bucket.arrivals.sort()
        arrivals = sorted(at for bucket in self.buckets.values() for at in bucket.arrivals)
        busy, used = 0, 0.0
        for start, end in _periods(arrivals):
            # The last second is not over: a client that has all it wants is not slow.
            for second in range(1, int(end - start) + 1):
                at = start + second
                if any(quiet < at and at - 1 < until for quiet, until in self._told_to_wait):
                    continue
                busy += 1
                used += max(bucket.filled(start, at) for bucket in self.buckets.values())
        return busy, round(used / busy, 4) if busy else None


def _periods(arrivals: list[float]) -> list[tuple[float, float]]:
    """Returns from when to when requests came without a long silence."""
    found: list[tuple[float, float]] = []
    for at in arrivals:
        if found and at - found[-1][1] <= IDLE_SECONDS:
            found[-1] = (found[-1][0], at)
        else:
            found.append((at, at))
    return found
