"""The pages of AWS Marketplace's results, each continued by its own token."""

import json
import secrets
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

_Item = TypeVar("_Item")
Position = tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class _Rest:
    request: str
    after: Position = ()
    filled: bool = False


class Pages:
    """Divides results into pages.

    Args:
        at_most: How many results a page has at most.
    """

    def __init__(self, at_most: int) -> None:
        self._lock = threading.Lock()
        self._at_most = at_most
        self._empty_pages = False
        self._rests: dict[str, _Rest] = {}

    def limit(self, at_most: int, *, empty_pages: bool) -> None:
        """Respond in small pages from now on.

        Args:
            at_most: How many results a page has at most.
            empty_pages: Whether an empty page comes before each.

        Raises:
            ValueError: ``at_most`` is less than 1.
        """
        if at_most < 1:
            raise ValueError(f"at_most must be at least 1, got {at_most!r}")
        with self._lock:
            self._at_most, self._empty_pages = at_most, empty_pages

    def page(
        self, request: object, token: str | None, found: Sequence[tuple[Position, _Item]], size: int
    ) -> tuple[list[_Item], str | None] | None:
        """Return a page and the token of the next one; None if the token is not of this request.

        Args:
            request: What a token must not be used without.
            token: Continues a request; None begins it.
            found: All results as they are now, in ascending order of their positions.
            size: How many the caller wants at most.
        """
        key = json.dumps(request, sort_keys=True)
        with self._lock:
            rest = _Rest(request=key) if token is None else self._rests.get(token)
            if rest is None or rest.request != key:
                return None
            if self._empty_pages and not rest.filled:
                return [], self._token(replace(rest, filled=True))
            left = [each for each in found if each[0] > rest.after]
            page = left[: min(size, self._at_most)]
            more = len(left) > len(page)
            return [item for _, item in page], self._token(_Rest(request=key, after=page[-1][0])) if more else None

    def _token(self, rest: _Rest) -> str:
        token = secrets.token_urlsafe(48)
        self._rests[token] = rest
        return token
