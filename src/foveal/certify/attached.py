"""What a certificate inside a bundle says in short; it is believed only as far as its own hash reaches."""

from collections.abc import Mapping
from typing import Any

from foveal.certify.certificate import SCHEMA, identity
from foveal.core.errors import BundleError

_COUNTED = ("pass", "fail", "insufficient", "not_asked")


def attached(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the short form that `foveal info` shows.

    Args:
        document: The attached `foveal.certify/1`; that it is about this bundle was checked when it was read.

    Returns:
        `id`, `verdict`, `level`, `profile` (its name), `created`, `images` (test pictures that it rests on),
        `gates` (limits by verdict: how many) and `failed` (names of the limits that are missed).

    Raises:
        BundleError: `unknown_schema`: a newer foveal made it; `tampered`: it is not what its hash names.
    """
    if document.get("schema") != SCHEMA:
        raise BundleError(
            f"the certificate inside is {document.get('schema')!r}, not {SCHEMA}",
            code="unknown_schema", hint="upgrade foveal",
        )  # fmt: skip
    try:
        sound = identity(document) == document["id"]
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise _changed("it lacks what a certificate says") from error
    if not sound:
        raise _changed("its content does not have the hash that it names")
    try:
        asked = [gate for gate in document["gates"] if gate["limit"] is not None]
        verdicts = [gate["verdict"] for gate in asked]
        return {
            "id": document["id"],
            "verdict": document["verdict"],
            "level": document["level"],
            "profile": document["profile"]["name"],
            "created": document["created"],
            "images": document["data"]["roles"]["test"]["images"],
            "gates": {name: verdicts.count(name) for name in _COUNTED},
            "failed": [gate["id"] for gate in asked if gate["verdict"] == "fail"],
        }
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise _changed("it lacks what a certificate says") from error


def _changed(what: str) -> BundleError:
    return BundleError(
        f"the certificate inside was changed: {what}", code="tampered", hint="certify the bundle again"
    )
