"""What stands in front of the application: who may enter, and how much at a time."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import logging
import time
from collections import OrderedDict
from collections.abc import Collection, Sequence
from typing import Any

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from magi_engine.errors import MagiError, RemoteError
from magi_engine.serve.tokens import Tokens

logger = logging.getLogger(__name__)

MOST_CONNECTIONS = 200
"""Open at a time; see :func:`has_place`."""
HEAD_S = 10.0
"""How long a connection may take to say what it wants."""

_PER_S, _BURST = 200.0, 1000.0
"""Requests of one address."""
_MOST_ADDRESSES = 10_000
_OPEN = ("/v1/docs", "/v1/openapi.json")
"""Paths that say what every copy of this program says."""
_ANYBODY = ""
"""Whose requests those are."""


class Guard:
    """Refuses whoever has no token, comes from another site's page, or asks too much.

    Who may enter is known by ``scope["state"]["owner"]`` from here on.

    Args:
        most_at_once: requests of all who may enter.
    """

    def __init__(self, app: ASGIApp, tokens: Tokens, most_at_once: int) -> None:
        self._app, self._tokens, self._most_at_once = app, tokens, most_at_once
        self._inside: list[str] = []
        """Whose requests are being answered."""
        self._rates: OrderedDict[str, tuple[float, float]] = OrderedDict()
        """By address: what is left, and when that was."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        status = 0

        async def noting(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        refusal = self._refusal(scope, headers)
        if refusal is None:
            owner = scope["state"]["owner"]
            self._inside.append(owner)
            try:
                await self._app(scope, receive, noting)
            finally:
                self._inside.remove(owner)
        else:
            response = error_response(refusal[0], refusal[1])
            if scope["type"] == "websocket":
                await receive()  # its beginning; refused before it is accepted
            await response(scope, receive, noting)
        # The path is not the client's word for it: control characters are escaped.
        path = scope["path"] if len(scope["path"]) <= 100 else f"{scope['path'][:100]}…"
        logger.info("%s %s %a %s", scope["type"], scope.get("method", "GET"), path, status)

    def _refusal(self, scope: Scope, headers: Headers) -> tuple[int, MagiError] | None:
        too_many = 429, RemoteError("Too many requests.", "Wait a moment.")
        if not self._is_slow_enough(peer(scope["client"])):
            return too_many
        origin = headers.get("origin")
        if origin is not None and origin.partition("://")[2] != headers.get("host"):
            return 403, RemoteError("Pages of other sites may not use this server.")
        owner = self._tokens.owner(headers.get("authorization", ""))
        if scope["path"] in _OPEN:
            owner = _ANYBODY
        if owner is None:
            return 401, RemoteError("The key is not accepted.", "Use the one the server made.")
        if not has_place(owner, self._inside, self._most_at_once):
            return too_many
        scope.setdefault("state", {})["owner"] = owner
        return None

    def _is_slow_enough(self, address: str) -> bool:
        now = time.monotonic()
        left, then = self._rates.pop(address, (_BURST, now))
        left = min(_BURST, left + (now - then) * _PER_S) - 1
        self._rates[address] = max(left, 0.0), now
        if len(self._rates) > _MOST_ADDRESSES:
            self._rates.popitem(last=False)
        return left >= 0


class BoundedProtocol(H11Protocol):
    """HTTP with a bound to open connections, and to the time until one says what it wants."""

    _deadline: asyncio.TimerHandle | None = None
    _refused = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        peers = [peer(getattr(one, "client", None)) for one in self.connections]
        if not has_place(peer(transport.get_extra_info("peername")), peers):
            self._refused = True
            transport.abort()
            return
        super().connection_made(transport)
        self._deadline = self.loop.call_later(HEAD_S, self._too_slow)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        if not self._refused:
            super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if not self._refused:
            super().data_received(data)

    def _too_slow(self) -> None:
        if self.headers is None:
            self.transport.abort()


def has_place(who: str, inside: Collection[str], most: int = MOST_CONNECTIONS) -> bool:
    """Whether somebody may have one more place beside those who are inside.

    Everybody may have as many as are still free, so that whoever takes all that can be had leaves
    half of them, two leave a third (dynamic thresholds, Choudhury and Hahne 1998).
    """
    return list(inside).count(who) < most - len(inside)


def peer(address: Sequence[Any] | None) -> str:
    """Who has an address, as a socket names it: of IPv6, everybody far away has a network."""
    if not address:
        return ""
    try:
        known = ipaddress.ip_address(str(address[0]).partition("%")[0])
    except ValueError:
        return str(address[0])
    if isinstance(known, ipaddress.IPv4Address) or known.is_link_local:
        return str(known)
    return str(known.ipv4_mapped or ipaddress.ip_network((known, 64), strict=False))


class AsciiResponse(JSONResponse):
    """JSON in ASCII: what clients have sent may hold half a letter, which UTF-8 cannot say."""

    def render(self, content: Any) -> bytes:
        return json.dumps(content, allow_nan=False, separators=(",", ":")).encode()


def error_response(status: int, error: MagiError) -> AsciiResponse:
    """An error as a program and a person read it."""
    said: dict[str, Any] = {
        "error": type(error).__name__,
        "message": str(error.message),
        "hint": str(error.hint),
        "exact": {"error": error.to_dict()},
    }
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else None
    return AsciiResponse(said, status, headers)
