"""Two products with one fulfillment URL on your own domain: ``https://marketplace.example.com/register``.

The domain's zone is in Route 53 here. With another DNS provider, omit the record and point your own CNAME at
``domain.regional_domain_name``; the certificate then waits until you add the record that ACM asks for.

    cdk deploy --app "python -m examples.two_products.app"
"""

from aws_cdk import App, CfnOutput, Stack
from aws_cdk import aws_apigatewayv2 as apigwv2
from aws_cdk import aws_certificatemanager as acm
from aws_cdk import aws_route53 as route53
from aws_cdk import aws_route53_targets as route53_targets

from constructs_lib import MarketplaceRegistration


def build(app: App) -> None:
    """Add the example's stack to the app."""
    stack = Stack(app, "TwoProducts")
    name = "marketplace.example.com"
    zone = route53.HostedZone.from_hosted_zone_attributes(
        stack, "Zone", hosted_zone_id="Z0123456789ABCDEFGHIJ", zone_name="example.com"
    )
    # The certificate of an HTTP API must be in the API's region.
    certificate = acm.Certificate(
        stack, "Certificate", domain_name=name, validation=acm.CertificateValidation.from_dns(zone)
    )
    domain = apigwv2.DomainName(stack, "Domain", domain_name=name, certificate=certificate)
    registration = MarketplaceRegistration(
        stack,
        "Registration",
        products={
            "a290sds6en72spp3ph4q890es": "https://app.example.com/signup",
            # The registration code is added to the landing page's own query.
            "b290sds6en72spp3ph4q890es": "https://reports.example.com/signup?from=aws",
        },
        domain=apigwv2.DomainMappingOptions(domain_name=domain),
    )
    route53.ARecord(
        stack,
        "Record",
        zone=zone,
        record_name=name,
        target=route53.RecordTarget.from_alias(
            route53_targets.ApiGatewayv2DomainProperties(domain.regional_domain_name, domain.regional_hosted_zone_id)
        ),
    )
    CfnOutput(stack, "FulfillmentUrl", value=registration.fulfillment_url)
    CfnOutput(stack, "ClaimUrl", value=registration.claim_url)


if __name__ == "__main__":
    app = App()
    build(app)
    app.synth()
