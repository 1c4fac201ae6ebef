"""The run's own diary: `log.txt`, a line per stage and per row of the learning curve."""

from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from foveal.core import files
from foveal.core.errors import WriteError
from foveal.core.progress import Progress


class Logged:
    """Progress that is also written down; what was there before a resume stays."""

    def __init__(self, progress: Progress, path: Path) -> None:
        self.progress = progress
        self.path = path
        self._last = ("", "")

    def __call__(self, stage: str, done: int, total: int, note: str = "") -> None:
        """Pass progress on; write a line when the stage or its note changed, or the stage is complete."""
        self.progress(stage, done, total, note)
        now = (stage, "complete" if done >= total else note)
        if now != self._last:
            self._last = now
            self.write(f"{stage} {done}/{total} {note}".rstrip())

    def write(self, line: str) -> None:
        """Append one line with the time in UTC; where that is not possible, the work still goes on."""
        with suppress(WriteError):
            files.append(self.path, f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} {line}\n")
