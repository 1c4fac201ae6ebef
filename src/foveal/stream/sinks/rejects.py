"""Pictures that a person should look at: `rejects:FOLDER`."""

import io
import json
import os
import re
import secrets
import sys
from pathlib import Path

from PIL import Image

from foveal.core import files
from foveal.core.errors import WriteError
from foveal.core.failpoints import reach
from foveal.core.types import Label
from foveal.data.decode import decode
from foveal.stream.options import SinkOptions
from foveal.stream.outbox import Item
from foveal.stream.shown import Shown

if sys.platform != "win32":
    import fcntl

EXTRA = None
PICTURES = True
LOCAL = True

_NAME = re.compile(r"[0-9a-f]{8}-\d{9,}")


def rejects(place: str, options: SinkOptions) -> "_Rejects":
    """Return what keeps frames that are declined, unknown or too little sure: a PNG and a JSON each.

    None is added beyond `options.most_rejects` in the folder, by what was there at the start and what this
    stream has added; the rest is only counted.

    Raises:
        WriteError: The folder cannot be made.
    """
    return _Rejects(Path(place), options)


class _Rejects:
    """The JSON is written first and the picture last: a picture that is there is complete."""

    def __init__(self, folder: Path, options: SinkOptions) -> None:
        files.make_folder(folder)
        self._folder, self._options = folder, options
        self._handle: int | None = None
        if sys.platform != "win32":
            self._handle = _entered(folder)
        self.limit = options.most_rejects - sum(1 for _ in folder.glob("*.png"))
        self._run = secrets.token_hex(4)  # so that the frames of two runs have different names

    room, patient, complete = 8, True, False

    def wanted(self, item: Item) -> Item | None:
        if not isinstance(item, Shown) or not isinstance(item.answer, Label):
            return None
        return item if item.refused or item.answer.confidence < self._options.reject_below else None

    def write(self, item: Item) -> None:
        if not isinstance(item, Shown):
            return
        about = {**item.as_json(scores=True), "digest": self._options.digest}
        path = self._folder / f"{self._run}-{item.frame:09d}.png"
        files.write_text(path.with_suffix(".json"), json.dumps(about, indent=1, ensure_ascii=False) + "\n")
        reach("rejects")
        try:
            files.write_bytes(path, _png(item))
        except BaseException:
            files.remove(path.with_suffix(".json"))
            raise

    def close(self) -> None:
        if self._handle is not None:
            os.close(self._handle)


def _entered(folder: Path) -> int:
    """Clean a folder that no other stream writes to; return what says that one does, until it is closed."""
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise WriteError(f"cannot read {folder}: {error.strerror}", path=folder) from None
    try:
        if _locked(handle, fcntl.LOCK_EX | fcntl.LOCK_NB):
            _clean(folder)
        _locked(handle, fcntl.LOCK_SH)
    except BaseException:
        os.close(handle)
        raise
    return handle


def _locked(handle: int, how: int) -> bool:
    try:
        fcntl.flock(handle, how)
    except OSError:  # somebody is there, or the folder is on a machine that knows no locks
        return False
    return True


def _clean(folder: Path) -> None:
    """Remove what a process that was killed left half-done: of ours, and nothing else."""
    for path in files.left_over(folder):
        files.remove(path)
    for path in folder.glob("*.json"):
        if _NAME.fullmatch(path.stem) and not path.with_suffix(".png").exists():
            files.remove(path)


def _png(item: Shown) -> bytes:
    picture = item.picture
    if picture is None:
        raise ValueError("the frame was not kept")
    pixels = decode(picture, 3) if isinstance(picture, bytes) else picture
    target = io.BytesIO()
    Image.fromarray(pixels).save(target, "PNG", compress_level=3)
    return target.getvalue()
