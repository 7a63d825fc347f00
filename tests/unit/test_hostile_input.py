"""Any input gets a clear response, is never reflected as it came, and causes no AWS call if it is known to be bad."""

from __future__ import annotations

import json
from datetime import timedelta
from html.parser import HTMLParser
from typing import Any
from urllib.parse import quote, urlencode

from hypothesis import given
from hypothesis import strategies as st

from local.emulated.api_events import BROWSER, form_event, http_event
from local.product import LANDING_PAGE, PRODUCT_CODE
from resolver.errors import TokenInvalidError
from resolver.handler import Handler
from resolver.http_event import MAX_BODY_BYTES, TOKEN_FIELD, prefers_json
from resolver.pages import Pages, Text
from resolver.registration import Registrar
from tests.fakes import ACCOUNT, FakeMarketplace, FakeStore

FORM = "application/x-www-form-urlencoded"
SCRIPT = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>"

text = st.text(max_size=200)
tokens = st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1, max_size=500)
json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | text,
    lambda children: (
        st.lists(children, max_size=4)
        | st.dictionaries(text | st.just(TOKEN_FIELD) | st.just("registration_code"), children, max_size=4)
    ),
    max_leaves=20,
)
content_types = st.sampled_from([FORM, f"{FORM}; charset=utf-8", "application/json", "APPLICATION/JSON ;x=y"]) | text
bodies = st.binary(max_size=MAX_BODY_BYTES + 100) | json_values.map(lambda value: json.dumps(value).encode())
routes = st.sampled_from(["POST /register", "POST /claim"])


class Responses(dict[str, Any]):
    def __missing__(self, token: str) -> TokenInvalidError:
        return TokenInvalidError("InvalidTokenException")


def build() -> tuple[Handler, FakeMarketplace, FakeStore]:
    customer = {"CustomerAWSAccountId": ACCOUNT, "ProductCode": PRODUCT_CODE}
    marketplace = FakeMarketplace(Responses({"good": customer}))
    store = FakeStore()
    registrar = Registrar(
        marketplace=marketplace, store=store, products={PRODUCT_CODE: LANDING_PAGE}, claim_ttl=timedelta(minutes=10)
    )
    return Handler(registrar=registrar, pages=Pages(support_url=None, login_url=None)), marketplace, store


@given(route=routes, body=bodies | text, content_type=content_types, accept=text)
def test_any_body_gets_a_clear_response(route: str, body: bytes | str, content_type: str, accept: str) -> None:
    handler, marketplace, store = build()

    response = handler(http_event(route, headers={"content-type": content_type, "accept": accept}, body=body), None)

    assert response["statusCode"] in {400, 404, 413, 415}
    assert not store.claims
    assert all(token.strip() and token.isprintable() for token in marketplace.redeemed)


@given(body=text)
def test_a_body_that_claims_to_be_base64_and_is_not_is_rejected(body: str) -> None:
    handler, _, _ = build()
    event = http_event("POST /register", headers={"content-type": FORM}, body=body)

    assert handler({**event, "isBase64Encoded": True}, None)["statusCode"] == 400


def test_a_megabyte_is_too_large() -> None:
    handler, marketplace, _ = build()
    body = f"{TOKEN_FIELD}=".encode() + b"a" * 1_000_000

    response = handler(http_event("POST /register", headers={"content-type": FORM}, body=body), None)

    assert response["statusCode"] == 413
    assert marketplace.redeemed == []


@given(token=tokens, as_json=st.booleans())
def test_a_token_reaches_marketplace_as_it_was_sent(token: str, *, as_json: bool) -> None:
    handler, marketplace, _ = build()
    body = json.dumps({TOKEN_FIELD: token}) if as_json else urlencode({TOKEN_FIELD: token})
    content_type = "application/json" if as_json else FORM

    handler(http_event("POST /register", headers={"content-type": content_type}, body=body.encode()), None)

    assert marketplace.redeemed == [token] or len(body) > MAX_BODY_BYTES


def test_plus_slash_equals_and_percent_survive_one_decode() -> None:
    handler, marketplace, _ = build()
    token = "a+b/c==%2B%25"

    handler(form_event({TOKEN_FIELD: token}), None)

    assert marketplace.redeemed == [token]


@given(control=st.characters(categories=["Cc", "Cs"]), as_json=st.booleans())
def test_tokens_with_control_characters_or_surrogates_are_not_redeemed(control: str, *, as_json: bool) -> None:
    handler, marketplace, _ = build()
    token = f"good{control}"
    body = json.dumps({TOKEN_FIELD: token}) if as_json else f"{TOKEN_FIELD}={quote(token, errors='surrogatepass')}"
    content_type = "application/json" if as_json else FORM

    response = handler(http_event("POST /register", headers={"content-type": content_type}, body=body), None)

    assert response["statusCode"] == 400
    assert marketplace.redeemed == []


def test_a_repeated_token_is_rejected_in_form_and_json() -> None:
    handler, marketplace, _ = build()

    for content_type, body in {
        FORM: f"{TOKEN_FIELD}=good&{TOKEN_FIELD}=good",
        "application/json": f'{{"{TOKEN_FIELD}":"good","{TOKEN_FIELD}":"good"}}',
    }.items():
        response = handler(http_event("POST /register", headers={"content-type": content_type}, body=body), None)
        assert response["statusCode"] == 400

    assert marketplace.redeemed == []


def test_other_fields_are_not_stored_even_if_named_like_our_attributes() -> None:
    handler, _, store = build()
    extra = {
        "CustomerAWSAccountId": "999999999999",
        "ProductCode": "stolen",
        "LicenseArn": "stolen",
        "RegisteredAt": "1970-01-01",
        "OfferType": "stolen",
        "x-amzn-marketplace-offer-type": "stolen",
        "x-amzn-marketplace-agreement-id": "stolen",
        "isAdmin": "true",
    }

    handler(form_event({TOKEN_FIELD: "good", **extra}), None)

    (registration,) = store.registrations.values()
    assert set(registration) == {"CustomerAWSAccountId", "ProductCode", "RegisteredAt", "LastRegisteredAt"}
    assert "stolen" not in json.dumps(registration)
    assert registration["CustomerAWSAccountId"] == ACCOUNT


@given(key=st.text(min_size=1, max_size=100), code=text)
def test_any_idempotency_key_and_code_get_a_response(key: str, code: str) -> None:
    handler, _, _ = build()
    body = json.dumps({"registration_code": code})

    response = handler(
        http_event("POST /claim", headers={"content-type": "application/json", "idempotency-key": key}, body=body),
        None,
    )

    assert response["statusCode"] in {400, 404}


def test_a_claim_can_be_made_with_any_idempotency_key() -> None:
    for key in ("\ud800", "\x00", "ключ", "k" * 9000):
        handler, _, _ = build()
        location = handler(form_event({TOKEN_FIELD: "good"}), None)["headers"]["Location"]
        body = json.dumps({"registration_code": location.rpartition("=")[2]})
        headers = {"content-type": "application/json", "idempotency-key": key}

        assert handler(http_event("POST /claim", headers=headers, body=body), None)["statusCode"] == 200


@given(
    accept=text
    | st.lists(st.sampled_from(["text/html", "*/*", "application/json", ";q=", "q=nan", ",", "0.5", ";"])).map("".join)
)
def test_any_accept_header_can_be_read(accept: str) -> None:
    assert prefers_json(http_event("POST /register", headers={"accept": accept})) in {True, False}


class Elements(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes.update(name for name, _ in attrs)


def test_a_script_stays_text_wherever_it_is_put() -> None:
    page = Pages(support_url=f"https://a.example/{SCRIPT}", login_url=f"mailto:{SCRIPT}").page(
        Text(happened=SCRIPT, to_do=SCRIPT), reference=SCRIPT
    )

    elements = Elements()
    elements.feed(page)
    assert elements.tags == {
        "html",
        "head",
        "meta",
        "title",
        "style",
        "body",
        "main",
        "h1",
        "p",
        "small",
        "ul",
        "li",
        "a",
    }
    assert elements.attributes == {"lang", "charset", "name", "content", "href"}


def test_no_input_is_reflected_in_a_page() -> None:
    handler, _, _ = build()
    headers = {**BROWSER, "content-type": FORM, "user-agent": SCRIPT, "referer": SCRIPT, "cookie": SCRIPT}
    event = http_event("POST /register", headers=headers, body=urlencode({TOKEN_FIELD: SCRIPT, SCRIPT: SCRIPT}))

    response = handler({**event, "rawPath": f"/{SCRIPT}", "rawQueryString": SCRIPT}, None)

    assert response["statusCode"] == 400
    assert "alert(1)" not in json.dumps(response)
