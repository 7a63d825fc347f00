"""A release can be deployed over every earlier one.

``released/<version>.json`` holds the stateful resources, and those that a listing refers to, of the minimal and the
full stack of that version. Each release adds one, and none is ever changed::

    python -c "from tests.infrastructure.test_upgrade import record; record('0.1.0')"
"""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from aws_cdk import App, Stack
from aws_cdk.assertions import Template
from cfnlint.schema import PROVIDER_SCHEMA_MANAGER

from constructs_lib.registration._resolver import RESOLVER
from tests.infrastructure.stacks import full, minimal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Resources = Mapping[str, Mapping[str, Any]]

RELEASED = Path(__file__).parent / "released"
STACKS: Mapping[str, Callable[[App], Stack]] = {"minimal": minimal, "full": full}

REPLACING: Mapping[str, frozenset[str]] = {
    "AWS::DynamoDB::GlobalTable": frozenset(
        {"TableName", "KeySchema", "AttributeDefinitions", "LocalSecondaryIndexes"}
    ),
    "AWS::Logs::LogGroup": frozenset({"LogGroupName"}),
    # Its ID is in the fulfillment URL.
    "AWS::ApiGatewayV2::Api": frozenset({"ProtocolType"}),
    "AWS::ApiGatewayV2::Stage": frozenset({"ApiId", "StageName"}),
    "AWS::ApiGatewayV2::ApiMapping": frozenset({"DomainName"}),
}
"""Types that keep data or are part of the listing, to the properties whose change makes CloudFormation replace them."""


def stateful(resources: Resources) -> dict[str, Any]:
    """Return the resources that an upgrade must not replace: type, deletion policy, and the properties that replace."""
    return {
        logical_id: {
            "Type": resource["Type"],
            "DeletionPolicy": resource.get("DeletionPolicy"),
            "Properties": {
                name: value
                for name, value in sorted(resource.get("Properties", {}).items())
                if name in REPLACING[resource["Type"]]
            },
        }
        for logical_id, resource in sorted(resources.items())
        if resource["Type"] in REPLACING
    }


def resources_of(name: str) -> dict[str, Any]:
    return dict(Template.from_stack(STACKS[name](App())).to_json()["Resources"])


def record(version: str) -> None:
    content = {name: stateful(resources_of(name)) for name in STACKS}
    (RELEASED / f"{version}.json").write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def replaced(before: Resources, resources: Resources) -> set[str]:
    """Return the logical ids that an upgrade would replace, delete, or no longer retain."""
    now = stateful(resources)
    return {logical_id for logical_id, resource in before.items() if now.get(logical_id) != resource}


def of_release(path: Path, name: str) -> dict[str, Any]:
    return dict(json.loads(path.read_text(encoding="utf-8"))[name])


@pytest.mark.parametrize("name", STACKS)
@pytest.mark.parametrize("release", sorted(RELEASED.glob("*.json")), ids=lambda path: path.stem)
def test_an_upgrade_replaces_no_stateful_resource(release: Path, name: str) -> None:
    before = of_release(release, name)

    assert {resource["Type"] for resource in before.values()} >= REPLACING.keys() - {"AWS::ApiGatewayV2::ApiMapping"}
    assert replaced(before, resources_of(name)) == set()


def moved(resources: dict[str, Any], table: str) -> None:
    resources[f"{table}Moved"] = resources.pop(table)


def named(resources: dict[str, Any], table: str) -> None:
    resources[table]["Properties"]["TableName"] = "registrations"


def with_another_key(resources: dict[str, Any], table: str) -> None:
    resources[table]["Properties"]["KeySchema"][0]["AttributeName"] = "CustomerIdentifier"


def of_another_type(resources: dict[str, Any], table: str) -> None:
    resources[table]["Type"] = "AWS::DynamoDB::Table"


def no_longer_kept(resources: dict[str, Any], table: str) -> None:
    resources[table]["DeletionPolicy"] = "Delete"


@pytest.mark.parametrize("change", [moved, named, with_another_key, of_another_type, no_longer_kept])
def test_a_change_that_replaces_a_table_is_detected(
    minimal_template: Template, change: Callable[[dict[str, Any], str], None]
) -> None:
    resources = copy.deepcopy(minimal_template.to_json()["Resources"])
    before = stateful(minimal_template.to_json()["Resources"])
    table = next(logical_id for logical_id in before if "StoreRegistrations" in logical_id)

    change(resources, table)

    assert replaced(before, resources) == {table}


def test_additions_and_other_changes_are_allowed(minimal_template: Template) -> None:
    resources = copy.deepcopy(minimal_template.to_json()["Resources"])
    before = stateful(minimal_template.to_json()["Resources"])

    for logical_id in before:
        resources[logical_id]["Properties"]["Tags"] = []
    resources["More"] = {"Type": "AWS::Logs::LogGroup"}

    assert replaced(before, resources) == set()


@pytest.mark.parametrize("kind", REPLACING)
def test_the_replacing_properties_include_those_of_cloudformations_schema(kind: str) -> None:
    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", kind).schema

    creating = {path.removeprefix("/properties/").partition("/")[0] for path in schema["createOnlyProperties"]}
    assert creating <= REPLACING[kind]


# The metrics that AWS publishes, by namespace and dimensions.
PUBLISHED: Mapping[str, Mapping[frozenset[str], frozenset[str]]] = {
    "AWS/ApiGateway": {
        frozenset({"ApiId"}): frozenset({"4xx", "5xx", "Count", "Latency", "IntegrationLatency", "DataProcessed"})
    },
    "AWS/Lambda": {frozenset({"FunctionName"}): frozenset({"Errors", "Throttles", "Invocations", "Duration"})},
    "AWS/DynamoDB": {
        frozenset({"TableName"}): frozenset({"ReadThrottleEvents", "WriteThrottleEvents"}),
        frozenset({"TableName", "Operation"}): frozenset({"SystemErrors", "ThrottledRequests"}),
    },
}

MEASURED: Mapping[str, str] = {
    "ApiId": "AWS::ApiGatewayV2::Api",
    "FunctionName": "AWS::Lambda::Function",
    "TableName": "AWS::DynamoDB::GlobalTable",
}
"""Dimension to the type of the resource that it names."""


def without_metric(resources: Resources) -> list[str]:
    """Return the alarms whose metric is published neither by AWS nor by a metric filter of the stack."""
    made = [
        (transformation["MetricNamespace"], transformation["MetricName"])
        for resource in resources.values()
        if resource["Type"] == "AWS::Logs::MetricFilter"
        for transformation in resource["Properties"]["MetricTransformations"]
    ]

    def exists(alarm: Mapping[str, Any]) -> bool:
        dimensions = {dimension["Name"]: dimension["Value"] for dimension in alarm.get("Dimensions", [])}
        if not dimensions:
            return (alarm["Namespace"], alarm["MetricName"]) in made
        operation = dimensions.get("Operation", "GetItem")
        return (
            alarm["MetricName"] in PUBLISHED[alarm["Namespace"]].get(frozenset(dimensions), ())
            and operation in RESOLVER.operations["dynamodb"]
            and all(
                resources[value["Ref"]]["Type"] == MEASURED[name]
                for name, value in dimensions.items()
                if name != "Operation"
            )
        )

    return [
        logical_id
        for logical_id, resource in resources.items()
        if resource["Type"] == "AWS::CloudWatch::Alarm" and not exists(resource["Properties"])
    ]


@pytest.mark.parametrize("name", STACKS)
def test_every_alarm_watches_an_existing_metric(name: str) -> None:
    resources = resources_of(name)

    assert any(resource["Type"] == "AWS::CloudWatch::Alarm" for resource in resources.values())
    assert without_metric(resources) == []


@pytest.mark.parametrize(
    ("alarm", "change"),
    [
        ("ApiServerErrors", {"MetricName": "5XXError"}),
        ("RegistrationsWriteThrottled", {"MetricName": "ThrottledRequests"}),
        ("ClaimsPutItemFails", {"Dimensions": []}),
        ("StoreUnavailable", {"MetricName": "Unavailable"}),
        ("StoreUnavailable", {"Namespace": "MarketplaceRegistration"}),
    ],
)
def test_an_alarm_on_a_missing_metric_is_detected(
    minimal_template: Template, alarm: str, change: dict[str, Any]
) -> None:
    resources = copy.deepcopy(minimal_template.to_json()["Resources"])
    logical_id = next(logical_id for logical_id in resources if f"Alarms{alarm}" in logical_id)

    resources[logical_id]["Properties"].update(change)

    assert without_metric(resources) == [logical_id]
