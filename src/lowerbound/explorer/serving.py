"""The socket that the explorer listens on, and the loop that serves it."""

from __future__ import annotations

import errno
import socket

import uvicorn

from lowerbound.errors import UserError
from lowerbound.explorer.atlas import Atlas
from lowerbound.explorer.server import application

# Ports that are tried one after the other, and requests that are answered at once.
_TRIES, _AT_ONCE = 50, 256


def listen(host: str, port: int) -> socket.socket:
    """A listening socket on a port, or on the next one that is free.

    Args:
        host: The address.
        port: 0 for any.

    Raises:
        UserError: There is no such address on this machine, or no port that is free.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except OSError as error:
        raise UserError(f"There is no address {host} ({error.strerror}): choose another --host.") from None
    last = min(port + _TRIES, 65_536) if port else 1
    for candidate in range(port, last):
        opened = socket.socket(family, kind, protocol)
        try:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            opened.bind((address[0], candidate, *address[2:]))
            opened.listen(128)
        except OSError as error:
            opened.close()
            if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                raise UserError(f"Cannot listen on {host} ({error.strerror}): choose another --host.") from None
        else:
            return opened
    raise UserError(f"None of the ports from {port} to {last - 1} is free: choose another --port.")


def server(atlas: Atlas, host: str) -> uvicorn.Server:
    """What answers, once it is run with the sockets that are listened on.

    Args:
        atlas: The model and its data.
        host: As it was given to `listen`.
    """
    settings = uvicorn.Config(
        application(atlas, host),
        log_level="warning",
        access_log=False,
        server_header=False,
        lifespan="on",
        ws="none",
        limit_concurrency=_AT_ONCE,
        timeout_graceful_shutdown=1,
    )
    return uvicorn.Server(settings)
