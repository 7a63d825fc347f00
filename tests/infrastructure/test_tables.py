"""A table of the seller's own: what cannot hold registrations is rejected, and its name counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from aws_cdk import App, Environment, Fn, NestedStack, Stack
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk.assertions import Template

from constructs_lib import MarketplaceRegistration
from local.product import LANDING_PAGE, PRODUCT_CODE

if TYPE_CHECKING:
    from collections.abc import Callable

    from constructs import Construct

HERE = Environment(account="111122223333", region="eu-west-1")
STRING, NUMBER = dynamodb.AttributeType.STRING, dynamodb.AttributeType.NUMBER
RIGHT = (("CustomerAWSAccountId", STRING), ("ProductLicense", STRING))

Key = tuple[tuple[str, dynamodb.AttributeType], ...]


def key(*attributes: tuple[str, dynamodb.AttributeType]) -> dict[str, Any]:
    names = ("partition_key", "sort_key")
    return {
        name: dynamodb.Attribute(name=attribute, type=kind)
        for name, (attribute, kind) in zip(names, attributes, strict=False)
    }


def register(scope: Construct, table: Any, **parameters: Any) -> MarketplaceRegistration:
    products = {PRODUCT_CODE: LANDING_PAGE}
    return MarketplaceRegistration(scope, "Registration", **{"products": products, "table": table, **parameters})


@pytest.mark.parametrize("kind", [dynamodb.TableV2, dynamodb.Table])
@pytest.mark.parametrize(
    ("attributes", "got"),
    [
        (RIGHT[:1], "CustomerAWSAccountId (S)"),
        (RIGHT[::-1], "ProductLicense (S) and CustomerAWSAccountId (S)"),
        ((RIGHT[0], ("ProductLicense", NUMBER)), "CustomerAWSAccountId (S) and ProductLicense (N)"),
        ((("customerIdentifier", STRING),), "customerIdentifier (S)"),
    ],
)
def test_a_table_with_another_key_is_rejected(kind: Callable[..., Any], attributes: Key, got: str) -> None:
    stack = Stack(App(), "Stack", env=HERE)

    with pytest.raises(ValueError) as rejection:  # noqa: PT011 - the message is compared whole
        register(stack, kind(stack, "Own", **key(*attributes)))

    assert str(rejection.value) == (
        "table: must have the partition key CustomerAWSAccountId and the sort key ProductLicense, both strings, got "
        + got
    )


@pytest.mark.parametrize("kind", [dynamodb.TableV2, dynamodb.Table])
def test_a_table_with_the_key_is_let_through_whatever_else_it_has(kind: Callable[..., Any]) -> None:
    stack = Stack(App(), "Stack", env=HERE)
    own = kind(stack, "Own", **key(*RIGHT))
    own.add_global_secondary_index(index_name="ByProduct", **key(("ProductCode", STRING)))

    register(stack, own)

    Template.from_stack(stack).resource_count_is("AWS::ApiGatewayV2::Api", 1)


@pytest.mark.parametrize(
    ("arn", "what", "here", "there"),
    [
        ("arn:aws:dynamodb:eu-west-1:444455556666:table/buyers", "account", "111122223333", "444455556666"),
        ("arn:aws:dynamodb:us-east-1:111122223333:table/buyers", "region", "eu-west-1", "us-east-1"),
    ],
)
@pytest.mark.parametrize("kind", [dynamodb.TableV2, dynamodb.Table])
def test_a_table_in_another_account_or_region_is_rejected(
    kind: Any, arn: str, what: str, here: str, there: str
) -> None:
    stack = Stack(App(), "Stack", env=HERE)

    with pytest.raises(ValueError) as rejection:  # noqa: PT011 - the message is compared whole
        register(stack, kind.from_table_arn(stack, "Own", arn))

    assert str(rejection.value) == (
        f"table: must be in the {what} of the stack, {here}, where the resolver calls DynamoDB and the alarms find its "
        f"metrics, got one in {there}"
    )


def test_a_table_of_a_stack_in_another_account_is_rejected() -> None:
    app = App()
    other = Stack(app, "Other", env=Environment(account="444455556666", region="eu-west-1"))
    own = dynamodb.TableV2(other, "Own", **key(*RIGHT))

    with pytest.raises(ValueError, match=r"^table: must be in the account of the stack, .* 444455556666$"):
        register(Stack(app, "Stack", env=HERE), own)


def test_a_table_is_let_through_where_its_account_or_the_stacks_is_not_known() -> None:
    anywhere = Stack(App(), "Stack")
    arn = "arn:aws:dynamodb:eu-west-1:444455556666:table/buyers"
    register(anywhere, dynamodb.TableV2.from_table_arn(anywhere, "Own", arn))

    later = Stack(App(), "Stack")
    register(later, dynamodb.TableV2.from_table_arn(later, "Own", Fn.import_value("arn")))


def test_a_table_in_no_known_region_is_rejected_where_the_cdk_could_make_no_alarm_of_it() -> None:
    stack = Stack(App(), "Stack", env=HERE)

    with pytest.raises(ValueError, match=r"^table: must be known to be in the region of the stack, .* by its name, "):
        register(stack, dynamodb.TableV2.from_table_arn(stack, "Own", Fn.import_value("arn")))


def test_a_replica_of_a_table_has_no_key_to_look_at() -> None:
    app = App()
    stack, other = (Stack(app, name, env=HERE) for name in ("Stack", "Other"))
    source = dynamodb.TableV2.from_table_arn(other, "Source", "arn:aws:dynamodb:eu-west-2:444455556666:table/buyers")
    own = dynamodb.TableV2MultiAccountReplica(stack, "Own", replica_source_table=source, table_name="buyers")

    register(stack, own)


def size(scope: Construct, table: Any) -> int:
    """Return how large the environment is found to be, beyond what Lambda allows."""
    with pytest.raises(ValueError, match=r"got \d+ bytes for 1 products$") as rejection:
        register(scope, table, products={PRODUCT_CODE: f"{LANDING_PAGE}/{'x' * 4096}"})
    return int(str(rejection.value).split("got ")[1].split()[0])


def test_the_names_of_tables_count_at_their_longest() -> None:
    def stack(name: str = "Stack") -> Stack:
        return Stack(App(), name, env=HERE)

    def named(name: str) -> Callable[[Construct], Any]:
        return lambda scope: dynamodb.TableV2.from_table_name(scope, "Own", name)

    def bytes_with(table: Callable[[Construct], Any], scope: Construct) -> int:
        return size(scope, table(scope))

    shortest = bytes_with(named("abc"), stack())
    assert bytes_with(named("abcdef"), stack()) == shortest + 3
    # Known at deployment only: any name that DynamoDB allows.
    assert bytes_with(named(Fn.import_value("name")), stack()) == shortest + 255 - 3
    # Made by CloudFormation: the stack's name, the logical id, a suffix, cut to what DynamoDB allows.
    made = bytes_with(lambda scope: dynamodb.TableV2(scope, "Own", **key(*RIGHT)), stack())
    assert made == shortest + len("Stack-Own12345678-1234567890123") - 3
    long = bytes_with(lambda scope: dynamodb.TableV2(scope, "Own" * 80, **key(*RIGHT)), stack("S" * 128))
    claims = len("-RegistrationStoreClaims12345678-1234567890123")
    assert long == shortest + (255 - 3) + (128 - 5)
    assert claims + 128 < 255
    # A nested stack's name is known at deployment only, so both names may be the longest.
    assert bytes_with(named("abc"), NestedStack(stack(), "Nested")) == shortest + 255 - claims - len("Stack")
