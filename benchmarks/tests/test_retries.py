"""The simulation, checked by cases that can be worked out by hand, and docs/scaling.md, checked by the simulation."""

from __future__ import annotations

import inspect
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.hooks import first_non_none_response

from benchmarks import retries
from benchmarks.retries import Limit, Outcome, Scenario, Simulation, simulate
from constructs_lib.claims import ClaimClient, claim_client
from resolver.handler import RETRY_AFTER_SECONDS
from sdk.time_limits import MARKETPLACE

ROOT = Path(retries.__file__).parent.parent
UNLIMITED = Limit(1e9, 1e9)
TWO_AT_ONCE = Scenario(buyers=2, seconds=0, throttle=UNLIMITED, marketplace=UNLIMITED)

# With every random number a half, each time is as assumed, and the SDK waits for half of its maximum delay.
COLD = retries.START_SECONDS + retries.RESOLVE_SECONDS + retries.STORE_SECONDS
WARM = COLD - retries.START_SECONDS
PRESSES_AGAIN_AFTER = RETRY_AFTER_SECONDS + retries.HESITATION_SECONDS / 2


def run(scenario: Scenario, *first: float) -> Outcome:
    numbers = iter(first)
    return Simulation(scenario, lambda: next(numbers, 0.5)).run()


def test_the_retries_are_those_of_the_configured_client() -> None:
    client = boto3.client(
        "meteringmarketplace",
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=MARKETPLACE,
    )
    operation = client.meta.service_model.operation_model("ResolveCustomer")

    def botocores(attempt: int, request: dict[str, Any]) -> Any:
        responses = client.meta.events.emit(
            "needs-retry.marketplace-metering.ResolveCustomer",
            response=(None, {"Error": {"Code": "ThrottlingException"}}),
            endpoint=None,
            operation=operation,
            attempts=attempt,
            caught_exception=None,
            request_dict={"context": request},
        )
        return first_non_none_response(responses)

    simulated = retries.Retries(Scenario(buyers=1, seconds=0).attempts, random.random)
    waits = []
    for throttled in (botocores, simulated.throttled):
        random.seed(7)
        requests: list[dict[str, Any]] = [{} for _ in range(60)]
        waits.append([throttled(attempt, request) for request in requests for attempt in (1, 2, 3)])

    assert waits[0] == waits[1]
    # The third attempt is the last. Two retries take ten of the quota of 500: after fifty requests nothing is retried.
    assert [wait is None for wait in waits[0]] == [False, False, True] * 50 + [True] * 30


def test_without_a_limit_every_buyer_is_redirected_immediately() -> None:
    outcome = run(TWO_AT_ONCE)

    assert outcome.waits == [pytest.approx(COLD)] * 2
    assert (outcome.never_redirected, outcome.never_claimed) == (0, 0)
    assert (outcome.calls, outcome.peak_environments) == (2, 2)


def test_no_buyer_is_redirected_if_marketplace_throttles_every_call() -> None:
    outcome = run(replace(TWO_AT_ONCE, marketplace=Limit(0, 0)))

    assert (outcome.waits, outcome.never_redirected) == ([], 2)
    assert outcome.calls == 2 * retries.PRESSES * 3


def test_no_buyer_is_redirected_if_the_api_throttles_every_request() -> None:
    outcome = run(replace(TWO_AT_ONCE, throttle=Limit(0, 0)))

    assert (outcome.waits, outcome.never_redirected, outcome.calls) == ([], 2, 0)


def test_a_call_above_the_limit_is_retried_after_the_sdks_delay() -> None:
    outcome = run(replace(TWO_AT_ONCE, marketplace=Limit(10, 1)))

    first_retry = 0.5 * 1
    assert outcome.waits == [pytest.approx(COLD), pytest.approx(COLD + first_retry + retries.RESOLVE_SECONDS)]
    assert outcome.calls == 3


def test_the_second_retry_waits_longer() -> None:
    # The bucket has its next token two seconds after the first buyer: too late for the first retry.
    outcome = run(replace(TWO_AT_ONCE, marketplace=Limit(0.5, 1)))

    both_retries = 0.5 * 1 + 0.5 * 2
    assert outcome.waits[1] == pytest.approx(COLD + both_retries + 2 * retries.RESOLVE_SECONDS)
    assert outcome.calls == 4


@pytest.mark.parametrize("limited", [{"throttle": Limit(1, 1)}, {"environments": 1}])
def test_a_buyer_throttled_by_the_api_or_lambda_presses_again(limited: dict[str, Any]) -> None:
    outcome = run(replace(TWO_AT_ONCE, **limited))

    assert outcome.waits == [pytest.approx(COLD), pytest.approx(PRESSES_AGAIN_AFTER + WARM)]
    assert outcome.calls == 2


def test_a_buyer_whose_last_attempt_is_throttled_presses_again() -> None:
    outcome = run(replace(TWO_AT_ONCE, attempts=1, marketplace=Limit(1, 1)))

    waits = [COLD, retries.START_SECONDS + retries.RESOLVE_SECONDS + PRESSES_AGAIN_AFTER + WARM]
    assert outcome.waits == [pytest.approx(wait) for wait in waits]


def test_claims_count_against_the_registrations_throttle_only_if_the_routes_share_it() -> None:
    one = replace(TWO_AT_ONCE, buyers=1, throttle=Limit(0, 1))

    assert run(one).never_claimed == 0
    assert run(replace(one, shared=True)).never_claimed == 1


@pytest.mark.parametrize(("seconds", "wait"), [(retries.IDLE_SECONDS, WARM), (2 * retries.IDLE_SECONDS, COLD)])
def test_an_execution_environment_is_reused_until_it_has_been_idle_for_too_long(seconds: float, wait: float) -> None:
    outcome = run(replace(TWO_AT_ONCE, seconds=seconds), 0, 1)

    assert outcome.waits == [pytest.approx(COLD), pytest.approx(wait)]


def test_an_execution_environment_stops_retrying_when_nearly_every_call_fails() -> None:
    one_after_the_other = [number / 60 for number in range(60)]
    scenario = replace(TWO_AT_ONCE, buyers=60, seconds=6_000, marketplace=Limit(0, 0), presses=1)

    assert run(scenario, *one_after_the_other).calls == 50 * 3 + 10


@pytest.mark.parametrize("scenario", retries.SCENARIOS)
def test_every_buyer_is_counted_once(scenario: Scenario) -> None:
    outcome = simulate(scenario)

    assert len(outcome.waits) + outcome.never_redirected == scenario.buyers * scenario.runs
    assert outcome.never_claimed <= len(outcome.waits)
    assert outcome.within(3) <= outcome.within(10) <= outcome.within(30)


@pytest.mark.parametrize("scenario", [scenario for scenario in retries.SCENARIOS if scenario.buyers <= 1_000])
def test_the_outcome_is_the_same_every_time(scenario: Scenario) -> None:
    assert simulate.__wrapped__(scenario) == simulate(scenario)


def test_the_measurements_are_shares() -> None:
    measurements = retries.measure()

    assert len(measurements) == 12
    assert {measurement.unit for measurement in measurements} == {"%"}
    assert all(0 <= measurement.value <= 100 for measurement in measurements)
    assert [measurement.value for measurement in measurements[:4]] == [100, 100, 100, 0]


def page(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def test_the_table_on_the_page_is_current() -> None:
    text = page("docs/scaling.md")

    assert retries.on_page(text) == text, "run make generate"


def test_the_text_agrees_with_the_table() -> None:
    text = page("docs/scaling.md")
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| 100,000 per hour |")]
    alone, peak = {row[1]: row[3].rstrip("%") for row in rows}, {row[1]: row[-1] for row in rows}

    assert f" {alone['10/s, 20']} of 100 buyers get through" in text
    assert f" {peak['100/s, 200']} while Marketplace throttles" in text
    assert f"The {peak['100/s, 200']} and the {peak['10/s, 20']} are from the" in text


def test_the_page_lists_the_assumptions() -> None:
    text = page("docs/scaling.md")

    for seconds in (
        retries.START_SECONDS,
        retries.RESOLVE_SECONDS,
        retries.STORE_SECONDS,
        retries.LANDING_SECONDS,
        retries.IDLE_SECONDS,
        retries.HESITATION_SECONDS,
    ):
        assert f"| {seconds:g} s | " in text
    assert f"| {retries.PRESSES} | " in text
    assert "| {:g}/s, {:g} | ".format(*retries.MARKETPLACE_LIMIT) in text


def test_the_page_states_the_effect_of_another_burst_of_marketplace() -> None:
    shares = []
    for burst in (1, 10, 50):
        outcome = simulate(replace(retries.LAUNCH, marketplace=Limit(10, burst), presses=1))
        shares.append(round(outcome.share(len(outcome.waits))))

    small, assumed, large = shares
    sentence = (
        f"with a burst of 1 the first press is enough for {small} of 100 buyers, with 50 for {large}, not for {assumed}"
    )
    assert sentence in page("docs/scaling.md")


def test_a_claim_is_retried_as_the_client_retries_it() -> None:
    assert inspect.signature(ClaimClient).parameters["timeout"].default == retries.CLAIM_SECONDS
    pauses = claim_client._FIRST_PAUSE, claim_client._LONGEST_PAUSE
    assert pauses == (retries.CLAIM_FIRST_PAUSE, retries.CLAIM_LONGEST_PAUSE)


def test_the_constants_agree_with_the_pages_that_state_them() -> None:
    assert "| `throttle` | {:g}/s, burst {:g} |".format(*retries.THROTTLE) in page("README.md")
    assert f"until {retries.CLAIM_SECONDS} seconds have passed" in page("docs/claiming.md")
    assert f" and `Retry-After: {RETRY_AFTER_SECONDS}` |" in page("docs/scaling.md")
