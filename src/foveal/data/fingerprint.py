"""One number for the content of a data set."""

import hashlib
from collections.abc import Sequence


def fingerprint(sources: Sequence[str], truths: Sequence[str], sha256: Sequence[str]) -> str:
    """Return a sha256 that changes when any picture, name or label does, and does not with their order.

    Of data of one format it says their order, too: that follows from names and labels, never from splits.

    Args:
        sources: Name of each picture, N.
        truths: What is stated about each picture, such as the name of its class, N.
        sha256: Content hash of each picture, N.
    """
    rows = sorted(zip(sources, truths, sha256, strict=True))
    total = hashlib.sha256()
    for row in rows:
        total.update("\0".join(row).encode("utf-8", "surrogateescape"))
        total.update(b"\n")
    return total.hexdigest()
