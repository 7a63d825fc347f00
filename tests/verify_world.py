"""An account in memory, in which the stacks of ``constructs_lib.verify`` stand as their templates say.

A test breaks it in one way, by a change of a template or by a fault that it names, and runs the program's checks.
"""

from __future__ import annotations

import copy
import io
import json
import re
import threading
from collections import defaultdict
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

import jmespath  # type: ignore[import-untyped] # botocore's, without types
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from constructs_lib.verify._cdk import CdkError
from constructs_lib.verify._http import Response
from constructs_lib.verify._names import CUSTOM_DOMAIN, MAIN, PRODUCT_CODE, RELEASED, TAG, THROTTLED
from constructs_lib.verify._subject import Subject
from local.emulated.cloudwatch import matcher
from tests.signatures import is_valid

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from constructs_lib.verify._cdk import Cdk
    from constructs_lib.verify._http import Http

RUN = "mr-verify-0123abcd"
ACCOUNT, REGION = "444455556666", "us-east-1"
DOMAIN = "buy.example.com"
CONTEXT = {
    "name": RUN,
    "account": ACCOUNT,
    "region": REGION,
    "product_code": PRODUCT_CODE,
    "domain": DOMAIN,
    "certificate": f"arn:aws:acm:{REGION}:{ACCOUNT}:certificate/00000000-0000-0000-0000-000000000000",
}
_TERM = re.compile(r'\$\.(\w+) = "([^"]+)"')

Json = dict[str, Any]


class FakeClock:
    """A clock that moves only when someone waits."""

    def __init__(self) -> None:
        self.now = 1795392000.0

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return self.now

    def sleep(self, seconds: float, /) -> None:
        self.now += seconds


def error(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "as the test wants it"}}, "Operation")


class World:
    """The account: every service's operations in one object, and its APIs, which respond to ``send``.

    Args:
        templates: of the stacks, by the end of their names.
        folder: of the run.

    Attributes:
        faults: what is broken, by name.
        templates: may be changed by a test.
    """

    def __init__(self, templates: Mapping[str, Json], folder: Path) -> None:
        self.clock = FakeClock()
        self.folder = folder
        self.templates = {end: copy.deepcopy(template) for end, template in templates.items()}
        self.faults: set[str] = set()
        self.statuses: dict[str, str] = {f"{RUN}-{end}": "CREATE_COMPLETE" for end in templates}
        self.logs: dict[str, list[tuple[float, str]]] = defaultdict(list)
        self.values: dict[tuple[str, str], list[tuple[float, float]]] = defaultdict(list)
        self.queues: dict[str, list[str]] = defaultdict(list)
        self.tables: dict[str, dict[str, Json]] = defaultdict(dict)
        self.alarms: dict[str, str] = {}
        self.requests: dict[tuple[str, str], int] = defaultdict(int)
        self.concurrency: dict[str, int] = {}
        self.deployed: list[str] = []
        self.leftovers: list[str] = []
        self._lock = threading.Lock()
        self._resolved: dict[tuple[str, str], dict[str, Json]] = {}

    def subject(self, *, released: Path | None = None, domain: str = DOMAIN, local_url: str = "") -> Subject:
        # The templates do not change any more.
        self._resolved.clear()
        return Subject(
            name=RUN,
            region=REGION,
            outputs=self.outputs(),
            client=self.client,
            http=cast("Http", self),
            cdk=cast("Cdk", self),
            product_code=PRODUCT_CODE,
            domain=domain,
            released=released,
            local_url=local_url,
            clock=self.clock,
        )

    def client(self, _service: str, _region: str = "") -> World:
        return self

    def get_paginator(self, operation: str) -> Any:
        def search(found: str, request: Json) -> list[Any]:
            # As botocore does: what is no list is one result.
            result = jmespath.search(found, getattr(self, operation)(**request))
            return result if isinstance(result, list) else [result]

        return SimpleNamespace(paginate=lambda **request: SimpleNamespace(search=lambda found: search(found, request)))

    # --- The templates.

    def outputs(self) -> dict[str, dict[str, str]]:
        return {
            end: {name: self.resolve(output["Value"], end) for name, output in template["Outputs"].items()}
            for end, template in self.templates.items()
        }

    def resolve(self, value: Any, end: str) -> Any:  # noqa: PLR0911 - a case for each
        match value:
            case {"Ref": "AWS::StackName"}:
                return f"{RUN}-{end}"
            case {"Ref": "AWS::URLSuffix"}:
                return "amazonaws.com"
            case {"Ref": str(name)}:
                return f"{RUN}-{end}-{name}"
            case {"Fn::GetAtt": [str(name), "ApiEndpoint"]}:
                return f"https://{RUN}-{end}-{name}".lower()
            case {"Fn::GetAtt": [str(name), "Arn"]}:
                return f"arn:{RUN}-{end}-{name}"
            case {"Fn::GetAtt": [str(name), str(attribute)]}:
                return f"{RUN}-{end}-{name}.{attribute}"
            case {"Fn::Join": [str(separator), list(parts)]}:
                return separator.join(str(self.resolve(part, end)) for part in parts)
            case dict():
                return {name: self.resolve(content, end) for name, content in value.items()}
            case list():
                return [self.resolve(content, end) for content in value]
        return value

    def resources(self, kind: str, end: str = MAIN) -> dict[str, Json]:
        """Return the properties of a stack's resources by physical ID."""
        if (kind, end) not in self._resolved:
            self._resolved[kind, end] = {
                f"{RUN}-{end}-{name}": self.resolve(resource["Properties"], end)
                for name, resource in self.templates[end]["Resources"].items()
                if resource["Type"] == kind
            }
        return self._resolved[kind, end]

    def written(self, kind: str, end: str = MAIN) -> list[Json]:
        """Return the properties of a stack's resources as they are in the template, to be changed."""
        return [
            resource["Properties"] for resource in self.templates[end]["Resources"].values() if resource["Type"] == kind
        ]

    # --- CloudFormation and the CDK.

    def deploy(self, app: str = "", **context: str) -> dict[str, dict[str, str]]:
        if "cdk" in self.faults:
            raise CdkError("cdk deploy failed with 1: … the stack is in ROLLBACK_COMPLETE")
        self.deployed.append(app or json.dumps(context))
        if app:
            manifest = json.loads((self.folder / RELEASED / "manifest.json").read_text())
            assert manifest["artifacts"]["Released"]["properties"]["stackName"] == f"{RUN}-{RELEASED}"
            return {f"{RUN}-{RELEASED}": {"ApiId": "api", "TableName": "kept"}}
        if RELEASED in context:
            table = "replaced" if "table is replaced" in self.faults else "kept"
            return {f"{RUN}-{RELEASED}": {"ApiId": "api", "TableName": table}}
        if "redeployment changes" in self.faults:
            self.statuses[f"{RUN}-{MAIN}"] = "UPDATE_COMPLETE"
        return {f"{RUN}-{end}": values for end, values in self.outputs().items()}

    def describe_stacks(self, StackName: str | None = None) -> Json:  # noqa: N803 - botocore's
        stacks = [
            {
                "StackName": name,
                "StackId": f"arn:{name}",
                "StackStatus": status,
                "Tags": [{"Key": TAG, "Value": RUN}] if "untagged" not in self.faults else [],
            }
            for name, status in self.statuses.items()
            if StackName in {None, name, f"arn:{name}"}
        ]
        if StackName and not stacks:
            raise error("ValidationError")
        return {"Stacks": stacks}

    def delete_stack(self, StackName: str) -> None:  # noqa: N803
        name = StackName.removeprefix("arn:")
        if "a stack stays" in self.faults:
            self.statuses[name] = "DELETE_FAILED"
        elif "a stack is never deleted" in self.faults:
            self.statuses[name] = "DELETE_IN_PROGRESS"
        else:
            del self.statuses[name]

    def list_stack_resources(self, StackName: str) -> Json:  # noqa: N803
        resources = self.templates[StackName.removeprefix(f"{RUN}-")]["Resources"]
        return {
            "StackResourceSummaries": [
                {
                    "LogicalResourceId": name,
                    "PhysicalResourceId": f"{StackName}-{name}",
                    "ResourceType": resource["Type"],
                }
                for name, resource in resources.items()
            ]
        }

    # --- Logs and metrics.

    def log(self, group: str, line: Json, at: float | None = None) -> None:
        """Write a line, and let the filters of its group count it."""
        at = self.clock.now if at is None else at
        if group in self.faults:
            return
        self.logs[group].append((at, json.dumps(line)))
        for metric_filter in self._filters(group):
            for transformation in metric_filter["MetricTransformations"]:
                if matcher(metric_filter["FilterPattern"])(line):
                    value = transformation["MetricValue"]
                    number = float(line[value[2:]] if value.startswith("$.") else value)
                    key = transformation["MetricNamespace"], transformation["MetricName"]
                    self.values[key].append((at, number))

    def _filters(self, group: str) -> Iterator[Json]:
        for end in self.templates:
            for properties in self.resources("AWS::Logs::MetricFilter", end).values():
                if properties["LogGroupName"] == group:
                    yield properties

    def filter_log_events(self, logGroupName: str, filterPattern: str, startTime: int) -> Json:  # noqa: N803
        def matches(message: str) -> bool:
            if filterPattern.startswith('"'):
                return filterPattern.strip('"') in message
            line = json.loads(message)
            return all(line.get(name) == value for name, value in _TERM.findall(filterPattern))

        return {
            "events": [
                {"message": message}
                for at, message in self.logs[logGroupName]
                if at * 1000 >= startTime and matches(message)
            ]
        }

    def describe_metric_filters(self, logGroupName: str) -> Json:  # noqa: N803
        lost = 1 if "a metric filter is missing" in self.faults else 0
        return {
            "metricFilters": [
                {
                    "metricTransformations": [
                        {"metricName": one["MetricName"], "metricNamespace": one["MetricNamespace"]}
                        for one in properties["MetricTransformations"]
                    ]
                }
                for properties in self._filters(logGroupName)
            ][lost:]
        }

    def create_log_stream(self, **_: str) -> None:
        pass

    def put_log_events(self, logGroupName: str, logEvents: list[Json], **_: str) -> None:  # noqa: N803
        for event in logEvents:
            self.log(logGroupName, json.loads(event["message"]), event["timestamp"] / 1000)

    def get_metric_statistics(
        self,
        Namespace: str,  # noqa: N803
        MetricName: str,  # noqa: N803
        StartTime: dt.datetime,  # noqa: N803
        EndTime: dt.datetime,  # noqa: N803
        **_: Any,
    ) -> Json:
        begin, end = StartTime.timestamp(), EndTime.timestamp()
        return {"Datapoints": [{"Sum": value} for at, value in self.values[Namespace, MetricName] if begin <= at < end]}

    def describe_query_definitions(self, queryDefinitionNamePrefix: str) -> Json:  # noqa: N803
        return {
            "queryDefinitions": [
                {"logGroupNames": query["LogGroupNames"], "queryString": query["QueryString"]}
                for query in self.resources("AWS::Logs::QueryDefinition").values()
                if query["Name"].startswith(queryDefinitionNamePrefix)
            ]
        }

    def get_dashboard(self, DashboardName: str) -> Json:  # noqa: N803
        return {"DashboardBody": self.resources("AWS::CloudWatch::Dashboard")[DashboardName]["DashboardBody"]}

    def start_query(self, logGroupNames: list[str], queryString: str, **_: int) -> Json:  # noqa: N803
        if not queryString.startswith("fields "):
            raise error("MalformedQueryException")
        return {"queryId": logGroupNames[0]}

    def get_query_results(self, queryId: str) -> Json:  # noqa: N803
        if "queries hang" in self.faults:
            return {"status": "Running", "results": []}
        rows = [] if "queries find nothing" in self.faults else [[{"field": "@message"}] for _ in self.logs[queryId]]
        return {"status": "Complete", "results": rows}

    # --- Alarms, queues and tables.

    def set_alarm_state(self, AlarmName: str, StateValue: str, **_: str) -> None:  # noqa: N803
        before, self.alarms[AlarmName] = self.alarms.get(AlarmName, "INSUFFICIENT_DATA"), StateValue
        alarm = self.resources("AWS::CloudWatch::Alarm")[AlarmName]
        topics = alarm.get("AlarmActions" if StateValue == "ALARM" else "OKActions", []) if before != StateValue else []
        told = json.dumps({"AlarmName": AlarmName, "NewStateValue": StateValue})
        for subscription in self.resources("AWS::SNS::Subscription").values():
            if subscription["TopicArn"] in topics:
                queue = subscription["Endpoint"].removeprefix("arn:")
                self.queues[queue].append(json.dumps({"Message": told}))

    def receive_message(self, QueueUrl: str, MaxNumberOfMessages: int = 1, **_: int) -> Json:  # noqa: N803
        queue = self.queues[QueueUrl]
        received, queue[:] = queue[:MaxNumberOfMessages], queue[MaxNumberOfMessages:]
        # As AWS does: without messages there is no such member.
        return {"Messages": [{"Body": body, "ReceiptHandle": "handle"} for body in received]} if received else {}

    def delete_message(self, **_: str) -> None:
        pass

    def put_item(self, TableName: str, Item: Json) -> None:  # noqa: N803
        self.tables[TableName][Item["ProductLicense"]["S"]] = dict(Item)

    def get_item(self, TableName: str, Key: Json, **_: bool) -> Json:  # noqa: N803
        return {"Item": self.tables[TableName][Key["ProductLicense"]["S"]]}

    def scan(self, TableName: str, **_: bool) -> Json:  # noqa: N803
        return {"Items": list(self.tables[TableName].values())}

    # --- Subscriptions.

    def send_message(self, QueueUrl: str, MessageBody: str) -> None:  # noqa: N803
        outputs = self.outputs()[MAIN]
        event = json.loads(MessageBody)
        if QueueUrl != outputs["QueueUrl"] or "subscriber" in self.faults:
            return
        active = event["detail-type"].startswith("License Updated")
        detail = event["detail"]
        key = f"{detail['product']['code']}#{detail['license']['arn']}"
        self.tables[outputs["TableName"]][key]["LicenseStatus"] = {"S": "ACTIVE" if active else "DEPROVISIONED"}
        line = {"message": "event", "CustomerAWSAccountId": detail["acceptor"]["accountId"]}
        if active and "entitlements" not in self.faults:
            called = {**line, "get_entitlements_ms": 20.5, "outcome": "license_updated"}
            for reason in ("AccessDeniedException", "InvalidParameterException"):
                if reason in self.faults:
                    called |= {"outcome": "marketplace_refused", "reason": reason}
            self.log(outputs["SubscriberLogGroup"], called)
        if "publisher" not in self.faults:
            told = {"detail-type": "Subscription Ready" if active else "Subscription Ended"}
            self.queues[outputs["ToldUrl"]].append(json.dumps(told))

    def describe_rule(self, Name: str, EventBusName: str) -> Json:  # noqa: N803
        rule = self.resources("AWS::Events::Rule")[f"{RUN}-{MAIN}-{Name.rpartition('-')[2]}"]
        assert rule["EventBusName"] == EventBusName
        return {"EventPattern": json.dumps(rule["EventPattern"])}

    def test_event_pattern(self, EventPattern: str, Event: str) -> Json:  # noqa: N803
        event = json.loads(Event)
        return {"Result": all(event[name] in allowed for name, allowed in json.loads(EventPattern).items())}

    # --- Roles.

    def assume_role(self, RoleArn: str, **_: str) -> Json:  # noqa: N803
        return {"Credentials": {"AccessKeyId": RoleArn, "SecretAccessKey": "secret", "SessionToken": "token"}}

    def _statements(self, role_arn: str) -> Iterator[Json]:
        for policy in self.resources("AWS::IAM::Policy").values():
            if role_arn.removeprefix("arn:") in policy["Roles"]:
                yield from policy["PolicyDocument"]["Statement"]

    def simulate_principal_policy(
        self,
        PolicySourceArn: str,  # noqa: N803
        ActionNames: list[str],  # noqa: N803
        ResourceArns: list[str],  # noqa: N803
        ContextEntries: list[Json],  # noqa: N803
    ) -> Json:
        (action,), (resource,) = ActionNames, ResourceArns
        context = {entry["ContextKeyName"]: entry["ContextKeyValues"] for entry in ContextEntries}

        def applies(statement: Json) -> bool:
            actions, resources = (
                value if isinstance(value, list) else [value] for value in (statement["Action"], statement["Resource"])
            )
            given = statement.get("Condition", {})
            conditions = given.get("ForAllValues:StringEquals", {}) | given.get("StringEquals", {})
            return (
                action in actions
                and bool({resource, "*"} & {*resources})
                and all(value in conditions[name] for name in conditions for value in context.get(name, ()))
            )

        allowed = any(map(applies, self._statements(PolicySourceArn)))
        return {"EvaluationResults": [{"EvalDecision": "allowed" if allowed else "implicitDeny"}]}

    # --- Functions.

    def invoke(self, FunctionName: str, InvocationType: str = "RequestResponse", Payload: bytes = b"") -> Json:  # noqa: N803
        outputs = self.outputs()[MAIN]
        if FunctionName == outputs["ReconcilerName"]:
            assert (InvocationType, Payload) == ("Event", b"{}")
            self._reconcile(outputs["ReconcilerLogGroup"])
            return {}
        assert FunctionName == outputs["VersionsName"]
        return {"Payload": io.BytesIO(b'{"python": "3.13.9", "boto3": "1.40.4", "botocore": "1.40.4"}')}

    def _reconcile(self, group: str) -> None:
        run = {"message": "run", "run": "first", "outcome": "finished", "search_agreements_calls": 2}
        if "agreements" in self.faults:
            refused = {"outcome": "marketplace_refused", "reason": "AccessDeniedException"}
            self.log(group, {"message": "finding", "run": "first", **refused})
            run = {"message": "run", "run": "first", "outcome": "incomplete"}
        if "reconciler" not in self.faults:
            self.log(group, run)

    def get_account_settings(self) -> Json:
        return {"AccountLimit": {"ConcurrentExecutions": 1000}}

    def put_function_concurrency(self, FunctionName: str, ReservedConcurrentExecutions: int) -> None:  # noqa: N803
        if "concurrency" not in self.faults:
            self.concurrency[FunctionName] = ReservedConcurrentExecutions

    def delete_function_concurrency(self, FunctionName: str) -> None:  # noqa: N803
        self.concurrency.pop(FunctionName, None)

    # --- HTTP.

    def get_stage(self, ApiId: str, StageName: str) -> Json:  # noqa: N803
        (end,) = (end for end in self.templates if ApiId in self.resources("AWS::ApiGatewayV2::Api", end))
        (stage,) = self.resources("AWS::ApiGatewayV2::Stage", end).values()
        assert (stage["ApiId"], stage["StageName"]) == (ApiId, StageName)
        return {"DefaultRouteSettings": stage["DefaultRouteSettings"]}

    def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        connect_to: str | None = None,
    ) -> Response:
        with self._lock:
            return self._send(method, url, dict(headers or {}), body, connect_to)

    def _send(self, method: str, url: str, headers: Mapping[str, str], body: bytes, connect_to: str | None) -> Response:
        parts = urlsplit(url)
        if parts.hostname == DOMAIN:
            if connect_to != self.outputs()[CUSTOM_DOMAIN]["DomainTarget"] or "domain" in self.faults:
                raise ConnectionRefusedError(111, "Connection refused")
            end = CUSTOM_DOMAIN
        else:
            (end,) = (end for end, values in self.outputs().items() if urlsplit(values["Url"]).netloc == parts.netloc)
        response = self._respond(end, method, parts.path, url, headers, body)
        self.log(
            self.outputs()[end]["AccessLogGroup"],
            {"routeKey": f"{method} {parts.path}", "status": str(response.status)},
        )
        return response

    def _respond(self, end: str, method: str, path: str, url: str, headers: Mapping[str, str], body: bytes) -> Response:
        outputs = self.outputs()[end]
        if end == THROTTLED and "no throttle" not in self.faults:
            route = (end, "" if "routes share" in self.faults else method)
            self.requests[route] += 1
            if (
                self.requests[route]
                > self.get_stage(outputs["ApiId"], "$default")["DefaultRouteSettings"]["ThrottlingBurstLimit"]
            ):
                return Response(429, '{"message":"Too Many Requests"}')
        if path == "/claim" and not self._may_claim(url, headers, body):
            return Response(403, '{"message":"Forbidden"}')
        if self.concurrency.get(outputs["ResolverName"]) == 0:
            return Response(503, '{"message":"Service Unavailable"}')
        if method in {"GET", "HEAD"}:
            return Response(500 if "page" in self.faults else 200, "<html></html>")
        return self._post(end, path)

    def _may_claim(self, url: str, headers: Mapping[str, str], body: bytes) -> bool:
        if "everyone may claim" in self.faults:
            return True
        small = {name.lower(): value for name, value in headers.items()}
        if "authorization" not in small:
            return False
        role = small["authorization"].partition("Credential=")[2].partition("/")[0]
        right = is_valid(
            {**small, "host": urlsplit(url).netloc},
            method="POST",
            url=url,
            body=body,
            credentials=Credentials(role, "secret", "token"),
            region=REGION,
        )
        granted = any(statement["Action"] == "execute-api:Invoke" for statement in self._statements(role))
        return right and granted

    def _post(self, end: str, path: str) -> Response:
        outputs = self.outputs()[end]
        status, outcome, reason = (404, "claim_refused", "") if path == "/claim" else (400, "token_invalid", "")
        if "marketplace" in self.faults and path == "/register":
            status, outcome, reason = 500, "marketplace_refused", "AccessDeniedException"
        if "claims fail" in self.faults and path == "/claim":
            status, outcome = 503, "store_unavailable"
        if "no JSON" in self.faults:
            return Response(502, "Bad Gateway")
        count = self.requests[end, "POST"] = self.requests[end, "POST"] + (end != THROTTLED)
        line = {"message": f"POST {path}", "outcome": outcome, "status": status, "api_request_id": f"id-{end}-{count}="}
        line |= {"resolve_customer_ms": 80.25} | ({"reason": reason} if reason else {})
        if "line without its time" in self.faults:
            del line["resolve_customer_ms"]
        if "line with the token" in self.faults:
            line["token"] = "made-up-by-verify"
        self.log(outputs["LogGroup"], line)
        cold = {"initDurationMs": 300.5} if count <= 5 and "always warm" not in self.faults else {}
        function = self.resources("AWS::Lambda::Function", end)[outputs["ResolverName"]]
        used = {"memorySizeMB": function["MemorySize"], "maxMemoryUsedMB": 90}
        report = {"durationMs": 400.0 if cold else 90.0, **used, **cold}
        self.log(outputs["LogGroup"], {"type": "platform.report", "record": {"metrics": report}})
        content = {"outcome": outcome, "reference": line["api_request_id"]}
        return Response(status, json.dumps(content))

    # --- What may be left.

    def list_tables(self) -> Json:
        return {"TableNames": ["another", *self.leftovers]}

    def describe_log_groups(self) -> Json:
        return {"logGroups": [{"logGroupName": "/aws/lambda/another"}]}

    def list_queues(self, MaxResults: int) -> Json:  # noqa: N803
        assert MaxResults == 1000
        # As AWS does: without queues there is no such member.
        return {}

    def list_topics(self) -> Json:
        return {"Topics": []}

    def list_functions(self) -> Json:
        return {"Functions": [{"FunctionName": "another"}]}

    def list_roles(self) -> Json:
        return {"Roles": [{"RoleName": "another"}]}

    def describe_alarms(self) -> Json:
        return {"MetricAlarms": []}
