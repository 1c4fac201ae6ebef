"""Addresses that a person names: shown without a password, and whether they are on this machine."""

import ipaddress
from urllib.parse import SplitResult, unquote, urlsplit

from foveal.core.errors import UsageError


def address(text: str) -> SplitResult:
    """Return the parts of an address.

    Raises:
        UsageError: It has no host, or a port that is none.
    """
    try:
        parts = urlsplit(text)
        if not parts.hostname or parts.port == 0:
            raise ValueError("no host, or port 0")
    except ValueError as error:
        raise UsageError(
            f"{shown(text)} is no address: {error}", hint="such as rtsp://10.0.0.7:554/live"
        ) from None
    return parts


def shown(text: str) -> str:
    """Return an address, or the name of a file, as it may be printed: without user and password.

    >>> shown("rtsp://admin:secret@10.0.0.7/live"), shown("film.mp4")
    ('rtsp://10.0.0.7/live', 'film.mp4')
    """
    scheme, mark, rest = text.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}{mark}{host.rpartition('@')[2]}{slash}{path}"


def credentials(parts: SplitResult) -> tuple[str, str] | None:
    """Return user and password in an address, or None where it has none."""
    if parts.username is None:
        return None
    return unquote(parts.username), unquote(parts.password or "")


def is_loopback(host: str) -> bool:
    """Return whether a host is this machine, by its name alone: nobody is asked.

    >>> is_loopback("127.0.0.1"), is_loopback("::1"), is_loopback("localhost"), is_loopback("10.0.0.7")
    (True, True, True, False)
    """
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
