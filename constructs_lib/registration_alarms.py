"""The alarms, made from the public metrics only."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Literal, cast, get_args

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from constructs_lib.resolver_function import TIMEOUT_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from constructs_lib.marketplace_registration import MarketplaceRegistration

AlarmName = Literal[
    "ApiServerErrors",
    "ApiThrottled",
    "ResolverErrors",
    "ResolverThrottles",
    "ResolverSlow",
    "MarketplaceThrottled",
    "MarketplaceUnavailable",
    "MarketplaceRefused",
    "StoreUnavailable",
    "TokensRefused",
    "ProductsRefused",
    "RegistrationsReadThrottled",
    "RegistrationsWriteThrottled",
    "RegistrationsGetItemFails",
    "RegistrationsUpdateItemFails",
    "ClaimsReadThrottled",
    "ClaimsWriteThrottled",
    "ClaimsGetItemFails",
    "ClaimsPutItemFails",
    "ClaimsUpdateItemFails",
]

ALARM_NAMES: tuple[AlarmName, ...] = get_args(AlarmName)


@dataclass(frozen=True, kw_only=True)
class AlarmSettings:
    """What a seller changes of one alarm; what is None stays as it is by default.

    Attributes:
        threshold: the value from which on a period is bad; milliseconds for ``ResolverSlow``, else a count.
        period: over which the metric is taken.
        evaluation_periods: how many periods are looked at.
        datapoints_to_alarm: how many of them must be bad.
    """

    threshold: float | None = None
    period: Duration | None = None
    evaluation_periods: int | None = None
    datapoints_to_alarm: int | None = None


@dataclass(frozen=True, kw_only=True)
class _Watch:
    """A metric, the value from which on a period of it is bad, and what to say to the person it wakes."""

    metric: Callable[..., cloudwatch.Metric]
    threshold: float
    description: str
    minutes: int = 5


# A product has a few registrations a day, each of them revenue. So where only the operator can mend it, one failure is
# enough. Where the SDK's retries were not enough and the buyer is asked to press the button again, one may be bad luck;
# three in five minutes are not. Five minutes, as a buyer who tries again does so within them.
_ONE = 1
_NOT_BAD_LUCK = 3

# An expired token is ordinary: a tab left open over lunch. This many in a quarter of an hour are somebody who tries
# tokens, or a listing whose buyers all come with tokens that cannot be redeemed.
_CROWD = 20

# A fifth of the time limit. One call has timed out and its repeat is slow too; further on the request would end in an
# answer of its own, which other alarms count.
_SLOW_MILLISECONDS = TIMEOUT_SECONDS * 1000 / 5


def _watches(registration: MarketplaceRegistration) -> dict[AlarmName, _Watch]:
    watches: dict[AlarmName, _Watch] = {
        "ApiServerErrors": _Watch(
            metric=registration.metric_api_server_errors,
            threshold=_NOT_BAD_LUCK,
            description="Buyers get an error page in place of their account. The resolver's log says which part "
            "failed (status 500 and 503), the access log which errors are the gateway's own.",
        ),
        "ApiThrottled": _Watch(
            metric=registration.metric_api_throttled,
            threshold=_ONE,
            description="Requests are turned away with 429 before they reach the resolver, buyers' perhaps among "
            "them. The access log says who sends so many: raise throttle, or have the sender stopped.",
        ),
        "ResolverErrors": _Watch(
            metric=registration.metric_resolver_errors,
            threshold=_ONE,
            description="The resolver failed in a way that it does not know, and a buyer got the gateway's bare "
            "error. Its log has the traceback: go back to the release before, and report it.",
        ),
        "ResolverThrottles": _Watch(
            metric=registration.metric_resolver_throttles,
            threshold=_ONE,
            description="Lambda had no environment left for the resolver, and buyers got the gateway's bare error. "
            "See which function uses up the account's concurrency, or raise it.",
        ),
        "ResolverSlow": _Watch(
            metric=registration.metric_resolver_duration,
            threshold=_SLOW_MILLISECONDS,
            description="Buyers wait for a fifth of the resolver's time limit or longer. The log line of each request "
            "says which call takes the time.",
        ),
        "MarketplaceThrottled": _Watch(
            metric=registration.metric_marketplace_throttled,
            # Retries have failed, and unlike an outage it does not pass while buyers keep coming.
            threshold=_ONE,
            description="AWS Marketplace throttles ResolveCustomer beyond the SDK's retries; buyers are asked to try "
            "again. See whether buyers come in a crowd or somebody sends tokens, and ask AWS for a higher limit.",
        ),
        "MarketplaceUnavailable": _Watch(
            metric=registration.metric_marketplace_unavailable,
            threshold=_NOT_BAD_LUCK,
            description="AWS Marketplace does not answer ResolveCustomer; buyers are asked to try again. Look at the "
            "AWS Health Dashboard; when it has passed, write to the buyers who did not come back.",
        ),
        "MarketplaceRefused": _Watch(
            metric=registration.metric_marketplace_refused,
            threshold=_ONE,
            description="AWS Marketplace refuses the resolver, and no buyer can register until you act. The log "
            "line's reason says why: AccessDenied is the seller's role, AccessDeniedException the account.",
        ),
        "StoreUnavailable": _Watch(
            metric=registration.metric_store_unavailable,
            # Throttled or down is rare, and denied or deleted is the operator's.
            threshold=_ONE,
            description="DynamoDB fails or refuses the resolver beyond the SDK's retries; buyers are asked to try "
            "again. The log line's reason says whether it is throttled, denied or down.",
        ),
        "TokensRefused": _Watch(
            metric=registration.metric_tokens_refused,
            threshold=_CROWD,
            minutes=15,
            description="Far more registration tokens are refused than usual. Either somebody tries tokens, or the "
            "listing sends buyers with tokens that cannot be redeemed: press its button yourself.",
        ),
        "ProductsRefused": _Watch(
            metric=registration.metric_products_refused,
            # Marketplace redeems tokens of the seller's own products only.
            threshold=_ONE,
            description="A buyer of a product that is not in products was turned away, as every other buyer of it "
            "will be. The log line names the product code: add it with its landing page, or correct the listing.",
        ),
    }
    throttled = {
        "RegistrationsReadThrottled": registration.metric_registrations_read_throttled,
        "RegistrationsWriteThrottled": registration.metric_registrations_write_throttled,
        "ClaimsReadThrottled": registration.metric_claims_read_throttled,
        "ClaimsWriteThrottled": registration.metric_claims_write_throttled,
    }
    for name, metric in throttled.items():
        # An on-demand table throttles only what is far above anything seen before.
        watches[cast("AlarmName", name)] = _Watch(
            metric=metric,
            threshold=_ONE,
            description="DynamoDB throttles the table; the SDK tries again, then buyers are asked to. See who uses "
            "the table so much, or raise its limits.",
        )
    fails: dict[str, tuple[Callable[..., cloudwatch.Metric], tuple[str, ...]]] = {
        "Registrations": (registration.metric_registrations_system_errors, ("GetItem", "UpdateItem")),
        "Claims": (registration.metric_claims_system_errors, ("GetItem", "PutItem", "UpdateItem")),
    }
    for table, (metric, operations) in fails.items():
        for operation in operations:
            watches[cast("AlarmName", f"{table}{operation}Fails")] = _Watch(
                metric=partial(metric, operation),
                # The SDK's retries get past single ones.
                threshold=_NOT_BAD_LUCK,
                description="DynamoDB itself fails; the SDK tries again, then buyers are asked to. Look at the AWS "
                "Health Dashboard; when it has passed, write to the buyers who did not come back.",
            )
    return watches


class RegistrationAlarms(Construct):
    """Watches one registration.

    Args:
        registration: whose metrics are watched.
        actions: what every alarm does.
        settings: what is changed of an alarm, or None to leave it out.

    Attributes:
        alarms: name to alarm.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        registration: MarketplaceRegistration,
        actions: Sequence[cloudwatch.IAlarmAction],
        settings: Mapping[AlarmName, AlarmSettings | None],
    ) -> None:
        super().__init__(scope, construct_id)
        self.alarms = {
            name: self._alarm(name, watch, chosen)
            for name, watch in _watches(registration).items()
            if (chosen := settings.get(name, AlarmSettings())) is not None
        }
        for alarm in self.alarms.values():
            alarm.add_alarm_action(*actions)

    def _alarm(self, name: AlarmName, watch: _Watch, chosen: AlarmSettings) -> cloudwatch.Alarm:
        return cloudwatch.Alarm(
            self,
            name,
            metric=watch.metric(period=chosen.period or Duration.minutes(watch.minutes)),
            threshold=watch.threshold if chosen.threshold is None else chosen.threshold,
            evaluation_periods=chosen.evaluation_periods or 1,
            datapoints_to_alarm=chosen.datapoints_to_alarm or 1,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
            # Nothing is published while nothing happens, which is most of a day.
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
            alarm_description=f"{watch.description} (docs/runbook.md, {name})",
        )
