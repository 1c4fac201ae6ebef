"""Pictures that appear in a folder, as a camera's program or a copy over the network leaves them there."""

import os
import stat
import time
from collections.abc import Generator
from functools import partial
from pathlib import Path

from foveal.core.errors import ImageError, NotFoundError
from foveal.core.text import printable
from foveal.data.decode import LIMITS
from foveal.data.suffixes import is_picture
from foveal.data.tree import is_clutter, read_regular
from foveal.stream.options import SourceOptions
from foveal.stream.shot import Running, Shot
from foveal.stream.timeline import Timeline

EXTRA = None
LIVE = False
LASTING = False

_POLL_S = 0.1
_SETTLED_S = 0.3  # unchanged for so long, a file is taken for finished

_State = tuple[int, int]  # size in bytes, time of the last change in ns


def is_meant(place: str) -> bool:
    """Return whether a text names a folder."""
    return "://" not in place and not place.startswith("/dev/") and Path(place).is_dir()


def folder(options: SourceOptions, running: Running) -> Generator[Shot]:
    """Yield pictures as they appear, those that are there together by their time and then by their name.

    A file that still grows waits until it is unchanged for 0.3 seconds. Captured is when it was first seen. A
    file that was taken is not taken again while it is there, also if it changes. Never ends by itself.

    Raises:
        NotFoundError: The folder is gone.
    """
    timeline = Timeline(0.0)
    files = _Files(Path(options.place))
    if not options.existing:
        files.forget_present()
    while not running.stop.is_set():
        for captured, path in files.finished():
            look = partial(_or_raise, _content(path))
            yield Shot(captured, timeline.at(captured), look, printable(str(path)))
        running.stop.wait(_POLL_S)


def _content(path: Path) -> bytes | ImageError:
    """Read now: whoever put it there may take it away again."""
    try:
        return read_regular(path, LIMITS.content_bytes + 1)
    except ImageError as error:
        return error


def _or_raise(content: bytes | ImageError) -> bytes:
    if isinstance(content, ImageError):
        raise content
    return content


class _Files:
    """The pictures in a folder: which were taken, and which have not settled yet."""

    def __init__(self, place: Path) -> None:
        self._place = place
        self._taken: set[str] = set()
        self._growing: dict[str, tuple[_State, float, float]] = {}  # state, seen first, unchanged since

    def forget_present(self) -> None:
        """Leave out what is there now."""
        self._taken = set(self._listed())

    def finished(self) -> list[tuple[float, Path]]:
        """Return what has settled, with when it was first seen, in the order to take them."""
        now, there = time.monotonic(), self._listed()
        self._taken &= there.keys()  # the list of what was taken never outgrows the folder
        ready = []
        growing = {}
        for name, state in there.items():
            if name in self._taken:
                continue
            known, first, since = self._growing.get(name, (state, now, now))
            if known != state:
                since = now
            if state[0] and now - since >= _SETTLED_S:
                ready.append((state[1], name, first))
            else:
                growing[name] = (state, first, since)
        self._growing = growing
        self._taken.update(name for _, name, _ in ready)
        return [(first, self._place / name) for _, name, first in sorted(ready)]

    def _listed(self) -> dict[str, _State]:
        found = {}
        try:
            with os.scandir(self._place) as entries:
                for entry in entries:
                    if not is_picture(entry.name) or is_clutter(entry.name):
                        continue
                    try:
                        about = entry.stat()
                    except OSError:  # gone since it was listed
                        continue
                    if stat.S_ISREG(about.st_mode):
                        found[entry.name] = (about.st_size, about.st_mtime_ns)
        except OSError as error:
            shown = printable(str(self._place))
            raise NotFoundError(f"{shown} cannot be listed: {error.strerror}", path=shown) from None
        return found
