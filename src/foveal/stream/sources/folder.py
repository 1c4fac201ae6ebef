"""Pictures that appear in a folder, as a camera's program or a copy over the network leaves them there."""

import os
import stat
import time
from collections.abc import Generator
from functools import partial
from pathlib import Path

from foveal.core.errors import ImageError, NotFoundError
from foveal.core.files import is_folder
from foveal.core.text import printable
from foveal.core.wording import counted
from foveal.data.stacks import most_bytes
from foveal.data.suffixes import is_picture
from foveal.data.tree import is_clutter, read_regular
from foveal.stream.options import SourceOptions
from foveal.stream.reconnect import Absence
from foveal.stream.shot import Running, Shot
from foveal.stream.timeline import Timeline

EXTRA = None
LIVE = False
LASTING = False

_POLL_S = 0.1
_SETTLED_S = 0.3  # unchanged for so long, a file is taken for finished
_EMPTY_S = 3.0  # and one without a byte: some programs open it long before they write

_State = tuple[int, int]  # size in bytes, time of the last change in ns


def is_meant(place: str) -> bool:
    """Return whether a text names a folder."""
    return bool(place) and "://" not in place and not place.startswith("/dev/") and is_folder(Path(place))


def folder(options: SourceOptions, running: Running) -> Generator[Shot]:
    """Yield pictures as they appear, those that are there together by their time and then by their name.

    A file that still grows waits until it is unchanged for 0.3 seconds, an empty one for 3. Captured is when
    it was first seen, or changed. A file that was taken is taken again only if it changes: cameras replace
    one picture by the next, and a writer may have paused. Without `options.once` it never ends by itself: a
    folder that is gone is waited for.

    Raises:
        NotFoundError: The folder cannot be listed at the start.
        TemporaryError: `source_lost`: it was gone for `options.give_up_s`.
    """
    timeline, absence = Timeline(0.0), Absence(running, give_up_s=options.give_up_s)
    files = _Files(Path(options.place))
    running.note(_beginning(files.begin(existing=options.existing), existing=options.existing))
    while not running.stop.is_set():
        try:
            finished = files.finished()
        except NotFoundError as error:
            absence.wait(error)
            continue
        absence.ended()
        for captured, path in finished:
            content = _content(path)
            if isinstance(content, ImageError) and not is_folder(path.parent):
                break  # not this picture's fault
            files.take(path.name)
            yield Shot(captured, timeline.at(captured), partial(_or_raise, content), printable(str(path)))
        if options.once and files.settled:
            return
        running.stop.wait(_POLL_S)


def _beginning(there: int, *, existing: bool) -> str:
    """Say what is waited for: who sees nothing happen must know whether to wait, too."""
    if not there:
        return "no picture is there yet; those that appear are answered (a film is given by its own name)"
    if existing:
        return f"{counted(there, 'picture')} there already, then those that appear"
    return f"{counted(there, 'picture')} there already, passed over; new ones are answered (--existing: all)"


def _content(path: Path) -> bytes | ImageError:
    """Read now: whoever put it there may take it away again."""
    try:
        return read_regular(path, most_bytes(path.name) + 1)
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
        self._taken: dict[str, _State] = {}
        self._growing: dict[str, tuple[_State, float, float]] = {}  # state, seen first, unchanged since

    def begin(self, *, existing: bool) -> int:
        """Leave out what is there now, unless it is wanted; return how many pictures that is.

        Raises:
            NotFoundError: The folder cannot be listed.
        """
        there = self._listed()
        self._taken = {} if existing else there
        return len(there)

    def finished(self) -> list[tuple[float, Path]]:
        """Return what has settled and was not taken, with when it was first seen, in the order to take them.

        Raises:
            NotFoundError: The folder cannot be listed.
        """
        now, there = time.monotonic(), self._listed()
        # What was taken never outgrows the folder, and one that has changed is another picture.
        self._taken = {name: state for name, state in self._taken.items() if there.get(name) == state}
        ready = []
        growing = {}
        for name, state in there.items():
            if name in self._taken:
                continue
            known, first, since = self._growing.get(name, (state, now, now))
            if known != state:
                since = now
            growing[name] = (state, first, since)
            if now - since >= (_SETTLED_S if state[0] else _EMPTY_S):
                ready.append((state[1], name, first))
        self._growing = growing
        return [(first, self._place / name) for _, name, first in sorted(ready)]

    @property
    def settled(self) -> bool:
        """Whether all that was there at the last look was taken."""
        return not self._growing

    def take(self, name: str) -> None:
        """Do not return a file again that has settled."""
        self._taken[name], _, _ = self._growing.pop(name)

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
