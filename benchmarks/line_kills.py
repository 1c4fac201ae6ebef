"""Kill `foveal inspect run` at random moments, run the same line again, and let an independent checker look.

    python benchmarks/line_kills.py BUNDLE PICTURES [--kills 100] [--seed 0]

One station after the other judges the same folder of pictures; BUNDLE has thresholds, and the pictures lie
directly in the folder. At a random moment the process is killed (SIGKILL), four times in five after it has
begun to decide, and the same line is run again, until it ends by itself. The checker looks after each kill at
the log, at what was told on stdout and at what a file sink holds; at the end every picture must have its one
decision, and everybody must have been told. A violation ends it with the history.
"""

import argparse
import os
import random
import signal
import sys
import tempfile
import time
from pathlib import Path

import onnxruntime  # noqa: F401 - what a line needs is imported once, and each run is forked with it
from line_checker import records_of, violations

from foveal.cli import main as foveal
from foveal.flows import inspect_run  # noqa: F401
from foveal.station import log

MOST_BYTES = 16_384  # of a file of the log here, so that kills meet its changes from one to the next


class Run:
    """The command as a process of its own."""

    def __init__(self, line: list[str], told: Path) -> None:
        self.code: int | None = None
        self.pid = os.fork()
        if self.pid == 0:
            os.dup2(os.open(told, os.O_WRONLY | os.O_APPEND | os.O_CREAT), 1)
            log.MOST_BYTES, sys.argv[1:] = MOST_BYTES, line
            try:
                foveal()
            except SystemExit as end:  # not further up: what is opened there belongs to the one that kills
                sys.stdout.flush()
                os._exit(int(end.code or 0))

    def ended(self) -> bool:
        """Return whether it is at its end, and note how it ended."""
        if self.code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self.code = os.waitstatus_to_exitcode(status) if pid else None
        return self.code is not None

    def wait(self, most: float) -> None:
        """Wait until it ends, at most so many seconds."""
        until = time.monotonic() + most
        while not self.ended() and time.monotonic() < until:
            time.sleep(0.002)

    def kill(self) -> None:
        """Kill it, unless it has ended."""
        if not self.ended():
            os.kill(self.pid, signal.SIGKILL)
            self.wait(60)


class Station:
    """One log with its signals, driven by the same line again and again."""

    def __init__(self, bundle: Path, pictures: Path, place: Path) -> None:
        self.log, self.pictures = place / "log", pictures
        self.signals = [place / "stdout.jsonl", place / "sink.jsonl"]
        line = [str(bundle), str(pictures), "--log", str(self.log), "--sink", f"jsonl:{self.signals[1]}"]
        self._line = ["inspect", "run", *line, "--jsonl", "-q"]
        place.mkdir()
        self.signals[0].touch()
        self.signals[1].touch()

    def start(self) -> Run:
        """Run the line; what it tells is added to the file of the run before."""
        return Run(self._line, self.signals[0])

    def work(self, run: Run) -> None:
        """Wait until the line decides, or is at its end."""
        before = self._size()
        while self._size() == before and not run.ended():
            time.sleep(0.002)

    def _size(self) -> int:
        return sum(path.stat().st_size for path in self.log.glob("audit-*")) if self.log.exists() else 0

    def check(self, *, finished: bool, history: list[str]) -> None:
        """End all where a promise is broken."""
        self._end_lines()
        if self.log.exists():
            found = violations(self.log, self.pictures, self.signals, finished=finished)
            if found:
                raise SystemExit(f"after {history}:\n" + "\n".join(found[:20]))

    def _end_lines(self) -> None:
        """End the line on stdout that was torn by a kill, as whoever reads a pipe would see it end."""
        with self.signals[0].open("ab") as file:
            file.write(b"\n")


def disturb(station: Station, usual: float, draw: random.Random) -> tuple[list[str], int]:
    """Run a station with kills until it is finished; return the history, and how many kills hit."""
    history: list[str] = []
    hits = 0
    while True:
        run = station.start()
        if deciding := draw.random() < 0.8:  # most of its life it only starts
            station.work(run)
        moment = draw.uniform(0, 1.1 * usual)
        run.wait(moment)
        run.kill()
        code = run.code
        if code not in (0, -signal.SIGKILL):
            raise SystemExit(f"ended with {code} after {history}")
        hits += code != 0
        begun = "of work" if deciding else "of life"
        history.append(f"{moment:.3f} s {begun} {'killed' if code else 'ended'}")
        station.check(finished=code == 0, history=history)
        if code == 0:
            return history, hits


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("bundle", type=Path)
    parser.add_argument("pictures", type=Path)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    draw, hits, stations, inside = random.Random(given.seed), 0, 0, 0
    with tempfile.TemporaryDirectory() as temporary:
        undisturbed = Station(given.bundle, given.pictures, Path(temporary) / "undisturbed")
        run = undisturbed.start()
        undisturbed.work(run)
        began = time.monotonic()
        run.wait(600)
        if run.code:
            raise SystemExit(f"ended with {run.code}")
        usual = time.monotonic() - began
        undisturbed.check(finished=True, history=[])
        while hits < given.kills:
            station = Station(given.bundle, given.pictures, Path(temporary) / f"station-{stations}")
            history, more = disturb(station, usual, draw)
            hits, stations = hits + more, stations + 1
            records, _ = records_of(station.log)
            inside += len({record["synced"] for record in records})
            print(f"{stations} stations, {hits} kills ({', '.join(history)})", flush=True)
    print(
        f"seed {given.seed}: {stations} stations, {hits} kills, {inside} commits: "
        "nothing lost, doubled, phantom, changed, or told without being logged"
    )


if __name__ == "__main__":
    main()
