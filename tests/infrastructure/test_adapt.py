"""What the blocks of docs/adapt.md change, and what they leave alone."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from aws_cdk import App, Stack
from aws_cdk.assertions import Template

from constructs_lib import MarketplaceRegistration
from local.product import LANDING_PAGE, PRODUCT_CODE

if TYPE_CHECKING:
    from collections.abc import Mapping

PAGE = (Path(__file__).parents[2] / "docs" / "adapt.md").read_text(encoding="utf-8")
BLOCKS: Mapping[str, str] = dict(
    re.findall(r"^## (.+)\n(?:(?!## |```).*\n)*```python\n((?:(?!```).*\n)*)```$", PAGE, re.MULTILINE)
)

NETWORK_INTERFACES = {
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:UnassignPrivateIpAddresses",
}


def registered() -> tuple[Stack, MarketplaceRegistration]:
    # The findings of CloudFormation's own rules are errors.
    stack = Stack(App(context={"@aws-cdk/core:validateAgainstDefaultRules": True}), "Stack")
    return stack, MarketplaceRegistration(stack, "Registration", products={PRODUCT_CODE: LANDING_PAGE})


def adapted(heading: str) -> Template:
    stack, registration = registered()
    exec(compile(BLOCKS[heading], heading, "exec"), {"self": stack, "registration": registration})
    return Template.from_stack(stack)


def function(template: Template) -> dict[str, Any]:
    (resource,) = template.find_resources("AWS::Lambda::Function").values()
    properties: dict[str, Any] = resource["Properties"]
    return properties


def actions(template: Template) -> set[str]:
    """Return what the resolver's role may do."""
    policies = template.find_resources("AWS::IAM::Policy")
    (policy,) = (policy for logical_id, policy in policies.items() if "ResolverRole" in logical_id)
    listed = [statement["Action"] for statement in policy["Properties"]["PolicyDocument"]["Statement"]]
    return {action for one in listed for action in ([one] if isinstance(one, str) else one)}


def test_every_section_is_tested() -> None:
    assert BLOCKS.keys() == {"A VPC", "X-Ray", "The architecture", "Layers", "AWS WAF, through CloudFront"}


@pytest.mark.parametrize("heading", BLOCKS)
def test_every_resource_of_the_registration_keeps_its_id_and_only_the_function_and_its_policy_change(
    heading: str,
) -> None:
    before = Template.from_stack(registered()[0]).to_json()["Resources"]
    after = adapted(heading).to_json()["Resources"]

    assert before.keys() <= after.keys()
    changed = {before[logical_id]["Type"] for logical_id in before if before[logical_id] != after[logical_id]}
    assert changed <= {"AWS::Lambda::Function", "AWS::IAM::Policy"}


def test_in_a_vpc_the_role_may_manage_its_interfaces_and_each_service_has_an_endpoint() -> None:
    template = adapted("A VPC")
    properties = function(template)

    (group,) = template.find_resources(
        "AWS::EC2::SecurityGroup", {"Properties": {"GroupDescription": "Stack/ResolverGroup"}}
    )
    assert properties["VpcConfig"]["SecurityGroupIds"] == [{"Fn::GetAtt": [group, "GroupId"]}]
    subnets = [{"Ref": logical_id} for logical_id in template.find_resources("AWS::EC2::Subnet")]
    assert properties["VpcConfig"]["SubnetIds"] == subnets
    assert actions(template) >= NETWORK_INTERFACES
    endpoints = template.find_resources("AWS::EC2::VPCEndpoint").values()
    services = [str(endpoint["Properties"]["ServiceName"]) for endpoint in endpoints]
    for service in ("dynamodb", "metering-marketplace", "sts"):
        assert any(service in name for name in services)
    # The network is there before the function needs it: Lambda checks the permissions when it is deployed.
    (resource,) = template.find_resources("AWS::Lambda::Function").values()
    assert any("ResolverRoleDefaultPolicy" in logical_id for logical_id in resource["DependsOn"])


def test_traces_are_sent_with_the_permission_to_send_them() -> None:
    template = adapted("X-Ray")

    assert function(template)["TracingConfig"] == {"Mode": "Active"}
    assert {"xray:PutTelemetryRecords", "xray:PutTraceSegments"} <= actions(template)


def test_the_architecture_changes() -> None:
    assert function(adapted("The architecture"))["Architectures"] == ["x86_64"]


def test_a_layer_is_added() -> None:
    assert len(function(adapted("Layers"))["Layers"]) == 1


def test_cloudfront_has_the_web_acl_caches_nothing_and_sends_the_apis_own_host() -> None:
    template = adapted("AWS WAF, through CloudFront")
    (distribution,) = template.find_resources("AWS::CloudFront::Distribution").values()
    config = distribution["Properties"]["DistributionConfig"]
    behavior = config["DefaultCacheBehavior"]

    (acl,) = template.find_resources("AWS::WAFv2::WebACL")
    assert config["WebACLId"] == {"Fn::GetAtt": [acl, "Arn"]}
    assert "POST" in behavior["AllowedMethods"]
    # AWS's ids of the managed policies CachingDisabled and AllViewerExceptHostHeader.
    assert behavior["CachePolicyId"] == "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"
    assert behavior["OriginRequestPolicyId"] == "b689b0a8-53d0-40ab-baf2-68738e2966ac"
    assert "execute-api" in str(config["Origins"][0]["DomainName"])
