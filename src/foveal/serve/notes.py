"""From workers to the one drift monitor of the service: a few numbers for each picture, through a pipe.

There is one monitor, because its promise about false alarms is for one run: N monitors would raise N times
as many. A note is one JSON line, shorter than what a pipe takes whole; where the pipe is full it is dropped
and counted, and an answer never waits for it.
"""

import json
import os
import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from foveal.bundle.inputs import UInt8
from foveal.core.errors import UsageError
from foveal.core.types import Label
from foveal.monitor.monitor import Monitor, Seen, seen
from foveal.serve.board import Board
from foveal.serve.metrics import Metrics
from foveal.serve.served import Served

_QUALITY_EVERY = 8  # of so many pictures of a worker one is looked at: that costs more than the rest
_READ = 1 << 16
_PUBLISH = 0.5  # seconds between two publications


class Notes:
    """The end of the pipe that a worker writes to, in the lane's thread."""

    def __init__(self, pipe: int, metrics: Metrics) -> None:
        self._pipe, self._metrics = pipe, metrics
        self._count = 0

    def take(self, model: Served, label: Label, image: UInt8) -> None:
        """Note one answer."""
        if model.predictor.decision.monitor is None:
            return
        self._count += 1
        looked = image if self._count % _QUALITY_EVERY == 1 else None
        line = json.dumps([model.index, asdict(seen(label, looked))], separators=(",", ":")) + "\n"
        try:
            os.write(self._pipe, line.encode())
        except OSError:  # full, or nobody reads any more
            self._metrics.count("notes_dropped")


class Watch:
    """The monitors of the service's models, in the supervisor; their states are published on the board."""

    def __init__(self, models: Sequence[Served], board: Board) -> None:
        """Make the pipe, and a monitor for each model that keeps what its calibration looked like."""
        self._board = board
        self.reads, self.writes = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._monitors: dict[int, Monitor] = {}
        self._rest = b""
        self._changed: set[int] = set()
        self._published = 0.0
        for model in models:
            try:
                self._monitors[model.index] = Monitor(model.predictor.decision)
            except UsageError:  # it keeps no reference
                continue
            self._changed.add(model.index)
        self.publish()

    def read(self) -> None:
        """Take in notes that wait; a worker that was killed may leave half a line."""
        try:
            data = os.read(self.reads, _READ)
        except BlockingIOError:
            return
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            try:
                index, values = json.loads(line)
                self._monitors[index].note(Seen(**values))
                self._changed.add(index)
            except (ValueError, TypeError, KeyError):
                continue

    def publish(self) -> None:
        """Let all workers see the states, a few times a second."""
        now = time.monotonic()
        if not self._changed or now - self._published < _PUBLISH:
            return
        self._published = now
        for index in self._changed:
            state: dict[str, Any] = self._monitors[index].state()
            self._board.write_text(index, json.dumps(state).encode())
        self._changed.clear()
