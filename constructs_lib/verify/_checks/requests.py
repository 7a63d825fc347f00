"""Checks of requests: what buyers and backends are answered, and what is left of that in the logs."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from botocore.credentials import Credentials

from constructs_lib.registration._outcomes import COUNTS
from constructs_lib.verify._check import Check, Result, compared, local
from constructs_lib.verify._deadline import Deadline, NotSeenError
from constructs_lib.verify._http import Response, signed
from constructs_lib.verify._names import CUSTOM_DOMAIN, MAIN, RATE_LIMIT, THROTTLED

if TYPE_CHECKING:
    from constructs_lib.verify._subject import Subject

_FORM = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
_TOKEN = "made-up-by-verify"  # noqa: S105 - a made-up token is no secret
_CLAIM = b'{"registration_code": "' + b"x" * 43 + b'"}'

# More than the burst of the throttled stack, and no more than a small account can have.
_BURST = 60
_DEFAULT_BURST = 20

_FIELDS = {"message": "POST /register", "status": int, "resolve_customer_ms": (int, float)}


def register(subject: Subject, stack: str = MAIN) -> Response:
    """Send what a buyer's browser sends, with a made-up token, but ask for JSON."""
    body = f"x-amzn-marketplace-token={_TOKEN}".encode()
    return subject.http.send("POST", subject.url("/register", stack), headers=_FORM, body=body)


def _page(subject: Subject, _deadline: Deadline) -> Result:
    response = subject.http.send("GET", subject.url("/register"), headers={"Accept": "text/html"})
    whole = response.status == HTTPStatus.OK and "</html>" in response.body
    return Result(seen=f"{response.status}, {len(response.body)} characters", holds=whole)


def _line_of(subject: Subject, response: Response, deadline: Deadline) -> dict[str, Any]:
    """Return the one log line of a request, by the reference that its response gives."""
    now = subject.clock.time()
    reference = response.json.get("reference")
    if not reference:
        raise NotSeenError(f"{response}, without a reference")
    lines = deadline.until(
        lambda: subject.lines(subject.main["LogGroup"], f'"{reference}"', now - 600),
        lambda lines: any("outcome" in line for line in lines),
        lambda lines: f"{response}, and {len(lines)} lines with its reference in the log",
    )
    return next(line for line in lines if "outcome" in line)


def _made_up_token(subject: Subject, deadline: Deadline) -> Result:
    response = register(subject)
    if (response.status, response.outcome) == (HTTPStatus.BAD_REQUEST, "token_invalid"):
        return Result(seen=str(response), holds=True)
    reason = _line_of(subject, response, deadline).get("reason")
    return Result(seen=f"{response}, because AWS said {reason}", holds=False)


def _outcome_line(subject: Subject, deadline: Deadline) -> Result:
    response = register(subject)
    line = _line_of(subject, response, deadline)
    expected = {**_FIELDS, "outcome": response.outcome, "api_request_id": response.json["reference"]}
    wrong = [
        f"{name} is {line.get(name)!r}"
        for name, wanted in expected.items()
        if not (isinstance(line.get(name), wanted) if isinstance(wanted, type | tuple) else line.get(name) == wanted)
    ]
    if _TOKEN in str(line):
        wrong.append("the token is in it")
    return compared(wrong, ", ".join(sorted(line)))


def _outcome_counted(subject: Subject, deadline: Deadline) -> Result:
    start = subject.clock.time()
    outcome = register(subject, CUSTOM_DOMAIN).outcome
    metric = next((metric for metric, outcomes in COUNTS.items() if outcome in outcomes), "")
    namespace = f"MarketplaceRegistration/{subject.outputs[CUSTOM_DOMAIN]['ResolverName']}"
    counted = deadline.until(
        lambda: subject.sum_of(namespace, metric, start),
        bool,
        lambda _: f"{outcome or 'no outcome'}, and no metric has it",
    )
    return Result(seen=f"{outcome}: {metric} {counted:g}", holds=True)


def _half_a_throttle(subject: Subject, _deadline: Deadline) -> Result:
    stage = subject.client("apigatewayv2").get_stage(ApiId=subject.outputs[THROTTLED]["ApiId"], StageName="$default")
    limits = stage["DefaultRouteSettings"]
    rate, burst = limits.get("ThrottlingRateLimit"), limits.get("ThrottlingBurstLimit")
    return Result(seen=f"rate {rate}, burst {burst}", holds=(rate, burst) == (RATE_LIMIT, _DEFAULT_BURST))


def _get(subject: Subject, method: str = "GET") -> int:
    return subject.http.send(method, subject.url("/register", THROTTLED)).status


def _statuses(subject: Subject) -> set[int]:
    with ThreadPoolExecutor(_BURST) as threads:
        return set(threads.map(lambda _: _get(subject), range(_BURST)))


def _throttled_requests(subject: Subject, deadline: Deadline) -> Result:
    start = subject.clock.time()
    deadline.until(lambda: _statuses(subject), lambda statuses: HTTPStatus.TOO_MANY_REQUESTS in statuses)
    outputs = subject.outputs[THROTTLED]
    pattern = '{ ($.status = "429") && ($.routeKey = "GET /register") }'
    lines = deadline.until(
        lambda: subject.lines(outputs["AccessLogGroup"], pattern, start),
        bool,
        lambda _: "429, but not in the access log with status and routeKey",
    )
    namespace = f"MarketplaceRegistration/{outputs['ResolverName']}"
    counted = deadline.until(
        lambda: subject.sum_of(namespace, "ApiThrottled", start),
        bool,
        lambda _: f"{len(lines)} lines in the access log, but ApiThrottled counts none",
    )
    return Result(seen=f"{len(lines)} lines in the access log, ApiThrottled {counted:g}", holds=True)


def _throttled_routes(subject: Subject, deadline: Deadline) -> Result:
    def probe() -> tuple[int, int, int]:
        _statuses(subject)
        return _get(subject), _get(subject, "HEAD"), _get(subject)

    before, other, _ = deadline.until(
        probe, lambda seen: seen[0] == seen[2] == HTTPStatus.TOO_MANY_REQUESTS, lambda seen: f"GET, HEAD, GET: {seen}"
    )
    return Result(seen=f"GET {before}, HEAD {other}", holds=other == HTTPStatus.OK)


def _throttled_function(subject: Subject, deadline: Deadline) -> Result:
    lambda_, name = subject.client("lambda"), subject.outputs[CUSTOM_DOMAIN]["ResolverName"]

    def get() -> Response:
        return subject.http.send("GET", subject.url("/register", CUSTOM_DOMAIN))

    lambda_.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    try:
        response = deadline.until(get, lambda response: response.status != HTTPStatus.OK)
    finally:
        lambda_.delete_function_concurrency(FunctionName=name)
    return Result(seen=str(response), holds=None)


def _claim(
    subject: Subject, credentials: Credentials, url: str | None = None, connect_to: str | None = None
) -> Response:
    url = url or subject.url("/claim")
    headers = signed(url, _CLAIM, credentials=credentials, region=subject.region)
    return subject.http.send("POST", url, headers=headers, body=_CLAIM, connect_to=connect_to)


def _denied(response: Response) -> Result:
    return Result(seen=str(response), holds=response.status == HTTPStatus.FORBIDDEN)


def _unsigned(subject: Subject, _deadline: Deadline) -> Result:
    headers = {"Content-Type": "application/json"}
    return _denied(subject.http.send("POST", subject.url("/claim"), headers=headers, body=_CLAIM))


def _wrongly_signed(subject: Subject, _deadline: Deadline) -> Result:
    right = subject.backend
    return _denied(_claim(subject, Credentials(right.access_key, f"not {right.secret_key}", right.token)))


def _not_granted(subject: Subject, _deadline: Deadline) -> Result:
    return _denied(_claim(subject, subject.assume("StrangerRoleArn")))


def _refused(response: Response) -> bool:
    return (response.status, response.outcome) == (HTTPStatus.NOT_FOUND, "claim_refused")


def _unknown_code(subject: Subject, deadline: Deadline) -> Result:
    # A role's new policy takes some seconds to be known everywhere.
    return Result(seen=str(deadline.until(lambda: _claim(subject, subject.backend), _refused)), holds=True)


def _without_domain(subject: Subject) -> str:
    return local("has no custom domains")(subject) or ("" if subject.domain else "no --domain was given")


def _custom_domain(subject: Subject, deadline: Deadline) -> Result:
    url = f"https://{subject.domain}/claim"
    target = subject.outputs[CUSTOM_DOMAIN]["DomainTarget"]
    response = deadline.until(lambda: _claim(subject, subject.backend, url, target), _refused)
    return Result(seen=str(response), holds=True)


CHECKS = (
    Check(name="fulfillment-page", expected="GET of the fulfillment URL returns 200 and a page", seconds=60, run=_page),
    Check(
        name="made-up-token",
        expected="POST with a made-up token returns 400 token_invalid: ResolveCustomer was reached and allowed",
        seconds=120,
        run=_made_up_token,
    ),
    Check(
        name="outcome-line",
        expected="the request has a line in the resolver's log, with its fields and without the token",
        seconds=120,
        run=_outcome_line,
    ),
    Check(
        name="outcome-counted",
        expected="the metric of the request's outcome counts it",
        seconds=300,
        run=_outcome_counted,
        left_out=local("evaluates no metric filters"),
    ),
    Check(
        name="half-a-throttle",
        expected=f"a throttle with only the rate {RATE_LIMIT} also has the default burst {_DEFAULT_BURST}",
        seconds=30,
        run=_half_a_throttle,
        left_out=local("keeps no throttle"),
    ),
    Check(
        name="throttled-requests",
        expected="429 above the throttle, in the access log with status and routeKey, counted by ApiThrottled",
        seconds=600,
        run=_throttled_requests,
        left_out=local("throttles nothing"),
    ),
    Check(
        name="throttled-routes",
        expected="HEAD /register responds while GET /register is throttled: each route has its own throttle",
        seconds=300,
        run=_throttled_routes,
        left_out=local("throttles nothing"),
    ),
    Check(
        name="throttled-function",
        expected="(measured) the response while Lambda throttles the resolver",
        seconds=120,
        run=_throttled_function,
        left_out=local("throttles nothing"),
    ),
    Check(name="claim-unsigned", expected="an unsigned claim gets 403", seconds=60, run=_unsigned),
    Check(
        name="claim-wrongly-signed",
        expected="a claim signed with another secret key gets 403",
        seconds=60,
        run=_wrongly_signed,
        left_out=local("checks no signature"),
    ),
    Check(
        name="claim-not-granted",
        expected="a claim signed by a role without grant_claim gets 403",
        seconds=60,
        run=_not_granted,
    ),
    Check(
        name="claim-unknown-code",
        expected="a signed claim of an unknown code gets 404 claim_refused",
        seconds=120,
        run=_unknown_code,
    ),
    Check(
        name="claim-custom-domain",
        expected="so does one through a custom domain, signed for its name",
        seconds=300,
        run=_custom_domain,
        left_out=_without_domain,
    ),
)
