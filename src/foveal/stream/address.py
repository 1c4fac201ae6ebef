"""Addresses that a person names: shown without a password, and whether they are on this machine."""

import ipaddress
import re
from urllib.parse import SplitResult, unquote, urlsplit

from foveal.core.errors import UsageError

_QUERY = re.compile("[?#]")
_UNCLEAR = re.compile("[?#]|/.*[=&]", re.DOTALL)
_VALUE = re.compile("[^/]*[=&].*", re.DOTALL)
_PLAIN = re.compile("[!-~]*")
_SCHEME = re.compile("(?:webhook:)?[A-Za-z][A-Za-z0-9+.-]*")


def address(text: str) -> SplitResult:
    """Return the parts of an address.

    Raises:
        UsageError: It has no host, a port that is none, or signs that no address has.
    """
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:  # its words would quote a password
        raise _no_address(text, "its host or port is none") from None
    if not parts.hostname or port == 0:
        raise _no_address(text, "no host, or port 0")
    if "@" in parts.path + parts.query + parts.fragment:
        raise _no_address(text, "there is an @ behind the host")
    if not _PLAIN.fullmatch(f"{parts.path}{parts.query}{parts.username or ''}{parts.password or ''}"):
        raise _no_address(text, "there are other signs in it than an address may have")
    return parts


def _no_address(text: str, why: str) -> UsageError:
    return UsageError(
        f"{shown(text)} is no address: {why}",
        hint="such as rtsp://10.0.0.7:554/live; in a password / is written %2F, ? %3F, # %23 and @ %40",
    )


def shown(text: str) -> str:
    """Return an address, or the name of a file, as it may be printed: host and path of an address alone.

    Where it cannot be known which part is a password, less is shown. Some cameras want user and password in
    the path: from a name=value in there on, nothing is shown.

    >>> shown("rtsp://admin:secret@10.0.0.7/live?user=a&pwd=b"), shown("film.mp4"), shown("rtsp://a:b?c@d")
    ('rtsp://10.0.0.7/live', 'film.mp4', 'rtsp://…')
    """
    scheme, mark, rest = text.partition("://")
    if not mark or not _SCHEME.fullmatch(scheme):  # a file's name, or slashes were forgotten
        before, _, behind = text.rpartition("@")
        return _host_and_path(behind) if ":" in before else text
    before, at, behind = rest.rpartition("@")
    if at and _UNCLEAR.search(before):  # a ? in a password, or an @ in a query
        behind = "…"
    return f"{scheme}{mark}{_host_and_path(behind)}"


def _host_and_path(rest: str) -> str:
    return _VALUE.sub("…", _QUERY.split(rest, maxsplit=1)[0])


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
