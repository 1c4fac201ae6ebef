"""Whether a browser sends a request for a page of somebody else: a server here is within its reach.

What a page of another site may send without asking first (a POST of bytes, say) would be computed, though
the page cannot read the answer. Browsers say where a request comes from, in headers that no page can set;
whoever says nothing is no browser.
"""

from collections.abc import Mapping

from foveal.serve.problems import HttpError

_OWN = frozenset({b"same-origin", b"none"})  # our own page; what a person typed or a bookmark
_PORTS = {b"http": b":80", b"https": b":443"}


def check_origin(headers: Mapping[bytes, bytes]) -> None:
    """Refuse what a page of another origin sends.

    `Sec-Fetch-Site` decides where it is there. It is not where the server has another address than this
    machine's own and no TLS, and in old browsers: then an `Origin` has to name the host and port of `Host`.

    Raises:
        HttpError: `cross_site`.
    """
    site, origin = headers.get(b"sec-fetch-site"), headers.get(b"origin")
    if site is not None:
        own = site.strip().lower() in _OWN
    else:
        own = origin is None or _names(origin, headers.get(b"host", b""))
    if not own:
        raise HttpError(
            "cross_site",
            "a page of another site sends this; it is not answered",
            hint="ask from the server's own page, or from a program",
        )


def _names(origin: bytes, host: bytes) -> bool:
    """Return whether an origin is that of a Host header; `null` is none."""
    scheme, found, place = origin.strip().lower().partition(b"://")
    default = _PORTS.get(scheme)
    if not found or default is None:
        return False
    return place.removesuffix(default) == host.strip().lower().removesuffix(default)
