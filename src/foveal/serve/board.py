"""Memory that the supervisor and all workers share: who is alive, what was counted, what the monitor says.

It is an anonymous mapping, made before the first fork: no file, no name, gone with the last process. Each
worker writes only in its own seat, and whoever asks adds up all seats: so there is no lock, a worker that is
killed leaves whole numbers, and the one that follows in its seat counts on.
"""

import mmap
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from zlib import crc32

_FIELDS = ("pid", "state", "beat", "golden", "queued", "in_flight", "connections", "restarts")
_WORD = 8
_TEXT_HEAD = struct.Struct("<qq")  # length, checksum: while it is replaced they do not fit the text
TEXT_BYTES = 1 << 18
SILENT = 5.0  # seconds without a sign of life after which a worker is not ready
_TRIES = 1000


class State(IntEnum):
    """Of a worker."""

    DEAD = 0
    STARTING = 1
    READY = 2
    DRAINING = 3


@dataclass(frozen=True)
class Seat:
    """The part of the board that one worker writes.

    Attributes:
        number: From 0.
        words: Its int64 fields; see `get`.
        numbers: What it counts, float64, as `metrics` lays it out.
    """

    number: int
    words: "memoryview[int]"
    numbers: "memoryview[float]"

    def get(self, field: str) -> int:
        """Return one of `pid state beat golden queued in_flight connections restarts`."""
        return int(self.words[_FIELDS.index(field)])

    def set(self, field: str, value: int) -> None:
        """Set a field."""
        self.words[_FIELDS.index(field)] = value

    def sit(self, pid: int) -> None:
        """Give the seat to a process: its predecessor's requests are gone."""
        for field in ("queued", "in_flight", "connections"):
            self.set(field, 0)
        self.set("pid", pid)
        self.set("golden", 1)
        self.set("state", State.STARTING)
        self.beat()

    def beat(self) -> None:
        """Give a sign of life."""
        self.set("beat", time.monotonic_ns())

    @property
    def silent(self) -> float:
        """Seconds since the last sign of life."""
        return (time.monotonic_ns() - self.get("beat")) / 1e9


class Board:
    """All seats, and a text for each model that only the supervisor writes."""

    def __init__(self, seats: int, *, numbers: int, texts: int) -> None:
        """Make the memory.

        Args:
            seats: One for each worker.
            numbers: How many each of them counts.
            texts: How many documents there are.
        """
        words, counted = seats * len(_FIELDS), seats * numbers
        self._texts_at = (words + counted) * _WORD
        self._memory = mmap.mmap(-1, self._texts_at + texts * TEXT_BYTES)
        view = memoryview(self._memory)
        fields = view[: words * _WORD].cast("q")
        rest = view[words * _WORD : self._texts_at].cast("d")
        self.seats = [
            Seat(
                seat,
                fields[seat * len(_FIELDS) : (seat + 1) * len(_FIELDS)],
                rest[seat * numbers : (seat + 1) * numbers],
            )
            for seat in range(seats)
        ]

    def total(self, field: str) -> int:
        """Return the sum of a field over all seats."""
        return sum(seat.get(field) for seat in self.seats)

    def held(self) -> list[int]:
        """Return how many connections each worker has that is ready and alive."""
        alive = (seat for seat in self.seats if seat.get("state") == State.READY and seat.silent <= SILENT)
        return [seat.get("connections") for seat in alive]

    def complaints(self) -> Iterator[str]:
        """Yield why the service is not ready, a reason for each worker that something is wrong with."""
        for seat in self.seats:
            state, silent = State(seat.get("state")), seat.silent
            if state is not State.READY:
                yield f"worker {seat.number} is {state.name.lower()}"
            elif silent > SILENT:
                yield f"worker {seat.number} has been silent for {silent:.0f} s"
            elif not seat.get("golden"):
                yield f"worker {seat.number} no longer computes what was measured at sealing"

    def write_text(self, index: int, text: bytes) -> None:
        """Replace a document; only one process may do so.

        Raises:
            ValueError: It is longer than there is room.
        """
        if len(text) > TEXT_BYTES - _TEXT_HEAD.size:
            raise ValueError(f"{len(text)} bytes are more than a document may have")
        at = self._texts_at + index * TEXT_BYTES
        self._memory[at + _TEXT_HEAD.size : at + _TEXT_HEAD.size + len(text)] = text
        # In one go: `pack_into` writes zeros first, which would look like an empty document.
        self._memory[at : at + _TEXT_HEAD.size] = _TEXT_HEAD.pack(len(text), crc32(text))

    def read_text(self, index: int) -> bytes:
        """Return a document as it was written last, whole; empty before the first."""
        at = self._texts_at + index * TEXT_BYTES
        for _ in range(_TRIES):
            length, checksum = _TEXT_HEAD.unpack_from(self._memory, at)
            text = bytes(self._memory[at + _TEXT_HEAD.size : at + _TEXT_HEAD.size + length])
            if len(text) == length and crc32(text) == checksum:
                return text
        return b""  # its writer died over it, or replaced it each time we looked
