"""The alarms, made from the public metrics only."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

if TYPE_CHECKING:
    from collections.abc import Sequence

    from constructs_lib.marketplace_registration import MarketplaceRegistration


class _Watch(NamedTuple):
    """A metric, the value from which on it is wrong, and what to say to the person it wakes."""

    metric: cloudwatch.Metric
    threshold: float
    description: str


class RegistrationAlarms(Construct):
    """Watches one registration.

    Args:
        registration: whose metrics are watched.
        actions: what every alarm does.

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
    ) -> None:
        super().__init__(scope, construct_id)
        # A product has a few registrations a day, each of them revenue: where nobody but the operator can mend it, or
        # the SDK's retries have already failed, one in five minutes is enough. Single failures that the next press of
        # the button gets past are not worth waking somebody.
        period = {"period": Duration.minutes(5)}
        watches = {
            "ApiServerErrors": _Watch(
                registration.metric_api_server_errors(**period),
                3,
                "Buyers are answered with 5xx. The resolver's log says why: look for status 500 and 503.",
            ),
            "ApiThrottled": _Watch(
                registration.metric_api_throttled(**period),
                1,
                "Requests are answered 429 before they reach the resolver. Raise throttle, or find who floods the API.",
            ),
            "ResolverErrors": _Watch(
                registration.metric_resolver_errors(**period),
                1,
                "The resolver failed in a way that it does not know. Its log has the traceback.",
            ),
            "ResolverThrottles": _Watch(
                registration.metric_resolver_throttles(**period),
                1,
                "Lambda has no environment left for the resolver. Raise the account's concurrency.",
            ),
            "MarketplaceThrottled": _Watch(
                registration.metric_marketplace_throttled(**period),
                1,
                "AWS Marketplace throttles ResolveCustomer beyond the SDK's retries. Buyers are asked to try again.",
            ),
            "MarketplaceUnavailable": _Watch(
                registration.metric_marketplace_unavailable(**period),
                3,
                "AWS Marketplace does not answer ResolveCustomer. Buyers are asked to try again.",
            ),
            "MarketplaceRefused": _Watch(
                registration.metric_marketplace_refused(**period),
                1,
                "AWS Marketplace refuses the resolver: wrong account, role or region. No buyer can register.",
            ),
            "StoreUnavailable": _Watch(
                registration.metric_store_unavailable(**period),
                1,
                "DynamoDB refuses or fails the resolver beyond the SDK's retries. Buyers are asked to try again.",
            ),
            "RegistrationsReadThrottled": _Watch(
                registration.metric_registrations_read_throttled(**period),
                1,
                "Reads of the registrations are throttled.",
            ),
            "RegistrationsWriteThrottled": _Watch(
                registration.metric_registrations_write_throttled(**period),
                1,
                "Writes of the registrations are throttled.",
            ),
            "ClaimsReadThrottled": _Watch(
                registration.metric_claims_read_throttled(**period), 1, "Reads of the claims are throttled."
            ),
            "ClaimsWriteThrottled": _Watch(
                registration.metric_claims_write_throttled(**period), 1, "Writes of the claims are throttled."
            ),
        }
        self.alarms = {
            name: cloudwatch.Alarm(
                self,
                name,
                metric=watch.metric,
                threshold=watch.threshold,
                comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
                evaluation_periods=1,
                # Nothing is published while nothing happens.
                treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
                alarm_description=watch.description,
            )
            for name, watch in watches.items()
        }
        for alarm in self.alarms.values():
            alarm.add_alarm_action(*actions)
