"""Progress for people: a bar on a terminal, otherwise a line now and then; always on stderr."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from foveal.core import progress as core

_LINE_SECONDS = 30.0  # without a terminal
_EPOCH_SECONDS = 5.0  # a note that changed (an epoch ended) is worth a line, but not ten a second


@contextmanager
def progress(*, quiet: bool) -> Iterator[core.Progress]:
    """Yield the reporter for one command: nothing, a bar, or lines."""
    if quiet:
        yield core.silent
    elif sys.stderr.isatty():
        columns = (
            TextColumn("{task.description:<10}"),
            BarColumn(bar_width=24),
            TextColumn("{task.percentage:>3.0f} %"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
        )
        with Progress(*columns, console=Console(stderr=True), transient=False) as bars:
            yield _Bars(bars)
    else:
        yield _Lines()


class _Bars:
    def __init__(self, bars: Progress) -> None:
        self.bars = bars
        self.tasks: dict[str, TaskID] = {}

    def __call__(self, stage: str, done: int, total: int, note: str = "") -> None:
        if stage not in self.tasks:
            self.tasks[stage] = self.bars.add_task(stage, total=total, note=note)
        self.bars.update(self.tasks[stage], completed=done, total=total, note=note)


class _Lines:
    def __init__(self) -> None:
        self.started: dict[str, tuple[float, int]] = {}
        self.printed: dict[str, tuple[float, str]] = {}

    def __call__(self, stage: str, done: int, total: int, note: str = "") -> None:
        now = time.monotonic()
        start, before = self.started.setdefault(stage, (now, done))
        last, last_note = self.printed.get(stage, (start, ""))
        due = now - last >= _LINE_SECONDS or (note != last_note and now - last >= _EPOCH_SECONDS)
        due = due or (total == 1 and stage not in self.printed)  # else nothing is said until all is done
        if due or (done >= total and last_note != "done"):
            finished = done >= total
            self.printed[stage] = (now, "done" if finished else note)
            took, new = now - start, done - before  # what was done before, another process may have done
            left = f", {took / new * (total - done):.0f} s left" if new > 0 and not finished else ""
            print(f"{stage} {done}/{total} {took:.0f} s{left} {note}".rstrip(), file=sys.stderr, flush=True)
