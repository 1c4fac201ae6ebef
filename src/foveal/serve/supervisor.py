"""The process that holds the address and the models, and keeps workers in their seats.

It has one thread only, so that it may fork at any time: a worker is made in milliseconds, and shares the
model's memory with all others until somebody writes to it, which nobody does.
"""

import gc
import os
import selectors
import signal
import socket
import time
import traceback
from collections.abc import Callable, Sequence
from types import FrameType

from foveal.serve.board import Board, Seat, State
from foveal.serve.served import Served
from foveal.serve.service import Service, plan
from foveal.serve.settings import Settings
from foveal.serve.worker import Worker

_LOOK = 0.25  # seconds between two looks at the workers
_SOON, _LATEST = 0.0, 5.0  # seconds before a worker is started again: at once, and at most
_STABLE = 10.0  # seconds after which an earlier death is forgiven
_GRACE = 1.0  # seconds beyond the drain after which workers are killed


class Supervisor:
    """Holds the workers; `run` returns the exit code."""

    def __init__(self, models: Sequence[Served], settings: Settings, listener: socket.socket) -> None:
        self._models, self._settings, self._listener = models, settings, listener
        self.board = Board(settings.workers, numbers=plan(models).length, texts=len(models))
        self._pids: dict[int, Seat] = {}
        self._deaths = [0] * settings.workers
        self._due = [0.0] * settings.workers
        self._born = [0.0] * settings.workers
        self._signals: list[int] = []

    def run(self, *, ready: Callable[[], None]) -> int:
        """Serve until SIGTERM or Ctrl-C; a second signal ends everything at once.

        Args:
            ready: Called once all workers answer.
        """
        told = False
        gc.collect()
        gc.freeze()  # what is there already is not touched by collections: it stays shared
        wake, woken = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
            signal.signal(number, self._note)
        selector = selectors.DefaultSelector()
        selector.register(wake, selectors.EVENT_READ)
        try:
            while not self._signals:
                self._reap()
                self._fill()
                if not told and all(seat.get("state") == State.READY for seat in self.board.seats):
                    told = True
                    ready()
                self._wait(selector, wake, _LOOK if told else 0.02)
            return self._end(selector, wake)
        finally:
            signal.set_wakeup_fd(-1)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if number != signal.SIGCHLD:
            self._signals.append(number)

    @staticmethod
    def _wait(selector: selectors.BaseSelector, wake: int, seconds: float) -> None:
        if selector.select(seconds):
            os.read(wake, 4096)

    def _fill(self) -> None:
        """Start a worker in every empty seat whose time has come."""
        now = time.monotonic()
        for seat in self.board.seats:
            if seat.get("state") == State.DEAD and now >= self._due[seat.number]:
                self._start(seat)

    def _start(self, seat: Seat) -> None:
        self._born[seat.number] = time.monotonic()
        seat.set("state", State.STARTING)
        seat.beat()
        pid = os.fork()
        if pid:
            self._pids[pid] = seat
            return
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            seat.sit()
            Worker(Service(self._models, self._settings, board=self.board, seat=seat), self._listener).run()
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)

    def _reap(self) -> None:
        """Take notice of workers that ended; one that keeps dying is started more and more slowly."""
        while self._pids:
            pid, _ = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            seat = self._pids.pop(pid, None)
            if seat is None:
                continue
            seat.set("state", State.DEAD)
            seat.set("restarts", seat.get("restarts") + 1)
            number, now = seat.number, time.monotonic()
            self._deaths[number] = 1 if now - self._born[number] > _STABLE else self._deaths[number] + 1
            wait = 0.1 * 2 ** (self._deaths[number] - 2) if self._deaths[number] > 1 else _SOON
            self._due[number] = now + min(wait, _LATEST)

    def _end(self, selector: selectors.BaseSelector, wake: int) -> int:
        """Let the workers drain and return the exit code of the first signal."""
        self._listener.close()
        for pid in self._pids:
            os.kill(pid, signal.SIGTERM)
        end = time.monotonic() + self._settings.drain + _GRACE
        while self._pids and time.monotonic() < end and len(self._signals) == 1:
            self._wait(selector, wake, 0.05)
            self._reap()
        for pid in self._pids:
            os.kill(pid, signal.SIGKILL)
        while self._pids:
            pid, _ = os.waitpid(-1, 0)
            self._pids.pop(pid, None)
        return 128 + self._signals[0]


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens.

    Raises:
        TemporaryError: `port_in_use`.
        UsageError: `bad_host`: it is no address of this machine.
    """
    from foveal.core.errors import TemporaryError, UsageError

    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as error:
        import errno

        if error.errno == errno.EADDRINUSE:
            raise TemporaryError(
                f"port {port} of {host} is taken by another program",
                code="port_in_use",
                hint="end it, or take another port: --port 0 finds one that is free",
            ) from None
        raise UsageError(f"cannot listen on {host} port {port}: {error.strerror}", code="bad_host") from None
    listener.listen(1024)
    return listener
