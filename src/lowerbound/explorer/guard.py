"""Who is let in, how large what they bring may be, and what the browser is told to refuse.

A page of elsewhere that runs in the same browser must not reach the explorer. Such a page either says where it comes
from (Origin), or reaches this machine by a name of its own (DNS rebinding), which is then what Host says.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable

from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MOST_BYTES = 10_000_000
"""Of a request's body."""
# Bytes of a body that is too large which are read and thrown away, so that its sender gets to hear why.
_PATIENCE = 10 * MOST_BYTES

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cache-Control": "no-cache",
}
"""Of every answer."""


class Guard:
    """Middleware around the whole application.

    Args:
        app: The application.
        host: The address that it is served on.
    """

    def __init__(self, app: ASGIApp, host: str) -> None:
        self.app = app
        self.host = host.lower()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse the request, or let it in with a body that cannot grow beyond all bounds."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]
                message = {**message, "headers": [*message["headers"], *own]}
            await send(message)

        headers: list[tuple[bytes, bytes]] = scope["headers"]
        refusal = self._refusal(headers)
        if refusal is not None:
            await JSONResponse({"error": refusal[1]}, refusal[0])(scope, receive, with_headers)
            return
        taken = 0

        async def counted() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            while taken > MOST_BYTES:
                if not message.get("more_body") or taken > _PATIENCE:
                    raise HTTPException(413, f"A request may bring {MOST_BYTES // 10**6} MB at most: send less.")
                message = await receive()
                taken += len(message.get("body", b""))
            return message

        await self.app(scope, counted, with_headers)

    def _refusal(self, headers: Iterable[tuple[bytes, bytes]]) -> tuple[int, str] | None:
        """Status and sentence for a request from elsewhere; None: it is welcome."""
        hosts = [value.decode("latin-1").lower() for name, value in headers if name == b"host"]
        origins = [value.decode("latin-1").lower() for name, value in headers if name == b"origin"]
        if len(hosts) != 1 or not self._own(hosts[0]):
            return 421, "The explorer answers to the address of this machine alone: open the one that it printed."
        if origins and origins != [f"http://{hosts[0]}"]:
            return 403, "The explorer answers to its own page alone, and this request comes from another one."
        return None

    def _own(self, host: str) -> bool:
        """Whether a Host header is an address of ours, on any port: a tunnel may have changed that."""
        name = _without_port(host)
        if name in _LOOPBACK or name == self.host:
            return True
        if self.host in _LOOPBACK:
            return False
        # Told to serve others, it is reached by an address, which no one can rebind, or by the name of the machine.
        return _is_address(name) or name == socket.gethostname().lower()


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
