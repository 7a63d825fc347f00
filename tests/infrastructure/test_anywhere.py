"""A seller's stack in any place: region, partition, twice, nested, in a stage, under a boundary, or not known yet."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from aws_cdk import App, CfnParameter, Duration, Environment, Fn, NestedStack, Stack, Stage, Token, pipelines
from aws_cdk import aws_apigatewayv2 as apigwv2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk.assertions import Template
from aws_cdk.region_info import RegionInfo

from constructs_lib import LostBuyersQuery, MarketplaceSellerRole, RegistrationDashboard
from constructs_lib._marketplace_regions import MARKETPLACE_REGIONS
from tests.infrastructure.stacks import register

if TYPE_CHECKING:
    from constructs import Construct

ACCOUNT = "111122223333"
OTHER_PARTITIONS = {"cn-northwest-1": "aws-cn", "eusc-de-east-1": "aws-eusc"}
COMMERCIAL = sorted(MARKETPLACE_REGIONS - OTHER_PARTITIONS.keys())
BOUNDARY = "arn:aws:iam::111122223333:policy/boundary"


class SellersStack(Stack):
    def __init__(self, scope: Construct, construct_id: str, **options: Any) -> None:
        super().__init__(scope, construct_id, **options)
        self.registration = register(self)


def stack_in(region: str) -> Stack:
    return Stack(App(), "Stack", env=Environment(account=ACCOUNT, region=region))


def deployed(value: Any, region: str) -> str:
    """Return a value of the template as text, with CloudFormation's pseudo parameters filled in for a region."""
    known = RegionInfo.get(region)
    text = json.dumps(value)
    for name, filled in {
        "AWS::Partition": known.partition,
        "AWS::URLSuffix": known.domain_suffix,
        "AWS::Region": region,
    }.items():
        text = text.replace(json.dumps({"Ref": name}), json.dumps(filled))
    filled_in = json.loads(text)
    if isinstance(filled_in, dict) and "Fn::Join" in filled_in:
        return "".join(part if isinstance(part, str) else "…" for part in filled_in["Fn::Join"][1])
    return json.dumps(filled_in)


@pytest.mark.parametrize(
    ("region", "marketplace_region", "partition", "suffix"),
    [
        ("eu-west-1", "us-east-1", "aws", "amazonaws.com"),
        ("cn-north-1", "cn-northwest-1", "aws-cn", "amazonaws.com.cn"),
        ("eusc-de-east-1", "eusc-de-east-1", "aws-eusc", "amazonaws.eu"),
        ("us-gov-west-1", "", "aws-us-gov", "amazonaws.com"),
    ],
)
def test_arns_principals_and_urls_belong_to_the_region(
    region: str, marketplace_region: str, partition: str, suffix: str
) -> None:
    stack = stack_in(region)
    # In a partition without Marketplace, a region known only at deployment cannot be checked.
    registration = register(
        stack,
        marketplace_region=marketplace_region or Fn.import_value("marketplace-region"),
        encryption_key=kms.Key(stack, "Key"),
    )
    registration.grant_claim(iam.Role(stack, "Backend", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com")))

    template = Template.from_stack(stack)
    written = json.dumps(template.to_json()["Resources"])

    for url, path in ((registration.fulfillment_url, "register"), (registration.claim_url, "claim")):
        assert deployed(stack.resolve(url), region) == f"https://….execute-api.{region}.{suffix}/{path}"
    (key,) = template.find_resources("AWS::KMS::Key").values()
    of_logs = key["Properties"]["KeyPolicy"]["Statement"][-1]
    assert of_logs["Principal"] == {"Service": f"logs.{region}.{suffix}"}
    (context,) = of_logs["Condition"]["ArnLike"].values()
    assert deployed(context, region) == f"arn:{partition}:logs:{region}:{ACCOUNT}:log-group:*"
    (claim,) = (
        statement["Resource"]
        for policy in template.find_resources("AWS::IAM::Policy").values()
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
        if statement["Action"] == "execute-api:Invoke"
    )
    assert deployed(claim, region) == f"arn:{partition}:execute-api:{region}:{ACCOUNT}:…/$default/POST/claim"
    # No partition is hard-coded, and the other principals have the same name everywhere.
    assert '"arn:aws:' not in written
    principals = {"lambda.amazonaws.com", "apigateway.amazonaws.com"}
    trusted = {
        role["Properties"]["AssumeRolePolicyDocument"]["Statement"][0]["Principal"]["Service"]
        for role in template.find_resources("AWS::IAM::Role").values()
    }
    callers = {p["Properties"]["Principal"] for p in template.find_resources("AWS::Lambda::Permission").values()}
    assert trusted | callers == principals


@pytest.mark.parametrize(
    ("region", "parameters", "says"),
    [
        ("cn-north-1", {}, "aws-cn, where ResolveCustomer is available in cn-northwest-1, got 'us-east-1'"),
        ("us-gov-west-1", {}, "aws-us-gov, where ResolveCustomer is available in no region, got 'us-east-1'"),
        ("us-iso-east-1", {}, "aws-iso, where ResolveCustomer is available in no region, got 'us-east-1'"),
        (
            "eu-west-1",
            {"marketplace_region": "cn-northwest-1"},
            f"aws, where ResolveCustomer is available in {', '.join(COMMERCIAL)}, got 'cn-northwest-1'",
        ),
    ],
)
@pytest.mark.parametrize("with_role", [False, True])
def test_a_marketplace_region_of_another_partition_is_rejected(
    region: str, parameters: dict[str, Any], says: str, *, with_role: bool
) -> None:
    stack = stack_in(region)
    # A role cannot leave its partition either.
    role = iam.Role.from_role_arn(stack, "Role", f"arn:{RegionInfo.get(region).partition}:iam::{ACCOUNT}:role/seller")

    with pytest.raises(ValueError) as rejection:  # noqa: PT011 - the message is compared whole
        register(stack, seller_role=role if with_role else None, **parameters)

    assert str(rejection.value) == f"marketplace_region: must be in the partition of the stack, {says}"


def test_the_partition_of_every_marketplace_region_is_known() -> None:
    partitions = {region: RegionInfo.get(region).partition for region in MARKETPLACE_REGIONS}

    assert {region: partition for region, partition in partitions.items() if partition != "aws"} == OTHER_PARTITIONS


def test_a_region_newer_than_the_cdk_is_accepted() -> None:
    stack = stack_in("xx-new-1")

    register(stack, encryption_key=kms.Key(stack, "Key"))

    (key,) = Template.from_stack(stack).find_resources("AWS::KMS::Key").values()
    assert key["Properties"]["KeyPolicy"]["Statement"][-1]["Principal"]["Service"] == {
        "Fn::Join": ["", ["logs.xx-new-1.", {"Ref": "AWS::URLSuffix"}]]
    }


def test_an_environment_agnostic_stack_names_no_region_and_no_account() -> None:
    stack = SellersStack(App(), "Stack")

    written = json.dumps(Template.from_stack(stack).to_json()["Resources"]).replace('"MARKETPLACE_REGION"', "")

    assert not [region for region in MARKETPLACE_REGIONS - {"us-east-1"} if region in written]
    assert written.count("us-east-1") == 1
    assert "amazonaws.com/" not in written


def test_two_constructs_in_one_stack_cannot_access_each_others_data() -> None:
    stack = stack_in("eu-west-1")
    key = kms.Key(stack, "Key")
    for construct_id in ("One", "Two"):
        register(stack, construct_id, encryption_key=key)

    template = Template.from_stack(stack)

    for logical_id, policy in template.find_resources("AWS::IAM::Policy").items():
        other = "Two" if logical_id.startswith("One") else "One"
        assert other not in json.dumps(policy)
    for logical_id, function in template.find_resources("AWS::Lambda::Function").items():
        tables = [v["Ref"] for v in function["Properties"]["Environment"]["Variables"].values() if isinstance(v, dict)]
        assert len(tables) == 2
        assert all(table.startswith(logical_id[:3]) for table in tables)
    # One key, with one permission for the logs.
    (made,) = template.find_resources("AWS::KMS::Key").values()
    assert len(made["Properties"]["KeyPolicy"]["Statement"]) == 2


def test_the_same_stack_deployed_twice_in_one_account_has_the_same_template() -> None:
    here = Environment(account=ACCOUNT, region="eu-west-1")
    one, two = (
        Template.from_stack(SellersStack(App(), "Stack", stack_name=name, env=here)).to_json()
        for name in ("one", "two")
    )

    # Hence it contains no name that must be unique in the account.
    assert one == two
    assert "Outputs" not in one


def test_two_stacks_of_one_class_in_one_app_differ_in_their_paths_only() -> None:
    app = App()
    one, two = (SellersStack(app, name) for name in ("One", "Two"))

    first, second = (json.dumps(Template.from_stack(stack).to_json()) for stack in (one, two))

    resources = [json.loads(text)["Resources"] for text in (first, second)]
    different = {
        resources[0][logical_id]["Type"]
        for logical_id in resources[0]
        if resources[0][logical_id] != resources[1].get(logical_id)
    }
    assert different <= {"AWS::ApiGatewayV2::Api", "AWS::Lambda::Permission"}
    (api,) = (r["Properties"] for r in resources[0].values() if r["Type"] == "AWS::ApiGatewayV2::Api")
    (other,) = (r["Properties"] for r in resources[1].values() if r["Type"] == "AWS::ApiGatewayV2::Api")
    assert {name for name in api if api[name] != other[name]} == {"Description", "Name"}


def test_a_nested_stack_contains_every_resource() -> None:
    stack = stack_in("eu-west-1")
    nested = NestedStack(stack, "Nested")

    registration = register(nested, encryption_key=kms.Key(stack, "Key"))
    RegistrationDashboard(nested, "Dashboard", registration=registration)
    LostBuyersQuery(nested, "LostBuyers", log_group=registration.log_group)
    registration.grant_claim(iam.Role(stack, "Backend", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com")))
    registration.grant_read(iam.Role(stack, "Reader", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com")))

    inner, outer = Template.from_stack(nested), Template.from_stack(stack)
    inner.resource_count_is("AWS::DynamoDB::GlobalTable", 2)
    inner.resource_count_is("AWS::ApiGatewayV2::Api", 1)
    outer.resource_count_is("AWS::DynamoDB::GlobalTable", 0)
    # The outer stack's key is a parameter of the inner one, whose logs it permits.
    assert inner.to_json()["Parameters"]
    assert "logs.eu-west-1.amazonaws.com" in json.dumps(outer.find_resources("AWS::KMS::Key"))


def test_stages_contain_the_same_stack_in_different_environments() -> None:
    app = App()
    stacks = [
        SellersStack(Stage(app, name, env=Environment(account=account, region=region)), "Stack")
        for name, account, region in (("Beta", ACCOUNT, "eu-west-1"), ("Prod", "444455556666", "us-east-2"))
    ]

    beta, prod = (Template.from_stack(stack).to_json()["Resources"] for stack in stacks)

    def kept(resources: dict[str, Any]) -> set[str]:
        return {name for name, resource in resources.items() if "Permission" not in resource["Type"]}

    assert kept(beta) == kept(prod)


def test_the_marketplace_region_must_suit_the_stages_region() -> None:
    stage = Stage(App(), "China", env=Environment(account=ACCOUNT, region="cn-north-1"))

    with pytest.raises(ValueError, match=r"^marketplace_region: .* aws-cn, .*, got 'us-east-1'$"):
        SellersStack(stage, "Stack")


def test_a_pipeline_deploys_it() -> None:
    app = App()
    stack = Stack(app, "Pipeline", env=Environment(account=ACCOUNT, region="eu-west-1"))
    source = pipelines.CodePipelineSource.connection(
        "seller/product", "main", connection_arn=f"arn:aws:codeconnections:eu-west-1:{ACCOUNT}:connection/1"
    )
    pipeline = pipelines.CodePipeline(
        stack, "Pipeline", synth=pipelines.ShellStep("Synth", input=source, commands=["cdk synth"])
    )
    prod = Stage(app, "Prod", env=Environment(account=ACCOUNT, region="eu-west-1"))
    SellersStack(prod, "Stack")
    pipeline.add_stage(prod)

    (made,) = Template.from_stack(stack).find_resources("AWS::CodePipeline::Pipeline").values()

    names = [stage["Name"] for stage in made["Properties"]["Stages"]]
    assert names == ["Source", "Build", "UpdatePipeline", "Assets", "Prod"]


def test_every_role_gets_the_stacks_permissions_boundary() -> None:
    stack = stack_in("eu-west-1")
    registration = register(stack)
    RegistrationDashboard(stack, "Dashboard", registration=registration)
    MarketplaceSellerRole(stack, "Seller", trusted=registration.grant_principal)

    iam.PermissionsBoundary.of(stack).apply(iam.ManagedPolicy.from_managed_policy_arn(stack, "Boundary", BOUNDARY))

    roles = Template.from_stack(stack).find_resources("AWS::IAM::Role").values()
    assert [role["Properties"]["PermissionsBoundary"] for role in roles] == [BOUNDARY] * 2


@pytest.mark.parametrize("region", [None, "eu-west-1", "cn-north-1", "us-gov-west-1"])
def test_every_string_and_number_can_be_a_cdk_token(region: str | None) -> None:
    stack = stack_in(region) if region else Stack(App(), "Stack")

    def later(name: str) -> str:
        return CfnParameter(stack, name).value_as_string

    def number(name: str) -> float:
        return CfnParameter(stack, name, type="Number").value_as_number

    register(
        stack,
        products={later("Code"): later("Page"), Fn.import_value("code"): f"https://{Fn.import_value('host')}/in"},
        marketplace_region=later("Region"),
        seller_role=iam.Role.from_role_arn(stack, "Role", later("RoleArn")),
        seller_role_external_id=later("ExternalId"),
        support_url=later("Support"),
        login_url=later("Login"),
        claim_ttl=Duration.seconds(number("Seconds")),
        throttle=apigwv2.ThrottleSettings(rate_limit=number("Rate"), burst_limit=number("Burst")),
    )
    MarketplaceSellerRole(
        stack, "Seller", trusted=iam.AccountPrincipal(later("Trusted")), external_id=later("SellersExternalId")
    )

    template = Template.from_stack(stack)
    (function,) = template.find_resources("AWS::Lambda::Function").values()
    variables = function["Properties"]["Environment"]["Variables"]
    products = variables.pop("PRODUCTS")["Fn::Join"][1]
    assert "".join(p if isinstance(p, str) else next(iter(p.values())) for p in products) == (
        '{"Code":"Page","code":"https://host/in"}'
    )
    given = {name: value["Ref"] for name, value in variables.items() if not name.endswith("_TABLE")}
    assert given == {
        "CLAIM_TTL_SECONDS": "Seconds",
        "MARKETPLACE_REGION": "Region",
        "SELLER_ROLE_ARN": "RoleArn",
        "SELLER_ROLE_EXTERNAL_ID": "ExternalId",
        "SUPPORT_URL": "Support",
        "LOGIN_URL": "Login",
    }
    (stage,) = template.find_resources("AWS::ApiGatewayV2::Stage").values()
    assert stage["Properties"]["DefaultRouteSettings"] == {
        "ThrottlingRateLimit": {"Ref": "Rate"},
        "ThrottlingBurstLimit": {"Ref": "Burst"},
    }
    assert not Token.is_unresolved(json.dumps(template.to_json()))
    template.has_resource_properties(
        "AWS::IAM::Role",
        {
            "AssumeRolePolicyDocument": {
                "Statement": [{"Condition": {"StringEquals": {"sts:ExternalId": {"Ref": "SellersExternalId"}}}}]
            }
        },
    )
