"""The app of a seller of two products, with a custom domain, a KMS key and a topic for alarms."""

from aws_cdk import App, Environment, Stack
from aws_cdk import aws_apigatewayv2 as apigwv2
from aws_cdk import aws_certificatemanager as acm
from aws_cdk import aws_cloudwatch_actions as cloudwatch_actions
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns

from constructs_lib import MarketplaceRegistration

app = App()
stack = Stack(app, "TwoProducts", env=Environment(account="111122223333", region="eu-west-1"))
domain = apigwv2.DomainName(
    stack,
    "Domain",
    domain_name="marketplace.example.com",
    certificate=acm.Certificate.from_certificate_arn(
        stack, "Certificate", "arn:aws:acm:eu-west-1:111122223333:certificate/1"
    ),
)
MarketplaceRegistration(
    stack,
    "Registration",
    products={
        "a290sds6en72spp3ph4q890es": "https://app.example.com/signup",
        "b290sds6en72spp3ph4q890es": "https://b.example.com/?from=aws",
    },
    domain=apigwv2.DomainMappingOptions(domain_name=domain),
    encryption_key=kms.Key(stack, "Key", enable_key_rotation=True),
    alarm_actions=[cloudwatch_actions.SnsAction(sns.Topic(stack, "Pager"))],
)
app.synth()
