"""The process that holds the address and the models, and keeps workers in their seats.

It has one thread only, so that it may fork at any time: a worker is made in milliseconds, and shares the
model's memory with all others until somebody writes to it, which nobody does.
"""

import contextlib
import fcntl
import gc
import os
import select
import signal
import socket
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import FrameType

from foveal.core.errors import FovealError
from foveal.core.signals import heard
from foveal.serve.board import Board, Seat, State
from foveal.serve.log import log
from foveal.serve.notes import Watch
from foveal.serve.rate import Rate
from foveal.serve.searching import ServedIndex
from foveal.serve.served import Served
from foveal.serve.service import Service, plan
from foveal.serve.settings import Settings
from foveal.serve.tokens import Tokens
from foveal.serve.worker import Worker

_LOOK = 0.05  # seconds between two looks at notes and workers; the death of one is told by a signal
_SOON = 0.01  # the same until all workers have answered once
_STABLE = 10.0  # seconds after which an earlier death is forgiven
_FIRST, _LATEST = 0.1, 5.0  # seconds before a worker that died twice is started again, and at most
_HUNG = 30.0  # seconds of this process's own looking at a worker without a sign of life, before it is killed
_GRACE = 1.0  # seconds beyond the drain after which workers are killed
_PIPE_BYTES = 1 << 20


@dataclass
class _Past:
    """Of a seat: its worker's birth and silence, how many died in a row, and when the next is due."""

    born: float = 0.0
    deaths: int = 0
    due: float = 0.0
    beat: int = 0
    silent: float = 0.0


class Supervisor:
    """Holds the workers; `run` returns the exit code."""

    def __init__(
        self,
        models: Sequence[Served],
        settings: Settings,
        listener: socket.socket,
        *,
        tokens: Tokens | None = None,
        load: Callable[[], Sequence[Served]] | None = None,
        indexes: Sequence[ServedIndex] = (),
    ) -> None:
        """Make the shared memory.

        Args:
            models: Opened and verified.
            settings: Limits.
            listener: Listens.
            tokens: Whom to let in; None: everybody.
            load: Opens the models in a worker, where their engine has threads and cannot be forked.
            indexes: What can be searched.
        """
        self._models, self._settings, self._listener = models, settings, listener
        self._tokens, self._load, self._indexes = tokens, load, indexes
        self._rate = None if settings.rate is None else Rate(settings.rate)
        self.board = Board(settings.workers, numbers=plan(models).length, texts=len(models))
        self._watch = Watch(models, self.board)
        with contextlib.suppress(OSError):  # a limit of the system; then it is as large as pipes are
            fcntl.fcntl(self._watch.writes, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        self._pids: dict[int, Seat] = {}
        self._past = [_Past() for _ in range(settings.workers)]
        self._looked = time.monotonic()
        self._signals: list[int] = []
        self._ran = False  # all workers answered once
        self._failed = 0  # exit code of a worker that could not begin, before that
        self._wake, self._woken = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def run(self, *, ready: Callable[[], None]) -> int:
        """Serve until SIGTERM or Ctrl-C, and return the exit code; a second signal ends everything at once.

        What the process ignores stays ignored. A worker that cannot begin, before all did once, ends
        everything with its exit code.

        Args:
            ready: Called once all workers answer.
        """
        gc.collect()
        gc.freeze()  # what is there already is not touched by collections: it stays shared
        signal.set_wakeup_fd(self._woken, warn_on_full_buffer=False)
        for number in (*heard(), signal.SIGCHLD):
            signal.signal(number, self._note)
        try:
            while not self._signals and not self._failed:
                self._reap()
                self._fill()
                self._end_hung()
                if not self._ran and all(seat.get("state") == State.READY for seat in self.board.seats):
                    self._ran = True
                    ready()
                self._wait(_LOOK if self._ran else _SOON)
            self._end()
            return self._failed or 128 + self._signals[0]
        finally:
            signal.set_wakeup_fd(-1)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if number != signal.SIGCHLD:
            self._signals.append(number)

    def _wait(self, seconds: float) -> None:
        """Sleep, unless a signal comes; then take in what workers have noted, and who is let in.

        Workers look at the tokens themselves; this process does for the log, and for those it starts later.
        """
        if select.select([self._wake], [], [], seconds)[0]:
            os.read(self._wake, 4096)
        self._watch.read()
        self._watch.publish()
        told = None if self._tokens is None else self._tokens.look()
        if told is not None:
            log(**told)

    def _fill(self) -> None:
        """Start a worker in every empty seat whose time has come."""
        for seat, past in zip(self.board.seats, self._past, strict=True):
            if seat.get("state") == State.DEAD and time.monotonic() >= past.due:
                self._start(seat, past)

    def _start(self, seat: Seat, past: _Past) -> None:
        past.born, past.silent = time.monotonic(), 0.0
        seat.sit(0)
        try:
            pid = os.fork()
        except OSError as error:  # no process is to be had now
            log(event="no_worker", worker=seat.number, error=error.strerror)
            self._buried(seat)
            return
        if pid:
            seat.set("pid", pid)
            self._pids[pid] = seat
            return
        self._work(seat)

    def _work(self, seat: Seat) -> None:
        """Be a worker, and never return."""
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            for number in (signal.SIGTERM, signal.SIGCHLD):
                signal.signal(number, signal.SIG_DFL)
            seat.sit(os.getpid())
            service = Service(
                self._models if self._load is None else self._load(),
                self._settings,
                board=self.board,
                seat=seat,
                tokens=self._tokens,
                rate=self._rate,
                pipe=self._watch.writes,
                indexes=self._indexes,
            )
            Worker(service, self._listener).run()
            code = 0
        except FovealError as error:
            log(event="worker_failed", code=error.code, message=error.message, hint=error.hint)
            code = error.exit_code
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)

    def _reap(self) -> None:
        """Take notice of workers that ended; one that keeps dying is started more and more slowly."""
        while self._pids:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            seat = self._pids.pop(pid, None)
            if seat is None:
                continue
            code = os.waitstatus_to_exitcode(status)
            if not self._ran and code > 0:  # the next one would fail as this one did
                self._failed = code
            if not self._signals:
                log(event="worker_died", worker=seat.number, status=code)
            self._buried(seat)

    def _buried(self, seat: Seat) -> None:
        now, past = time.monotonic(), self._past[seat.number]
        seat.set("state", State.DEAD)
        seat.set("restarts", seat.get("restarts") + 1)
        past.deaths = 1 if now - past.born > _STABLE else past.deaths + 1
        past.due = now + (min(_FIRST * 2 ** (past.deaths - 2), _LATEST) if past.deaths > 1 else 0.0)

    def _end_hung(self) -> None:
        """Kill a worker that gives no sign of life while this process is awake itself.

        One that has not begun yet may be loading a large model.
        """
        now = time.monotonic()
        awake, self._looked = min(now - self._looked, 2 * _LOOK), now
        for pid, seat in self._pids.items():
            past, beat = self._past[seat.number], seat.get("beat")
            alive = beat != past.beat or seat.get("state") == State.STARTING
            past.silent = 0.0 if alive else past.silent + awake
            past.beat = beat
            if past.silent > _HUNG:
                past.silent = 0.0
                os.kill(pid, signal.SIGKILL)

    def _end(self) -> None:
        """Let the workers drain, and end those that do not."""
        self._listener.close()
        self._pass_on(signal.SIGTERM)
        end = time.monotonic() + self._settings.drain + _GRACE
        while self._pids and time.monotonic() < end and len(self._signals) < 2:
            self._wait(_LOOK)
            self._reap()
        self._pass_on(signal.SIGKILL)
        for pid in self._pids:
            os.waitpid(pid, 0)

    def _pass_on(self, number: int) -> None:
        for pid in self._pids:
            os.kill(pid, number)
