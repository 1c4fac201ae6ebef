"""One process that answers: an event loop for connections, and the lane for pictures."""

import asyncio
import contextlib
import logging
import math
import os
import signal
import socket
import sys
import time
from email.utils import formatdate
from functools import partial

from uvicorn import Config
from uvicorn.server import ServerState

from foveal.serve.app import application
from foveal.serve.board import State
from foveal.serve.protocol import BoundedProtocol, protocol
from foveal.serve.service import Service
from foveal.serve.turnstile import turnstile

_BEAT = 0.5  # seconds between signs of life
_STUCK = 5.0  # seconds at one piece of work after which no sign of life is given
_SWITCH = 0.0005  # seconds after which a thread gives way: the loop must not wait for the lane's Python
_QUIET, _SOON = 0.1, 0.5  # seconds without a new connection, and in all, until the listening socket is closed
_UNFAIR = 1  # connections more than another worker has, above which it is left to accept
_YIELD, _YIELDS = 0.002, 3  # seconds to leave it to others, and how often: they may be stuck
_IDLE = 0.05  # seconds without a request until a connection may be closed for another; one may be on its way


class Worker:
    """A worker; `run` returns when it has drained."""

    def __init__(self, service: Service, listener: socket.socket) -> None:
        self._service, self._listener = service, listener
        settings = service.settings
        self._config = Config(
            application(service),
            http=protocol(
                settings.head_timeout,
                ended=self._tell_held,
                turned_away=partial(turnstile, service),
                let_go=self._let_go,
            ),
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=max(1, round(settings.keep_alive)),
        )
        self._state = ServerState()
        self._accepted = 0.0
        self._arriving: set[asyncio.Protocol] = set()
        self._surplus = 0  # connections to be let go until the next sign of life
        self._yielded = 0
        self._stop = asyncio.Event()
        self._signals = 0
        self._parent = os.getppid()

    def run(self) -> None:
        """Answer until SIGTERM, then until every request is answered, or the time for that is up."""
        logging.disable(logging.CRITICAL)  # uvicorn's; what it has to say is counted
        sys.setswitchinterval(_SWITCH)
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._terminate)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all processes; the supervisor decides
        self._config.load()
        lifespan = self._config.lifespan_class(self._config)
        await lifespan.startup()
        if lifespan.should_exit:
            raise RuntimeError("the application does not start")
        self._tick()
        self._listener.setblocking(False)
        loop.add_reader(self._listener, self._accept)
        beating = loop.create_task(self._beat())
        await self._stop.wait()
        await self._drain()
        beating.cancel()
        await lifespan.shutdown()

    def _terminate(self) -> None:
        self._signals += 1
        if self._signals > 1:
            os._exit(143)
        self._stop.set()

    def _accept(self) -> None:
        """Take one connection; where others have fewer, they go first."""
        mine = self._held
        least = min(self._service.board.held(), default=mine)
        unfair = mine > least + _UNFAIR and not self._stop.is_set()
        full = mine >= self._service.settings.connections and not self._make_room()
        if full or (unfair and self._yielded < _YIELDS):
            self._yielded += 1
            self._pause()
            return
        self._yielded = 0
        self._accept_one()

    def _make_room(self) -> bool:
        """Close the connection that has been idle for longest; return whether there is one."""
        before = asyncio.get_running_loop().time() - _IDLE
        idle = [
            connection
            for connection in self._state.connections
            if isinstance(connection, BoundedProtocol)
            and connection.idle
            and connection.idle_since < before
            and not connection.transport.is_closing()
        ]
        if not idle:
            return False
        min(idle, key=lambda connection: connection.idle_since).transport.close()
        return True

    def _accept_one(self) -> bool:
        """Take one connection, if one waits; return whether one did."""
        try:
            connection, _ = self._listener.accept()
        except (BlockingIOError, ConnectionAbortedError):  # another worker was faster, or the client left
            return False
        except OSError:  # no file descriptor is left; connections that end give some back
            self._pause()
            return False
        connection.setblocking(False)
        self._accepted = time.monotonic()
        make = self._config.http_protocol_class
        protocol = make(config=self._config, server_state=self._state, app_state={})  # type: ignore[call-arg]
        self._arriving.add(protocol)
        self._tell_held()
        loop = asyncio.get_running_loop()
        task = loop.create_task(self._connect(connection, protocol))
        self._state.tasks.add(task)
        task.add_done_callback(self._state.tasks.discard)
        return True

    async def _connect(self, connection: socket.socket, protocol: asyncio.Protocol) -> None:
        with contextlib.suppress(OSError):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            await asyncio.get_running_loop().connect_accepted_socket(lambda: protocol, connection)
        finally:
            self._arriving.discard(protocol)

    @property
    def _held(self) -> int:
        """How many connections are ours; those that came a moment ago are not in uvicorn's list yet."""
        return len(self._state.connections) + len(self._arriving - self._state.connections)

    def _tell_held(self) -> None:
        """Let the others know at once: what they accept depends on it."""
        self._service.seat.set("connections", self._held)

    def _too_many(self) -> int:
        """Return by how many connections this worker is above the mean of those that are alive."""
        leaving = sum(isinstance(c, BoundedProtocol) and c.leaving for c in self._state.connections)
        mine, held = self._held - leaving, self._service.board.held()
        if not held or mine <= min(held) + _UNFAIR:
            return 0
        return max(0, math.ceil(mine - sum(held) / len(held)))

    def _let_go(self) -> bool:
        """Return whether a connection is closed with its answer: its client comes again, to another worker.

        Else clients that keep their connections would all stay with one worker where it was the only one that
        accepted for a moment, or where the others were started again.
        """
        if self._surplus <= 0:
            return False
        self._surplus -= 1
        return True

    def _pause(self) -> None:
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._listener)
        loop.call_later(_YIELD, self._resume)

    def _resume(self) -> None:
        if self._listener.fileno() >= 0:
            asyncio.get_running_loop().add_reader(self._listener, self._accept)

    async def _beat(self) -> None:
        while True:
            self._tick()
            await asyncio.sleep(_BEAT)

    def _tick(self) -> None:
        """Give a sign of life, unless the lane has been at one thing for too long."""
        seat, lane = self._service.seat, self._service.lane
        if os.getppid() != self._parent:  # nobody would start this worker again, or tell it to end
            self._stop.set()
        if lane.busy_seconds < _STUCK:
            seat.beat()
        seat.set("queued", lane.pictures)
        self._tell_held()
        self._surplus = self._too_many()
        self._state.default_headers = [(b"date", formatdate(usegmt=True).encode())]

    async def _drain(self) -> None:
        """Refuse new predictions, take in what already stands at the door, answer all that was let in."""
        start = time.monotonic()
        end = start + self._service.settings.drain
        self._service.draining = True
        self._service.seat.set("state", State.DRAINING)
        self._accepted = start
        loop = asyncio.get_running_loop()
        while time.monotonic() < min(end, self._accepted + _QUIET, start + _SOON):
            await asyncio.sleep(0.01)
        loop.remove_reader(self._listener)
        while self._accept_one():
            pass
        self._listener.close()
        closed = time.monotonic()
        while self._state.connections or self._state.tasks:
            now = time.monotonic()
            if now > end:
                return
            for connection in list(self._state.connections):
                if connection.cycle is not None or now - closed > _SOON:  # type: ignore[union-attr]
                    connection.shutdown()
            await asyncio.sleep(0.01)
