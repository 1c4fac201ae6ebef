"""A thread that reads a source, and the place where it leaves pictures for whoever answers."""

import threading
import time
from collections import deque
from collections.abc import Generator
from dataclasses import dataclass, replace

from foveal.stream.shot import Shot

_AHEAD = 4  # pictures of a film that are decoded before they are wanted: what bounds the memory
_JOIN_S = 3.0  # a read that hangs ends by its own timeout; nobody waits for that


@dataclass(frozen=True)
class Frame:
    """A captured picture with its number among all that were captured, from 0."""

    index: int
    shot: Shot


class Capture:
    """Reads in a thread of its own; `take` gives what there is.

    Of a live source the newest picture wins: one that nobody has taken is replaced and counted as dropped. Of
    any other source none is lost: the thread waits until there is room.

    Attributes:
        captured: Pictures so far.
        dropped: Those among them that were replaced, or left over at the end.
    """

    def __init__(self, shots: Generator[Shot], *, newest_wins: bool, stop: threading.Event) -> None:
        """Begin to read.

        Args:
            shots: Read in the thread only.
            newest_wins: Whether a picture that comes replaces one that waits.
            stop: Ends the thread once it is set.
        """
        self.captured = self.dropped = 0
        self._shots, self._stop, self._newest_wins = shots, stop, newest_wins
        self._waiting: deque[Frame] = deque()
        self._ended, self._error = False, None
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._read, name="foveal-capture", daemon=True)
        self._thread.start()

    _error: BaseException | None

    def take(self, timeout_s: float) -> Frame | None:
        """Return the next picture; None where none came in time, or where there are no more (`ended`).

        Raises:
            FovealError: What ended the source, after the last picture.
        """
        until = time.monotonic() + timeout_s
        with self._changed:
            while not self._waiting:
                if self._error is not None:
                    raise self._error
                left = until - time.monotonic()
                if self._ended or left <= 0:
                    return None
                self._changed.wait(left)
            frame = self._waiting.popleft()
            self._changed.notify_all()
            return frame

    @property
    def ended(self) -> bool:
        """Whether no picture is there and none will come."""
        with self._changed:
            return self._ended and not self._waiting

    def close(self) -> None:
        """End the thread; pictures that nobody took count as dropped."""
        self._stop.set()
        with self._changed:
            self._changed.notify_all()
        self._thread.join(_JOIN_S)
        with self._changed:
            self.dropped += len(self._waiting)
            self._waiting.clear()
            self._ended = True

    def _read(self) -> None:
        try:
            for shot in self._shots:
                if not self._put(shot):
                    break
            self._shots.close()  # here: what it has open belongs to this thread
        except BaseException as error:  # raised again where pictures are taken
            self._error = error
        finally:
            with self._changed:
                self._ended = True
                self._changed.notify_all()

    def _put(self, shot: Shot) -> bool:
        with self._changed:
            while not self._newest_wins and len(self._waiting) >= _AHEAD and not self._stop.is_set():
                self._changed.wait()
            if self._stop.is_set():
                return False
            if self._newest_wins:
                if any(frame.shot.begins for frame in self._waiting):  # not forgotten with the picture
                    shot = replace(shot, begins=True)
                self.dropped += len(self._waiting)
                self._waiting.clear()
            self._waiting.append(Frame(self.captured, shot))
            self.captured += 1
            self._changed.notify_all()
        return True
