"""The address that a server listens on."""

import errno
import ipaddress
import socket

from foveal.core.errors import TemporaryError, UsageError

_BACKLOG = 1024
_LOCAL = frozenset({"localhost", "127.0.0.1", "[::1]"})


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens.

    Args:
        host: A name or an address of this machine.
        port: 0 takes one that is free.

    Raises:
        TemporaryError: `port_in_use`.
        UsageError: `bad_host`: it is no address of this machine, or not for us.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise UsageError(f"cannot listen on {host}: {error.strerror}", code="bad_host") from None
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise TemporaryError(
                f"port {port} of {host} is taken by another program",
                code="port_in_use",
                hint="end it, or take another port: --port 0 finds one that is free",
            ) from None
        raise UsageError(f"cannot listen on {host} port {port}: {error.strerror}", code="bad_host") from None
    return listener


def is_local(listener: socket.socket) -> bool:
    """Return whether only this machine reaches it."""
    return ipaddress.ip_address(listener.getsockname()[0].partition("%")[0]).is_loopback


def address(listener: socket.socket) -> str:
    """Return where it listens, as an URL without a path."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def hosts(listener: socket.socket) -> frozenset[str]:
    """Return the names that requests to a local address may give it.

    Without a token, a page of a stranger in the user's browser must not reach it under a name of its own
    (DNS rebinding).
    """
    host = listener.getsockname()[0]
    return _LOCAL | {f"[{host}]" if ":" in host else host}
