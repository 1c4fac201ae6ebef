"""The near side of one worker process of this machine: start it, send to it, hear from it."""

import contextlib
import json
import os
import platform
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from foveal.core.work import Resources, Task

_BLOCK = 1 << 16
_GRACE_S = 5.0  # that a worker with nothing to do has to end by itself


class Process:
    """A worker; see `_worker` for what goes over the pipes."""

    def __init__(self, resources: Resources, environment: Mapping[str, str] | None = None) -> None:
        """Start it, in a process group of its own: Ctrl-C on a terminal is for us, and we end the workers.

        Args:
            resources: As many threads as processors, for numeric libraries that nothing else tells.
            environment: More variables.
        """
        threads = {"OMP_NUM_THREADS": str(max(1, int(resources.cpus)))}
        # -P: a file in the working folder that is called like a module of ours or of others is not meant.
        self._popen = subprocess.Popen(
            [sys.executable, "-P", "-m", "foveal.backends._worker", str(os.getpid())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            env={**threads, **os.environ, **(environment or {})},
            process_group=0,
        )
        assert self._popen.stdin is not None
        assert self._popen.stdout is not None
        self._orders, self._channel = self._popen.stdin, self._popen.stdout
        os.set_blocking(self._channel.fileno(), False)
        self._rest, self._silent = b"", False
        self.node = f"{platform.node()}:{self._popen.pid}"

    def fileno(self) -> int:
        """Return what a selector waits for."""
        return self._channel.fileno()

    @property
    def ended(self) -> bool:
        """Whether the process is no more, or will never say anything again."""
        return self._silent or self._popen.poll() is not None

    def init(self, init: Task | None) -> None:
        """Send what to run before the first task."""
        self._send({"init": init and {"entry": init.entry, "spec": init.spec}})

    def give(self, task: Task) -> None:
        """Send a task."""
        self._send({"key": task.key, "entry": task.entry, "spec": task.spec})

    def _send(self, command: Mapping[str, Any]) -> None:
        with contextlib.suppress(BrokenPipeError):  # it has died: whoever hears from it will notice
            line = memoryview(json.dumps(command, allow_nan=False).encode() + b"\n")
            while line:
                line = line[self._orders.write(line) :]

    def heard(self) -> Iterator[dict[str, Any]]:
        """Yield the messages that are there, without waiting."""
        while block := self._read():
            *lines, self._rest = (self._rest + block).split(b"\n")
            yield from map(json.loads, lines)

    def _read(self) -> bytes:
        try:
            block = os.read(self._channel.fileno(), _BLOCK)
        except BlockingIOError:
            return b""
        self._silent = not block
        return block

    def dismiss(self) -> None:
        """Let it end, as it has nothing to do, and wait for that."""
        self._orders.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._popen.wait(_GRACE_S)
        self.kill()

    def ask_to_end(self) -> None:
        """Send SIGTERM: what handles it, such as a training between two steps, saves first."""
        if self._popen.poll() is None:
            self._popen.terminate()

    def kill(self) -> None:
        """End it, and what it has started in its process group, and wait for that."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._popen.pid, signal.SIGKILL)
        self._popen.kill()
        self._popen.wait()
        for pipe in (self._orders, self._channel):
            with contextlib.suppress(BrokenPipeError):
                pipe.close()
