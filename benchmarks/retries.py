"""What becomes of buyers when AWS Marketplace throttles: the SDK's own retries, in virtual time.

Nothing sleeps and nothing is sent. What is retried, after how long and how often is decided by botocore's own classes
and the resolver's own settings; what AWS publishes no figure for is assumed, below and in docs/scaling.md.
``PYTHONPATH=lambda_src python -m benchmarks.retries`` prints the table of that page.

The function's time limit plays no part: with three attempts a request that is throttled to the end takes six seconds,
start-up included. That calls which time out end before the limit too is another test's arithmetic.
"""

from __future__ import annotations

import heapq
import sys
from collections import deque
from dataclasses import dataclass, field, replace
from itertools import count
from random import Random
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from botocore.retries.quota import RetryQuota
from botocore.retries.standard import (
    ExponentialBackoff,
    RetryEventAdapter,
    RetryHandler,
    RetryPolicy,
    RetryQuotaChecker,
    StandardRetryConditions,
    ThrottlingErrorDetector,
)

from benchmarks.figures import Figure
from resolver.handler import RETRY_AFTER_SECONDS
from sdk.time_limits import MARKETPLACE

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator


class Limit(NamedTuple):
    """A token bucket: what it admits in a second for good, and at once after a rest."""

    rate: float
    burst: float


THROTTLE = Limit(10, 20)
"""The construct's default."""

RAISED_THROTTLE = Limit(100, 200)
LAUNCH_THROTTLE = Limit(10, 100)

MARKETPLACE_LIMIT = Limit(10, 10)
"""Of ResolveCustomer. The rate is that of BatchMeterUsage, as AWS publishes none; the burst is assumed."""

ENVIRONMENTS = 1_000
"""Lambda's default quota of concurrent executions."""

NEW_ACCOUNT_ENVIRONMENTS = 10

# Assumed. The first four vary, evenly, from half as long to half as long again.
START_SECONDS = 1.0
RESOLVE_SECONDS = 0.3
STORE_SECONDS = 0.05
LANDING_SECONDS = 1.0
IDLE_SECONDS = 300
HESITATION_SECONDS = 10
PRESSES = 4

CLAIM_PAUSES = (1, 5, 10)
"""How long a backend waits before it repeats a claim, as docs/claiming.md shows it."""

PATIENCE_SECONDS = (3, 10, 30)

_ALL, _NEARLY_ALL = 100, 99

_THROTTLED = {"Error": {"Code": "ThrottlingException"}}
_ANSWERED = SimpleNamespace(status_code=200)
# The stubs do not know that a Config has what it was made with.
_SHIPPED: Any = MARKETPLACE


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """How many buyers come, and what they meet.

    Attributes:
        name: as the table says it.
        buyers: how many come, each at any moment of ``seconds``: a Poisson process, given its count.
        seconds: from the first moment on which one may come to the last.
        runs: how often, each time with other random numbers.
        throttle: of each route of the API.
        shared: whether the routes share the throttle. AWS says that a stage's settings are the default of each route,
            not whether each has a bucket of its own.
        marketplace: of ResolveCustomer.
        environments: how many Lambda may run at once.
        attempts: how often the SDK calls ResolveCustomer for one request at most.
        presses: how often a buyer presses the button at most.
    """

    name: str = ""
    buyers: int
    seconds: float
    runs: int = 1
    throttle: Limit = THROTTLE
    shared: bool = False
    marketplace: Limit = MARKETPLACE_LIMIT
    environments: int = ENVIRONMENTS
    attempts: int = _SHIPPED.retries["total_max_attempts"]
    presses: int = PRESSES


@dataclass(kw_only=True)
class Outcome:
    """What became of the buyers.

    Attributes:
        waits: of each buyer who was sent on, the seconds from the first press to the redirect.
        never_sent_on: how many got an error page for the last press too.
        never_claimed: how many were sent on, and their claim was refused until the backend gave up.
        calls: how often ResolveCustomer was called.
        most_environments: how many ran at once at most.
    """

    waits: list[float] = field(default_factory=list)
    never_sent_on: int = 0
    never_claimed: int = 0
    calls: int = 0
    most_environments: int = 0

    @property
    def buyers(self) -> int:
        """How many came."""
        return len(self.waits) + self.never_sent_on

    def share(self, buyers: int) -> float:
        """Return how many of a hundred buyers these are."""
        return _ALL * buyers / self.buyers

    def within(self, seconds: float) -> float:
        """Return how many of a hundred buyers were sent on within these seconds of their first press."""
        return self.share(sum(wait <= seconds for wait in self.waits))


class _Bucket:
    def __init__(self, limit: Limit) -> None:
        self._limit = limit
        self._tokens = limit.burst
        self._at = 0.0

    def take(self, now: float) -> bool:
        self._tokens = min(self._limit.burst, self._tokens + (now - self._at) * self._limit.rate)
        self._at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


class Retries:
    """The retries of one environment's client, put together as botocore does for the mode ``standard``.

    The quota is the environment's: where most calls fail, the SDK stops to repeat them.

    Args:
        attempts: how often one request is sent at most.
        random: what botocore takes from the module of that name.
    """

    def __init__(self, attempts: int, random: Callable[[], float]) -> None:
        adapter = RetryEventAdapter()
        detector = ThrottlingErrorDetector(adapter)
        # The stubs name another class where the handler asks for this one.
        self._quota = cast("Any", RetryQuotaChecker(RetryQuota(), detector))
        self._handler = RetryHandler(
            RetryPolicy(
                StandardRetryConditions(attempts), ExponentialBackoff(random=random, throttling_detector=detector)
            ),
            adapter,
            self._quota,
        )

    def throttled(self, attempt: int, request: dict[str, Any]) -> float | None:
        """Return after how many seconds a throttled call is repeated, None if it is not.

        Args:
            attempt: the first is 1.
            request: what botocore remembers of one request; empty at first.
        """
        return self._handler.needs_retry(
            response=(None, {**_THROTTLED}),
            operation=None,
            attempts=attempt,
            caught_exception=None,
            request_dict={"context": request},
        )

    def answered(self, request: dict[str, Any]) -> None:
        """Give back what the request took of the quota."""
        self._quota.release_retry_quota(request, _ANSWERED)


class Simulation:
    """One crowd of buyers on its way.

    Args:
        scenario: who comes, and what they meet.
        random: all chance there is, from 0 to 1.
    """

    def __init__(self, scenario: Scenario, random: Callable[[], float]) -> None:
        self._scenario = scenario
        self._random = random
        self._registrations = _Bucket(scenario.throttle)
        self._claims = self._registrations if scenario.shared else _Bucket(scenario.throttle)
        self._marketplace = _Bucket(scenario.marketplace)
        self._idle: deque[tuple[float, Retries]] = deque()
        self._busy = 0
        self._now = 0.0
        self._outcome = Outcome()

    def run(self) -> Outcome:
        """Return what became of the buyers."""
        order = count()
        arrivals = sorted(self._random() * self._scenario.seconds for _ in range(self._scenario.buyers))
        # What happens at the same moment happens in the order in which it was begun.
        waiting = [(arrival, next(order), self._buyer()) for arrival in arrivals]
        while waiting:
            self._now, _, buyer = waiting[0]
            seconds = next(buyer, None)
            if seconds is None:
                heapq.heappop(waiting)
            else:
                heapq.heapreplace(waiting, (self._now + seconds, next(order), buyer))
        return self._outcome

    def _about(self, seconds: float) -> float:
        return seconds * (0.5 + self._random())

    def _buyer(self) -> Iterator[float]:
        came = self._now
        for press in range(self._scenario.presses):
            if press:
                yield RETRY_AFTER_SECONDS + self._random() * HESITATION_SECONDS
            if (yield from self._register()):
                self._outcome.waits.append(self._now - came)
                yield from self._claim()
                return
        self._outcome.never_sent_on += 1

    def _register(self) -> Generator[float, None, bool]:
        admitted = self._admit(self._registrations)
        if admitted is None:
            return False
        retries, start = admitted
        yield start
        request: dict[str, Any] = {}
        for attempt in count(1):
            self._outcome.calls += 1
            redeemed = self._marketplace.take(self._now)
            yield self._about(RESOLVE_SECONDS)
            if redeemed:
                break
            wait = retries.throttled(attempt, request)
            if wait is None:
                self._leave(retries)
                return False
            yield wait
        retries.answered(request)
        yield self._about(STORE_SECONDS)
        self._leave(retries)
        return True

    def _claim(self) -> Iterator[float]:
        yield self._about(LANDING_SECONDS)
        for pause in (*CLAIM_PAUSES, None):
            if (admitted := self._admit(self._claims)) is not None:
                retries, start = admitted
                yield start
                yield self._about(STORE_SECONDS)
                self._leave(retries)
                return
            if pause is not None:
                yield pause + self._about(STORE_SECONDS)
        self._outcome.never_claimed += 1

    def _admit(self, route: _Bucket) -> tuple[Retries, float] | None:
        """Return an environment's retries and how long it takes to start; None if the API or Lambda refuses."""
        if not route.take(self._now):
            return None
        while self._idle and self._idle[0][0] < self._now - IDLE_SECONDS:
            self._idle.popleft()
        start = 0.0
        if self._idle:
            _, retries = self._idle.pop()
        elif self._busy < self._scenario.environments:
            retries = Retries(self._scenario.attempts, self._random)
            start = self._about(START_SECONDS)
        else:
            return None
        self._busy += 1
        self._outcome.most_environments = max(self._outcome.most_environments, self._busy)
        return retries, start

    def _leave(self, retries: Retries) -> None:
        self._busy -= 1
        self._idle.append((self._now, retries))


def simulate(scenario: Scenario) -> Outcome:
    """Return what became of the buyers of all runs; the same on every machine."""
    total = Outcome()
    for seed in range(scenario.runs):
        one = Simulation(scenario, Random(seed).random).run()  # noqa: S311 - chance that can be repeated, no secret
        total.waits += one.waits
        total.never_sent_on += one.never_sent_on
        total.never_claimed += one.never_claimed
        total.calls += one.calls
        total.most_environments = max(total.most_environments, one.most_environments)
    return total


_HOUR = 3_600
_THOUSAND = Scenario(name="1,000 in an hour", buyers=1_000, seconds=_HOUR, runs=10)
_THIRTY_THOUSAND = Scenario(name="30,000 in an hour", buyers=30_000, seconds=_HOUR)
_HUNDRED_THOUSAND = Scenario(name="100,000 in an hour", buyers=100_000, seconds=_HOUR)
LAUNCH = Scenario(name="100 in 5 seconds", buyers=100, seconds=5, runs=100)

SCENARIOS = (
    Scenario(name="10 in an hour", buyers=10, seconds=_HOUR, runs=100),
    _THOUSAND,
    _THIRTY_THOUSAND,
    replace(_THIRTY_THOUSAND, shared=True),
    _HUNDRED_THOUSAND,
    replace(_HUNDRED_THOUSAND, shared=True),
    replace(_HUNDRED_THOUSAND, throttle=RAISED_THROTTLE),
    LAUNCH,
    replace(LAUNCH, throttle=LAUNCH_THROTTLE),
    replace(LAUNCH, environments=NEW_ACCOUNT_ENVIRONMENTS),
)
"""The rows of the table."""


def measure() -> list[Figure]:
    """Return the shares of buyers answered in time, with the settings as shipped."""
    figures = []
    for scenario in (_THOUSAND, _HUNDRED_THOUSAND, LAUNCH):
        outcome = simulate(scenario)
        figures += [
            Figure(name=f"{scenario.name}: sent on within {seconds} s", value=outcome.within(seconds), unit="%")
            for seconds in PATIENCE_SECONDS
        ]
        nothing = outcome.share(outcome.never_sent_on + outcome.never_claimed)
        figures.append(Figure(name=f"{scenario.name}: end with nothing", value=nothing, unit="%"))
    return figures


def table() -> str:
    """Return the table of docs/scaling.md in Markdown."""
    within = [f"within {seconds} s" for seconds in PATIENCE_SECONDS]
    head = [
        "buyers",
        "`throttle`",
        "Lambda quota",
        "if nobody presses again",
        *within,
        "never sent on",
        "never claimed",
        "most environments",
    ]
    rows = [head, ["---", "---", *("---:" for _ in head[2:])]]
    for scenario in SCENARIOS:
        alone, outcome = simulate(replace(scenario, presses=1)), simulate(scenario)
        shares = [
            alone.share(len(alone.waits)),
            *map(outcome.within, PATIENCE_SECONDS),
            outcome.share(outcome.never_sent_on),
            outcome.share(outcome.never_claimed),
        ]
        throttle = (
            f"{scenario.throttle.rate}/s, {scenario.throttle.burst}{' for all routes' if scenario.shared else ''}"
        )
        peak = str(outcome.most_environments)
        rows.append([scenario.name, throttle, f"{scenario.environments:,}", *map(_percent, shares), peak])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _percent(share: float) -> str:
    """Return whole percents that say 0 and 100 only where it is so."""
    if 0 < share < 1:
        return "< 1%"
    if _NEARLY_ALL < share < _ALL:
        return f"> {_NEARLY_ALL}%"
    return f"{share:.0f}%"


if __name__ == "__main__":
    sys.stdout.write(f"{table()}\n")
