"""From an invocation to the rules, and back: what became of the run, and where it goes on."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from reconciler.log_line import RunLine
from reconciler.position import Position, PositionInvalidError
from reconciler.times import is_time, text
from subscriptions.errors import SubscriptionError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from reconciler.reconciliation import Reconciliation

    Request = Mapping[str, Any]
    Response = dict[str, Any]


class RequestInvalidError(Exception):
    """The request is none that is documented.

    Args:
        reason: what is wrong with it.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Handler:
    """Handles the schedule's request, ``{}``, and those made by hand: ``since``, ``products``, ``position``.

    Args:
        reconciliation: the rules.
        seller: the account that publishes the products; by default the function's own.
        now: the time.
    """

    def __init__(self, *, reconciliation: Reconciliation, seller: str | None, now: Callable[[], datetime]) -> None:
        self._reconciliation = reconciliation
        self._seller = seller
        self._now = now

    def __call__(self, request: Request, context: Any) -> Response:
        """Run as far as the time allows."""
        line = RunLine()
        position: Position | None = None
        try:
            position = self._run(request, context, line)
        except RequestInvalidError as error:
            line.outcome, line.reason = "request_invalid", error.reason
        except SubscriptionError as error:
            line.outcome, line.reason = "incomplete", error.reason
        finally:
            line.write()
        response: Response = {"outcome": line.outcome, **line.counts}
        if line.reason:
            response["reason"] = line.reason
        if position:
            response["position"] = position.write()
        return response

    def _run(self, request: Request, context: Any, line: RunLine) -> Position | None:
        seller = self._seller or context.invoked_function_arn.split(":")[4]

        def remaining() -> float:
            return float(context.get_remaining_time_in_millis()) / 1000

        if not request:
            self._reconciliation.hourly(line, seller=seller, remaining=remaining)
            return None
        position, products = self._read(request)
        self._reconciliation.name_products(products)
        return self._reconciliation.backfill(line, position, seller=seller, remaining=remaining)

    def _read(self, request: Request) -> tuple[Position, Mapping[str, str]]:
        if (
            not isinstance(request, dict)
            or not request.keys() <= {"since", "products", "position"}
            or ("since" in request) is ("position" in request)
        ):
            raise RequestInvalidError("MembersInvalid")
        products = request.get("products", {})
        if not isinstance(products, dict) or not all(isinstance(code, str) and code for code in products.values()):
            raise RequestInvalidError("ProductsInvalid")
        if "position" in request:
            try:
                return Position.read(request["position"]), products
            except PositionInvalidError:
                raise RequestInvalidError("PositionInvalid") from None
        return Position.first("backfill", since=_time(request["since"]), began=self._now()), products


def _time(since: object) -> datetime:
    try:
        time = datetime.fromisoformat(str(since))
        time = time if time.tzinfo else time.replace(tzinfo=UTC)
        if is_time(text(time)):
            return time
    except (ValueError, OverflowError):
        pass
    raise RequestInvalidError("SinceInvalid")
