"""How many buyers get through when AWS Marketplace throttles: the SDK's own retries, in virtual time.

Nothing sleeps and nothing is sent. botocore's own classes and the resolver's own settings decide what is retried, when
and how often. Where AWS publishes no number, one is assumed, below and in docs/scaling.md.
``PYTHONPATH=lambda_src python -m benchmarks.retries`` writes the table of that page.

The resolver's timeout is irrelevant here: with three attempts, a request that stays throttled takes six seconds, cold
start included. Another test checks that calls which time out end within it too.
"""

from __future__ import annotations

import heapq
from collections import deque
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import count
from pathlib import Path
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

from benchmarks.measurements import Measurement
from docs.markers import between_markers
from resolver.handler import RETRY_AFTER_SECONDS
from sdk.time_limits import MARKETPLACE

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator


class Limit(NamedTuple):
    """A token bucket: the sustained rate per second, and the burst that a full bucket admits at once."""

    rate: float
    burst: float


THROTTLE = Limit(10, 20)
"""The construct's default."""

RAISED_THROTTLE = Limit(100, 200)
LAUNCH_THROTTLE = Limit(10, 100)

MARKETPLACE_LIMIT = Limit(10, 10)
"""Of ResolveCustomer. AWS publishes none: the rate is that of BatchMeterUsage, the burst is assumed."""

ENVIRONMENTS = 1_000
"""Lambda's default quota of concurrent executions."""

NEW_ACCOUNT_ENVIRONMENTS = 10

# Assumed. The first four vary uniformly from 0.5 to 1.5 times the value.
START_SECONDS = 1.0
RESOLVE_SECONDS = 0.3
STORE_SECONDS = 0.05
LANDING_SECONDS = 1.0
IDLE_SECONDS = 300
HESITATION_SECONDS = 10
PRESSES = 4

CLAIM_SECONDS = 20
CLAIM_FIRST_PAUSE, CLAIM_LONGEST_PAUSE = 0.25, 4
"""How long ClaimClient retries, and its pauses, which double and vary from half to the whole."""

REDIRECTED_WITHIN_SECONDS = (3, 10, 30)

PAGE = Path(__file__).parents[1] / "docs/scaling.md"

_ALL, _NEARLY_ALL = 100, 99

_THROTTLED = {"Error": {"Code": "ThrottlingException"}}
_REDEEMED = SimpleNamespace(status_code=200)
# The stubs do not know that a Config has its options as attributes.
_SHIPPED: Any = MARKETPLACE


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """How many buyers come, and which limits apply.

    Attributes:
        name: in the table.
        buyers: how many come, each at a uniformly random moment: a Poisson process, conditioned on its count.
        seconds: the period in which they come.
        runs: how many simulations, each with other random numbers.
        throttle: limit of each route of the API.
        shared: whether the routes share one bucket. AWS says that a stage's settings are the default of each route, but
            not whether each has a bucket of its own.
        marketplace: limit of ResolveCustomer.
        environments: Lambda's quota of concurrent executions.
        attempts: how often the SDK calls ResolveCustomer for one request, at most.
        presses: how often a buyer presses the button, at most.
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
    """The result of a simulation.

    Attributes:
        waits: seconds from the first press to the redirect, for each buyer who was redirected.
        never_redirected: how many buyers got an error page for their last press too.
        never_claimed: how many were redirected, but their claim was throttled until the backend gave up.
        calls: how often ResolveCustomer was called.
        peak_environments: how many execution environments were busy at the same time, at most.
    """

    waits: list[float] = field(default_factory=list)
    never_redirected: int = 0
    never_claimed: int = 0
    calls: int = 0
    peak_environments: int = 0

    @property
    def buyers(self) -> int:
        """How many came."""
        return len(self.waits) + self.never_redirected

    def share(self, buyers: int) -> float:
        """Return a number of buyers as a percentage of all."""
        return _ALL * buyers / self.buyers

    def within(self, seconds: float) -> float:
        """Return the percentage of buyers who were redirected within these seconds of their first press."""
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
    """The retries of one execution environment's client, composed as botocore does in the mode ``standard``.

    The retry quota belongs to the execution environment: when most calls fail, the SDK stops retrying.

    Args:
        attempts: how often one request is sent, at most.
        random: stands in for ``random.random`` in botocore.
    """

    def __init__(self, attempts: int, random: Callable[[], float]) -> None:
        adapter = RetryEventAdapter()
        detector = ThrottlingErrorDetector(adapter)
        # The stubs declare another class than the one that botocore passes to the handler.
        self._quota = cast("Any", RetryQuotaChecker(RetryQuota(), detector))
        self._handler = RetryHandler(
            RetryPolicy(
                StandardRetryConditions(attempts), ExponentialBackoff(random=random, throttling_detector=detector)
            ),
            adapter,
            self._quota,
        )

    def throttled(self, attempt: int, request: dict[str, Any]) -> float | None:
        """Return the seconds until a throttled call is retried, None if it is not.

        Args:
            attempt: the first is 1.
            request: botocore's state of one request; empty at first.
        """
        return self._handler.needs_retry(
            response=(None, {**_THROTTLED}),
            operation=None,
            attempts=attempt,
            caught_exception=None,
            request_dict={"context": request},
        )

    def redeemed(self, request: dict[str, Any]) -> None:
        """Return the request's share of the retry quota."""
        self._quota.release_retry_quota(request, _REDEEMED)


class Simulation:
    """One run of a scenario.

    Args:
        scenario: the buyers and the limits.
        random: the only source of randomness, from 0 to 1.
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
        """Simulate all buyers to the end."""
        order = count()
        arrivals = sorted(self._random() * self._scenario.seconds for _ in range(self._scenario.buyers))
        # Simultaneous events happen in the order in which they were scheduled.
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
        self._outcome.never_redirected += 1

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
        retries.redeemed(request)
        yield self._about(STORE_SECONDS)
        self._leave(retries)
        return True

    def _claim(self) -> Iterator[float]:
        yield self._about(LANDING_SECONDS)
        deadline, longest_pause = self._now + CLAIM_SECONDS, CLAIM_FIRST_PAUSE
        while True:
            if (admitted := self._admit(self._claims)) is not None:
                retries, start = admitted
                yield start
                yield self._about(STORE_SECONDS)
                self._leave(retries)
                return
            pause = longest_pause * (0.5 + self._random() / 2)
            longest_pause = min(2 * longest_pause, CLAIM_LONGEST_PAUSE)
            if self._now + pause >= deadline:
                break
            yield pause + self._about(STORE_SECONDS)
        self._outcome.never_claimed += 1

    def _admit(self, route: _Bucket) -> tuple[Retries, float] | None:
        """Return an execution environment's retries and its start-up time; None if the API or Lambda throttles."""
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
        self._outcome.peak_environments = max(self._outcome.peak_environments, self._busy)
        return retries, start

    def _leave(self, retries: Retries) -> None:
        self._busy -= 1
        self._idle.append((self._now, retries))


@cache
def simulate(scenario: Scenario) -> Outcome:
    """Return the outcome of all runs together; the same on every machine."""
    total = Outcome()
    for seed in range(scenario.runs):
        one = Simulation(scenario, Random(seed).random).run()  # noqa: S311 - reproducible, and no secret
        total.waits += one.waits
        total.never_redirected += one.never_redirected
        total.never_claimed += one.never_claimed
        total.calls += one.calls
        total.peak_environments = max(total.peak_environments, one.peak_environments)
    return total


_HOUR = 3_600
_THOUSAND = Scenario(name="1,000 per hour", buyers=1_000, seconds=_HOUR, runs=10)
_THIRTY_THOUSAND = Scenario(name="30,000 per hour", buyers=30_000, seconds=_HOUR)
_HUNDRED_THOUSAND = Scenario(name="100,000 per hour", buyers=100_000, seconds=_HOUR)
LAUNCH = Scenario(name="100 in 5 seconds", buyers=100, seconds=5, runs=100)

SCENARIOS = (
    Scenario(name="10 per hour", buyers=10, seconds=_HOUR, runs=100),
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


def measure() -> list[Measurement]:
    """Return the shares of buyers who are redirected in time, with the settings as shipped."""
    measurements = []
    for scenario in (_THOUSAND, _HUNDRED_THOUSAND, LAUNCH):
        outcome = simulate(scenario)
        measurements += [
            Measurement(name=f"{scenario.name}: redirected within {seconds} s", value=outcome.within(seconds), unit="%")
            for seconds in REDIRECTED_WITHIN_SECONDS
        ]
        lost = outcome.share(outcome.never_redirected + outcome.never_claimed)
        measurements.append(Measurement(name=f"{scenario.name}: lost", value=lost, unit="%"))
    return measurements


def table() -> str:
    """Return the table of docs/scaling.md in Markdown."""
    within = [f"within {seconds} s" for seconds in REDIRECTED_WITHIN_SECONDS]
    head = [
        "buyers",
        "`throttle`",
        "Lambda quota",
        "if nobody presses again",
        *within,
        "never redirected",
        "never claimed",
        "peak execution environments",
    ]
    rows = [head, ["---", "---", *("---:" for _ in head[2:])]]
    for scenario in SCENARIOS:
        alone, outcome = simulate(replace(scenario, presses=1)), simulate(scenario)
        shares = [
            alone.share(len(alone.waits)),
            *map(outcome.within, REDIRECTED_WITHIN_SECONDS),
            outcome.share(outcome.never_redirected),
            outcome.share(outcome.never_claimed),
        ]
        throttle = (
            f"{scenario.throttle.rate}/s, {scenario.throttle.burst}{' for all routes' if scenario.shared else ''}"
        )
        peak = str(outcome.peak_environments)
        rows.append([scenario.name, throttle, f"{scenario.environments:,}", *map(_percent, shares), peak])
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def on_page(page: str) -> str:
    """Return docs/scaling.md with the current table."""
    return between_markers(page, "scaling", table())


def _percent(share: float) -> str:
    """Return whole percents, with 0 and 100 only where they are exact."""
    if 0 < share < 1:
        return "< 1%"
    if _NEARLY_ALL < share < _ALL:
        return f"> {_NEARLY_ALL}%"
    return f"{share:.0f}%"


if __name__ == "__main__":
    PAGE.write_text(on_page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
