"""`foveal data get`: the one place where foveal downloads, because somebody asked for it by name."""

import gzip
import hashlib
import http.client
import io
import urllib.error
import urllib.request
import zlib
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

from foveal.core import files
from foveal.core.errors import DataError, TemporaryError, UnknownNameError
from foveal.core.progress import Progress, silent
from foveal.flows._sample_sets import ABOUT, FASHION_MNIST, has_fashion_mnist, lay_out

SCHEMA = "foveal.data/1"
SOURCE = "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/"
# sha256 of the unpacked files: however they are packed, these are the pictures.
CONTENTS = {
    "train-images-idx3-ubyte.gz": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "train-labels-idx1-ubyte.gz": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "t10k-images-idx3-ubyte.gz": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "t10k-labels-idx1-ubyte.gz": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
}
_MOST_PACKED, _MOST_UNPACKED = 40 * 2**20, 64 * 2**20
_PIECE = 2**18
_SECONDS = 30.0  # without a byte


def offered() -> list[dict[str, Any]]:
    """Return what there is: rows `name about from`."""
    return [{"name": name, "about": about, "from": _origin(name)} for name, about in ABOUT.items()]


def get(
    name: str, folder: Path | None = None, *, source: str = SOURCE, progress: Progress = silent
) -> dict[str, Any]:
    """Lay a data set out in a folder and return the `foveal.data/1` document.

    What is downloaded is compared with the content it must have; nothing of it stays where it differs.

    Args:
        name: `fashion-mnist` or `digits`.
        folder: Where to; None: `data/<name>`. The same set there already is taken as it is.
        source: Where the files of Fashion-MNIST are, with a slash at the end.
        progress: Told a few times a second.

    Raises:
        UnknownNameError: No such data set.
        TemporaryError: It cannot be downloaded now, or not all of it arrived.
        DataError: `download_mismatch`: what arrived is something else.
        WriteError: The folder holds something else, or cannot be written.
    """
    if name not in ABOUT:
        raise UnknownNameError("data", name, ABOUT)
    origin = _origin(name)
    out = lay_out(
        name, folder or Path("data") / name, lambda part, path: _fetch(source, part, path, progress)
    )
    return {"schema": SCHEMA, "ok": True, "action": "get", "name": name, "from": origin, "out": str(out)}


def _origin(name: str) -> str:
    if name == "digits":
        return "scikit-learn"
    return str(FASHION_MNIST) if has_fashion_mnist() else urlparse(SOURCE).hostname or SOURCE


def _fetch(source: str, part: str, path: Path, progress: Progress) -> None:
    content = _downloaded(source + part, progress)
    try:
        with gzip.open(io.BytesIO(content)) as packed:
            plain = packed.read(_MOST_UNPACKED + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise _mismatch(source + part, str(error)) from error
    if hashlib.sha256(plain).hexdigest() != CONTENTS[part]:
        raise _mismatch(source + part, "its content has another sha256")
    files.write_bytes(path, content)


def _downloaded(address: str, progress: Progress) -> bytes:
    pieces: list[bytes] = []
    have = 0
    try:
        with urllib.request.urlopen(address, timeout=_SECONDS) as answer:
            total = int(answer.headers.get("Content-Length") or 0)
            while piece := answer.read(_PIECE):
                pieces.append(piece)
                have += len(piece)
                if have > _MOST_PACKED:
                    raise _mismatch(address, f"it is longer than {_MOST_PACKED} bytes")
                progress(f"downloading {address.rpartition('/')[2]}", have, max(total, have))
    except (urllib.error.URLError, http.client.HTTPException, OSError, ValueError) as error:
        if isinstance(error, DataError):
            raise
        if isinstance(error, urllib.error.HTTPError):
            error.close()  # it is also the answer, with a socket
        reason = error if isinstance(error, urllib.error.HTTPError) else getattr(error, "reason", error)
        raise _not_now(address, str(reason)) from error
    if have < total:  # reading piece by piece ends without an error where the connection does
        raise _not_now(address, f"the connection ended after {have} of {total} bytes")
    return b"".join(pieces)


def _not_now(address: str, why: str) -> TemporaryError:
    return TemporaryError(
        f"cannot download {address}: {why}",
        hint="try again later, or take digits, which needs no network: foveal data get digits",
    )


def _mismatch(address: str, why: str) -> DataError:
    return DataError(f"{address} is not what was expected: {why}", code="download_mismatch")
