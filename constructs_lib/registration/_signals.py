"""The table of signals: one entry for everything that is watched of a registration.

Alarms, the dashboard's graphs, the runbook's table of defaults, the README's table and ``AlarmName`` are made from it;
``make generate`` writes those that are files.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any

from constructs_lib.monitoring._signal import Signal
from constructs_lib.registration._metrics import RegistrationMetrics
from constructs_lib.registration._resolver import TIMEOUT_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from aws_cdk import aws_cloudwatch as cloudwatch

    from constructs_lib.registration.alarm_name import AlarmName


class Graph(StrEnum):
    """The dashboard's graphs that show signals, in their order there."""

    TIME = "Total time (the resolver)"
    API = "API and resolver: errors and throttles"
    MARKETPLACE = "Marketplace: errors and throttles"
    REJECTED = "Tokens and products rejected"
    CLAIMS = "Claims: denied, rejected, missing"
    STORE = "DynamoDB: failed requests"
    TABLE_THROTTLES = "Tables: throttles"
    TABLE_ERRORS = "Tables: DynamoDB errors"


# A product has a few registrations a day, each of them revenue. So where only the operator can fix it, one failure is
# enough. Where the SDK's retries failed and the buyer is asked to press the button again, one may be bad luck; three
# in five minutes are not. Five minutes, because a buyer who tries again does so within them.
_ONE = 1
_NOT_BAD_LUCK = 3

# An expired token is ordinary: a tab left open over lunch. This many in a quarter of an hour mean that someone is
# guessing tokens, or that the listing sends every buyer with a token that cannot be redeemed.
_CROWD = 20

# A buyer who reloads the landing page makes a backend claim a used code again. This many in an hour are no reloads.
_MANY_RELOADS = 10

# A tab that is closed too early, and a button that is pressed twice, each leave a code that is never claimed.
_NOT_A_CLOSED_TAB = 3

_HOUR_MINUTES = 60
_DAY_HOURS = 24

# A fifth of the time limit. One call has timed out and its retry is slow too; beyond that a request ends in a response
# of its own, which other alarms count.
_SLOW_MILLISECONDS = TIMEOUT_SECONDS * 1000 / 5

_AS_ABOVE = "as above"


def _throttled_table(
    metric: Callable[..., cloudwatch.Metric],
    label: str,
    reason: str = "an on-demand table throttles only traffic far above its previous peak",
) -> Signal:
    return Signal(
        metric=metric,
        threshold=_ONE,
        description="DynamoDB throttles the table; the SDK retries, then buyers are asked to. Find out what uses the "
        "table so heavily, or raise its limits.",
        reason=reason,
        graph=Graph.TABLE_THROTTLES,
        label=label,
        runbook="RegistrationsReadThrottled, RegistrationsWriteThrottled, ClaimsReadThrottled, ClaimsWriteThrottled",
    )


def _failing_table(
    metric: Callable[..., cloudwatch.Metric],
    operation: str,
    table: str,
    reason: str = _AS_ABOVE,
) -> Signal:
    def of(registration: RegistrationMetrics, **options: Any) -> cloudwatch.Metric:
        return metric(registration, operation, **options)

    return Signal(
        metric=of,
        threshold=_NOT_BAD_LUCK,
        description="DynamoDB itself fails; the SDK retries, then buyers are asked to. Check the AWS Health "
        "Dashboard; once it is over, contact the buyers who did not return.",
        reason=reason,
        graph=Graph.TABLE_ERRORS,
        label=f"{table}, {operation}",
        runbook="RegistrationsGetItemFails, RegistrationsUpdateItemFails, ClaimsGetItemFails, ClaimsPutItemFails, "
        "ClaimsUpdateItemFails",
    )


SIGNALS: Mapping[AlarmName, Signal] = {
    "ApiServerErrors": Signal(
        metric=RegistrationMetrics.metric_api_server_errors,
        threshold=_NOT_BAD_LUCK,
        description="Buyers get an error page instead of their account. The resolver's log shows which part failed "
        "(status 500 and 503), the access log which errors are API Gateway's own.",
        reason="a single error is usually fixed by the buyer's retry; three are not a coincidence",
        graph=Graph.API,
        label="API 5xx",
        runbook="ApiServerErrors",
    ),
    # At a few registrations a day an outage never has three failures in five minutes. By the hour, so that a buyer who
    # tries again at once counts once; more than a day, so that yesterday's buyer at this hour still counts.
    "RecurringServerErrors": Signal(
        metric=RegistrationMetrics.metric_api_server_errors,
        threshold=_ONE,
        minutes=_HOUR_MINUTES,
        evaluation_periods=2 * _DAY_HOURS,
        datapoints_to_alarm=2,
        description="Buyers keep getting an error page, in two or more of the last 48 hours: too few for a burst, but "
        "it does not pass. The resolver's log shows which part failed (status 500 and 503).",
        reason="one failure may pass; if the next buyer fails too, hours or a day later, nothing has passed",
        graph=Graph.API,
        label="5xx per hour",
        runbook="RecurringServerErrors",
    ),
    "ApiThrottled": Signal(
        metric=RegistrationMetrics.metric_api_throttled,
        threshold=_ONE,
        description="API Gateway throttles requests with 429 before they reach the resolver, possibly buyers' among "
        "them. The access log shows the source addresses: raise throttle, or block the sender.",
        reason="outside a launch, buyers never reach the API's limit",
        graph=Graph.API,
        label="API throttled",
        runbook="ApiThrottled",
    ),
    "ResolverErrors": Signal(
        metric=RegistrationMetrics.metric_resolver_errors,
        threshold=_ONE,
        description="The resolver raised an unhandled error, and a buyer saw API Gateway's bare error. The traceback "
        "is in the resolver's log: roll back the last deployment, then report it.",
        reason="every expected failure is handled; anything left is a bug",
        graph=Graph.API,
        label="Resolver errors",
        runbook="ResolverErrors",
    ),
    "ResolverThrottles": Signal(
        metric=RegistrationMetrics.metric_resolver_throttles,
        threshold=_ONE,
        description="Lambda had no execution environment left for the resolver, and buyers saw API Gateway's bare "
        "error. Find the function that uses up the account's concurrency, or raise it.",
        reason="only the operator can fix it",
        graph=Graph.API,
        label="Resolver throttled",
        runbook="ResolverThrottles",
    ),
    "ResolverSlow": Signal(
        metric=RegistrationMetrics.metric_resolver_duration,
        threshold=_SLOW_MILLISECONDS,
        description="Buyers wait for a fifth of the resolver's time limit or longer. The log line of each request "
        "shows which call takes the time.",
        reason="a fifth of the time limit: a call has timed out and its retry is slow too",
        graph=Graph.TIME,
        label="p99",
        runbook="ResolverSlow",
    ),
    "MarketplaceThrottled": Signal(
        metric=RegistrationMetrics.metric_marketplace_throttled,
        # Retries have failed, and unlike an outage it does not pass while buyers keep coming.
        threshold=_ONE,
        description="AWS Marketplace throttles ResolveCustomer beyond the SDK's retries; buyers are asked to retry. "
        "Check the log: a rush of buyers needs a higher limit from AWS; many invalid tokens mean someone is probing.",
        reason="three attempts failed, and throttling lasts as long as buyers keep coming",
        graph=Graph.MARKETPLACE,
        label="Throttled",
        runbook="MarketplaceThrottled",
    ),
    "MarketplaceUnavailable": Signal(
        metric=RegistrationMetrics.metric_marketplace_unavailable,
        threshold=_NOT_BAD_LUCK,
        description="AWS Marketplace does not respond to ResolveCustomer; buyers are asked to retry. Check the AWS "
        "Health Dashboard; once it is over, contact the buyers who did not return.",
        reason="a single failure may be a coincidence; three are an outage; at a few registrations a day "
        "`RecurringServerErrors` fires",
        graph=Graph.MARKETPLACE,
        label="Unavailable",
        runbook="MarketplaceUnavailable",
    ),
    "MarketplaceRefused": Signal(
        metric=RegistrationMetrics.metric_marketplace_refused,
        threshold=_ONE,
        description="AWS Marketplace denies the resolver, and no buyer can register until you act. The reason in the "
        "log line says why: AccessDenied is about the seller's role, AccessDeniedException about the account.",
        reason="only the operator can fix it, and nobody can register until then",
        graph=Graph.MARKETPLACE,
        label="Denied",
        runbook="MarketplaceRefused",
    ),
    "StoreUnavailable": Signal(
        metric=RegistrationMetrics.metric_store_unavailable,
        # Throttled or down is rare, and denied or deleted needs the operator.
        threshold=_ONE,
        description="DynamoDB fails or denies the resolver beyond the SDK's retries; buyers are asked to retry. The "
        "reason in the log line says whether it is throttled, denied or down.",
        reason="retrying did not help: rare for DynamoDB itself, certain with a missing permission",
        graph=Graph.STORE,
        label="DynamoDB unavailable",
        runbook="StoreUnavailable",
    ),
    "TokensRefused": Signal(
        metric=RegistrationMetrics.metric_tokens_refused,
        threshold=_CROWD,
        minutes=15,
        description="Far more registration tokens are rejected than usual. Either someone is guessing tokens, or the "
        "listing is broken and rejects real buyers: press its button yourself.",
        reason="an occasional expired token is normal; many at once are not",
        graph=Graph.REJECTED,
        label="Tokens",
        runbook="TokensRefused",
    ),
    "ProductsRefused": Signal(
        metric=RegistrationMetrics.metric_products_refused,
        # Marketplace redeems tokens of the seller's own products only.
        threshold=_ONE,
        description="A buyer of a product that is not in products was rejected, as every other buyer of it will be. "
        "The log line names the product code: add it with its landing page, or correct the listing.",
        reason="Marketplace redeems only tokens of your own products, so one is missing from `products`",
        graph=Graph.REJECTED,
        label="Products",
        runbook="ProductsRefused",
    ),
    "ClaimsDenied": Signal(
        metric=RegistrationMetrics.metric_claims_denied,
        threshold=_ONE,
        description="API Gateway denied a claim with 403, and the buyer is stuck on the landing page. The backend "
        "signs wrongly or has lost its permission; if the access log has no address of yours, it was a stranger.",
        reason="only the operator can fix it, and no buyer gets past the landing page until then",
        graph=Graph.CLAIMS,
        label="Denied",
        runbook="ClaimsDenied",
    ),
    "ClaimsRefused": Signal(
        metric=RegistrationMetrics.metric_claims_refused,
        threshold=_MANY_RELOADS,
        minutes=_HOUR_MINUTES,
        description="Far more registration codes are rejected than usual. The backend claims too late or in a loop, or "
        "someone with its credentials is guessing codes: the access log shows who.",
        reason="a reloaded landing page claims a used code; ten in an hour are no reloads",
        graph=Graph.CLAIMS,
        label="Rejected",
        runbook="ClaimsRefused",
    ),
    # One period, not several: of an outage only its beginning and its end are in doubt, and at one registration a day
    # the third buyer must still count with the first.
    "CodesUnclaimed": Signal(
        metric=RegistrationMetrics.metric_codes_unclaimed,
        threshold=_NOT_A_CLOSED_TAB,
        minutes=3 * _DAY_HOURS * _HOUR_MINUTES,
        description="Buyers register, but the product does not claim their registrations: they have no account. Open "
        "the landing page as a test buyer, and contact the buyers that the lost-buyers query lists as registered.",
        reason="a closed tab leaves one code unclaimed; three in three days are a landing page that does not claim",
        graph=Graph.CLAIMS,
        label="Unclaimed",
        runbook="CodesUnclaimed",
    ),
    "RegistrationsReadThrottled": _throttled_table(
        RegistrationMetrics.metric_registrations_read_throttled, "Registrations, read"
    ),
    "RegistrationsWriteThrottled": _throttled_table(
        RegistrationMetrics.metric_registrations_write_throttled, "Registrations, write", _AS_ABOVE
    ),
    "ClaimsReadThrottled": _throttled_table(
        RegistrationMetrics.metric_claims_read_throttled, "Claims, read", _AS_ABOVE
    ),
    "ClaimsWriteThrottled": _throttled_table(
        RegistrationMetrics.metric_claims_write_throttled, "Claims, write", _AS_ABOVE
    ),
    "RegistrationsGetItemFails": _failing_table(
        RegistrationMetrics.metric_registrations_system_errors,
        "GetItem",
        "Registrations",
        "the SDK's retry handles single failures",
    ),
    "RegistrationsUpdateItemFails": _failing_table(
        RegistrationMetrics.metric_registrations_system_errors, "UpdateItem", "Registrations"
    ),
    "ClaimsGetItemFails": _failing_table(RegistrationMetrics.metric_claims_system_errors, "GetItem", "Claims"),
    "ClaimsPutItemFails": _failing_table(RegistrationMetrics.metric_claims_system_errors, "PutItem", "Claims"),
    "ClaimsUpdateItemFails": _failing_table(RegistrationMetrics.metric_claims_system_errors, "UpdateItem", "Claims"),
}
"""Alarm name to signal, in the order in which they are listed everywhere."""
