"""Calls to AWS as they leave the SDK, and the handling of each response, without a network."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import timedelta
from io import BytesIO
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.httpsession import URLLib3Session
from urllib3 import HTTPResponse

from constructs_lib.registration._resolver import RESOLVER
from local.emulated.api_events import JSON_CALLER, form_event, json_event
from local.product import LANDING_PAGE, PRODUCT_CODE
from resolver import composition
from resolver.http_event import TOKEN_FIELD
from resolver.settings import Settings
from sdk.errors import CallFailedError
from sdk.session import own_session
from tests.fakes import ACCOUNT

if TYPE_CHECKING:
    from botocore.awsrequest import AWSPreparedRequest

    from resolver.handler import Handler

CUSTOMER = {"CustomerAWSAccountId": ACCOUNT, "ProductCode": PRODUCT_CODE}
ROLE = "arn:aws:iam::444455556666:role/seller"
CREDENTIALS = (
    "<AssumeRoleResponse xmlns='https://sts.amazonaws.com/doc/2011-06-15/'><AssumeRoleResult><Credentials>"
    "<AccessKeyId>assumed</AccessKeyId><SecretAccessKey>secret</SecretAccessKey><SessionToken>session</SessionToken>"
    "<Expiration>2100-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>"
)
REGISTERED = {"Attributes": {"RegisteredAt": {"S": "2026-11-23T12:00:00.000000+00:00"}}}


@dataclass
class FakeAws:
    """Replaces the SDK's sending; it has a response, a status and a body, for each service."""

    responses: dict[str, tuple[int, str]]
    sent: list[AWSPreparedRequest] = field(default_factory=list)
    cut_off: bool = False

    def send(self, request: AWSPreparedRequest) -> AWSResponse:
        self.sent.append(request)
        status, body = self.responses[service_of(request)]
        headers = HTTPHeaders.from_dict({"Content-Length": str(len(body) + self.cut_off)})
        return AWSResponse(
            request.url, status, headers, raw=HTTPResponse(BytesIO(body.encode()), preload_content=False)
        )

    def to(self, service: str) -> list[AWSPreparedRequest]:
        return [request for request in self.sent if service_of(request) == service]


def service_of(request: AWSPreparedRequest) -> str:
    return str(urlsplit(request.url).hostname).split(".")[0]


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> FakeAws:
    for name, value in {
        "AWS_ACCESS_KEY_ID": "own",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        monkeypatch.setenv(name, value)
    aws = FakeAws(
        {
            "metering": (200, json.dumps(CUSTOMER)),
            "dynamodb": (200, json.dumps(REGISTERED)),
            "sts": (200, CREDENTIALS),
        }
    )
    monkeypatch.setattr(URLLib3Session, "send", lambda _, request: aws.send(request))
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda *_: 0)
    return aws


def compose(*, role: str | None = None, external_id: str | None = None) -> Handler:
    settings = Settings(
        products={PRODUCT_CODE: LANDING_PAGE},
        registrations_table="registrations",
        claims_table="claims",
        claim_ttl=timedelta(minutes=10),
        marketplace_region="us-west-2",
        seller_role_arn=role,
        seller_role_external_id=external_id,
        support_url=None,
        login_url=None,
    )
    return composition.compose(settings, models=RESOLVER.folder / "models")


def form_of(request: AWSPreparedRequest) -> dict[str, str]:
    body: Any = request.body
    return dict(parse_qsl(body))


def json_of(request: AWSPreparedRequest) -> Any:
    body: Any = request.body
    return json.loads(body)


def register(resolver: Handler) -> dict[str, Any]:
    return resolver(form_event({TOKEN_FIELD: "token"}, **JSON_CALLER), None)


def reason(caplog: pytest.LogCaptureFixture) -> Any:
    (record,) = caplog.records
    return vars(record)["reason"]


def test_marketplace_is_called_in_its_own_region_and_dynamodb_in_the_functions(aws: FakeAws) -> None:
    assert register(compose())["statusCode"] == 200

    assert [urlsplit(request.url).hostname for request in aws.sent] == [
        "metering.marketplace.us-west-2.amazonaws.com",
        "dynamodb.eu-west-1.amazonaws.com",
        "dynamodb.eu-west-1.amazonaws.com",
    ]


def test_the_sellers_role_is_assumed_with_its_external_id_for_marketplace_alone(aws: FakeAws) -> None:
    register(compose(role=ROLE, external_id="external-id"))

    (assumed,) = aws.to("sts")
    assert form_of(assumed) == {
        "Action": "AssumeRole",
        "Version": "2011-06-15",
        "RoleArn": ROLE,
        "RoleSessionName": "marketplace-registration",
        "ExternalId": "external-id",
    }
    signers = {service_of(request): str(request.headers["Authorization"]) for request in aws.sent}
    assert "Credential=assumed/" in signers["metering"]
    assert "Credential=own/" in signers["dynamodb"]
    assert aws.to("metering")[0].headers["X-Amz-Security-Token"] in {"session", b"session"}


def test_a_role_without_an_external_id_is_assumed_without_one(aws: FakeAws) -> None:
    register(compose(role=ROLE))

    (assumed,) = aws.to("sts")
    assert "ExternalId" not in form_of(assumed)


def test_without_a_role_nothing_is_assumed(aws: FakeAws) -> None:
    register(compose())

    assert aws.to("sts") == []


@pytest.mark.parametrize(("service", "tries"), [("sts", 2), ("metering", 3), ("dynamodb", 2)])
def test_each_service_is_tried_as_often_as_its_time_limits_say(aws: FakeAws, service: str, tries: int) -> None:
    aws.responses[service] = (503, "")

    assert register(compose(role=ROLE))["statusCode"] == 503

    assert len(aws.to(service)) == tries


@pytest.mark.parametrize(
    ("status", "error_code", "outcome"),
    [
        (400, "InvalidTokenException", "token_invalid"),
        (400, "ExpiredTokenException", "token_expired"),
        (400, "ThrottlingException", "marketplace_throttled"),
        (400, "AccessDeniedException", "marketplace_refused"),
        (499, "InternalServiceErrorException", "marketplace_refused"),
        (500, "InternalServiceErrorException", "marketplace_unavailable"),
        (500, "ThrottlingException", "marketplace_throttled"),
    ],
)
def test_an_error_of_marketplace_is_logged_by_its_error_code(
    aws: FakeAws, caplog: pytest.LogCaptureFixture, status: int, error_code: str, outcome: str
) -> None:
    aws.responses["metering"] = (status, json.dumps({"__type": error_code, "message": "never logged"}))

    assert json.loads(register(compose())["body"])["outcome"] == outcome

    assert reason(caplog) == error_code


@pytest.mark.parametrize("missing", CUSTOMER)
def test_a_response_that_names_no_account_or_product_has_a_reason_of_our_own(
    aws: FakeAws, caplog: pytest.LogCaptureFixture, missing: str
) -> None:
    aws.responses["metering"] = (200, json.dumps({**CUSTOMER, missing: ""}))

    assert json.loads(register(compose())["body"])["outcome"] == "marketplace_refused"

    assert reason(caplog) == "AnswerWithoutAccountOrProduct"


def test_a_truncated_response_counts_as_a_failed_call(aws: FakeAws, caplog: pytest.LogCaptureFixture) -> None:
    resolver = compose()
    aws.cut_off = True

    for response in (
        register(resolver),
        resolver(json_event("POST /claim", {"registration_code": "x" * 43}), None),
    ):
        assert response["statusCode"] == 503

    assert {vars(record)["reason"] for record in caplog.records} == {"UnusableResponseError"}


def test_a_claim_reads_consistently_so_that_a_registration_can_be_claimed_at_once(aws: FakeAws) -> None:
    record = {
        "ExpiresAt": {"N": "9999999999"},
        "CustomerAWSAccountId": {"S": ACCOUNT},
        "ProductLicense": {"S": f"{PRODUCT_CODE}#"},
    }
    aws.responses["dynamodb"] = (200, json.dumps({"Item": record}))

    compose()(json_event("POST /claim", {"registration_code": "x" * 43}), None)

    reads = [json_of(request) for request in aws.sent[:2]]
    assert [(read["TableName"], read["ConsistentRead"]) for read in reads] == [
        ("claims", True),
        ("registrations", True),
    ]


def test_a_failed_call_carries_its_reason() -> None:
    error = CallFailedError("Throttling", status=400)

    assert (str(error), error.reason, error.status) == ("Throttling", "Throttling", 400)


def test_a_session_knows_the_assets_models_and_no_others(aws: FakeAws) -> None:  # noqa: ARG001 - sets the environment
    loader = own_session(RESOLVER.folder / "models").get_component("data_loader")

    assert loader.list_available_services("service-2") == ["dynamodb", "meteringmarketplace", "sts"]


def test_parameters_are_not_validated_at_run_time(aws: FakeAws) -> None:  # noqa: ARG001 - sets the environment
    config: Any = own_session(RESOLVER.folder / "models").get_default_client_config()

    assert config.parameter_validation is False
