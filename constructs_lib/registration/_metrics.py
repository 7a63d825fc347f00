"""The public metrics of a registration construct."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aws_cdk import aws_cloudwatch as cloudwatch

from constructs_lib.registration._outcomes import CODES_UNCLAIMED

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aws_cdk import aws_apigatewayv2 as apigwv2
    from aws_cdk import aws_dynamodb as dynamodb
    from aws_cdk import aws_lambda as lambda_

    from constructs_lib.monitoring._log_metrics import LogMetrics


class RegistrationMetrics:
    """Makes the metrics; ``MarketplaceRegistration`` inherits them and sets what they are about."""

    _api: apigwv2.HttpApi
    _resolver: lambda_.Function
    _table: dynamodb.ITableV2
    _claims_table: dynamodb.ITableV2
    _log_metrics: LogMetrics

    def metric(self, name: str, **options: Any) -> cloudwatch.Metric:
        """Return the sum of one of the metrics that are derived from the logs, such as ``Registrations``.

        Raises:
            ValueError: there is none of that name; the message lists them.
        """
        return self._log_metrics.metric(name, **options)

    def metric_registrations(self, **options: Any) -> cloudwatch.Metric:
        """Return the sum of the registrations, first and repeated; ``options`` are CDK's MetricOptions."""
        return self.metric("Registrations", **options)

    def metric_claims(self, **options: Any) -> cloudwatch.Metric:
        """Return the sum of the registration codes that were claimed; ``options`` are CDK's MetricOptions."""
        return self.metric("Claims", **options)

    def metric_bad_requests(self, **options: Any) -> cloudwatch.Metric:
        """Return the sum of the requests that had no registration token or could not be read."""
        return self.metric("BadRequests", **options)

    def metric_tokens_refused(self, **options: Any) -> cloudwatch.Metric:
        """Return the sum of the registration tokens that were invalid or had expired."""
        return self.metric("TokensRefused", **options)

    def metric_products_refused(self, **options: Any) -> cloudwatch.Metric:
        """Return the sum of the registration tokens for products that are not in ``products``."""
        return self.metric("ProductsRefused", **options)

    def metric_claims_refused(self, **options: Any) -> cloudwatch.Metric:
        """Return the sum of the claims whose registration code was unknown, used or expired."""
        return self.metric("ClaimsRefused", **options)

    def metric_claims_denied(self, **options: Any) -> cloudwatch.Metric:
        """Return the sum of the claims that API Gateway denied with 403: not signed, wrongly signed or not granted."""
        return self.metric("ClaimsDenied", **options)

    def metric_codes_unclaimed(self, **options: Any) -> cloudwatch.Metric:
        """Return the registration codes that were issued, less those that were claimed.

        Only its sum has a meaning. A claim that is repeated with the same ``Idempotency-Key`` is taken off again.
        """
        return self.metric(CODES_UNCLAIMED, **options)

    def metric_marketplace_time(self, **options: Any) -> cloudwatch.Metric:
        """Return the 99th percentile of the time that ResolveCustomer took, retries included, in milliseconds."""
        return self.metric("MarketplaceTime", **{"statistic": cloudwatch.Stats.p(99), **options})

    def metric_store_time(self, **options: Any) -> cloudwatch.Metric:
        """Return the 99th percentile of the time that writing a registration took, in milliseconds."""
        return self.metric("StoreTime", **{"statistic": cloudwatch.Stats.p(99), **options})

    def metric_resolver_duration(self, **options: Any) -> cloudwatch.Metric:
        """Return the 99th percentile of the resolver's time for a request, in milliseconds."""
        return self._resolver.metric_duration(**{"statistic": cloudwatch.Stats.p(99), **options})

    def metric_registrations_system_errors(self, operation: str, **options: Any) -> cloudwatch.Metric:
        """Return the sum of DynamoDB's own errors on the registrations table, by operation such as ``UpdateItem``."""
        return _system_errors(self._table, operation, options)

    def metric_claims_system_errors(self, operation: str, **options: Any) -> cloudwatch.Metric:
        """Return the sum of DynamoDB's own errors on the claims table, by operation such as ``PutItem``."""
        return _system_errors(self._claims_table, operation, options)

    def metric_marketplace_throttled(self, **options: Any) -> cloudwatch.Metric:
        """Return the sum of the registrations that Marketplace throttled beyond the SDK's retries."""
        return self.metric("MarketplaceThrottled", **options)

    def metric_marketplace_unavailable(self, **options: Any) -> cloudwatch.Metric:
        """Return the sum of the registrations for which Marketplace failed or did not respond."""
        return self.metric("MarketplaceUnavailable", **options)

    def metric_marketplace_refused(self, **options: Any) -> cloudwatch.Metric:
        """Return the sum of the registrations for which Marketplace denied the seller."""
        return self.metric("MarketplaceRefused", **options)

    def metric_store_unavailable(self, **options: Any) -> cloudwatch.Metric:
        """Return the sum of the requests for which DynamoDB failed beyond the SDK's retries."""
        return self.metric("StoreUnavailable", **options)

    def metric_api_throttled(self, **options: Any) -> cloudwatch.Metric:
        """Return the sum of the API's 429 responses."""
        return self.metric("ApiThrottled", **options)

    def metric_api_server_errors(self, **options: Any) -> cloudwatch.Metric:
        """Return the sum of the API's 5xx responses."""
        return self._api.metric_server_error(**{"statistic": cloudwatch.Stats.SUM, **options})

    def metric_resolver_errors(self, **options: Any) -> cloudwatch.Metric:
        """Return the sum of the resolver's unhandled errors."""
        return self._resolver.metric_errors(**options)

    def metric_resolver_throttles(self, **options: Any) -> cloudwatch.Metric:
        """Return the sum of the resolver's invocations that Lambda throttled."""
        return self._resolver.metric_throttles(**options)

    def metric_registrations_read_throttled(self, **options: Any) -> cloudwatch.Metric:
        """Return the sum of the throttled reads of the registrations table."""
        return _throttled(self._table, "Read", options)

    def metric_registrations_write_throttled(self, **options: Any) -> cloudwatch.Metric:
        """Return the sum of the throttled writes to the registrations table."""
        return _throttled(self._table, "Write", options)

    def metric_claims_read_throttled(self, **options: Any) -> cloudwatch.Metric:
        """Return the sum of the throttled reads of the claims table."""
        return _throttled(self._claims_table, "Read", options)

    def metric_claims_write_throttled(self, **options: Any) -> cloudwatch.Metric:
        """Return the sum of the throttled writes to the claims table."""
        return _throttled(self._claims_table, "Write", options)


def _throttled(table: dynamodb.ITableV2, kind: str, options: Mapping[str, Any]) -> cloudwatch.Metric:
    return table.metric(f"{kind}ThrottleEvents", **{"statistic": cloudwatch.Stats.SUM, **options})


def _system_errors(table: dynamodb.ITableV2, operation: str, options: Mapping[str, Any]) -> cloudwatch.Metric:
    # The metric has no value for all operations together. CDK's own method would add them up in an expression, and
    # rejects a table that it did not make.
    return cloudwatch.Metric(
        namespace="AWS/DynamoDB",
        metric_name="SystemErrors",
        dimensions_map={"TableName": table.table_name, "Operation": operation},
        **{"statistic": cloudwatch.Stats.SUM, **options},
    )
