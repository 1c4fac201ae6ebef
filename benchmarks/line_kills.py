"""Kill `foveal inspect run` at random moments, run the same line again, and let an independent checker look.

    python benchmarks/line_kills.py BUNDLE PICTURES [--kills 100] [--seed 0]

One station after the other judges the same folder of pictures; BUNDLE has thresholds, and the pictures lie
directly in the folder. At a random moment the process is killed (SIGKILL), four times in five after it has
begun to decide, and the same line is run again, until it ends by itself. The checker looks after each kill at
the log, at what was told on stdout and at what a file sink holds; at the end every picture must have its one
decision, and everybody must have been told. A violation ends it with the history.
"""

import argparse
import contextlib
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from line_checker import records_of, violations

FOVEAL = [sys.executable, "-c", "from foveal.cli import main; main()"]
MOST_BYTES = 16_384  # of a file of the log here, so that kills meet its changes from one to the next
SMALL = f"from foveal.station import log; log.MOST_BYTES = {MOST_BYTES}; "


class Station:
    """One log with its signals, driven by the same line again and again."""

    def __init__(self, bundle: Path, pictures: Path, place: Path) -> None:
        self.log, self.pictures = place / "log", pictures
        self.signals = [place / "stdout.jsonl", place / "sink.jsonl"]
        line = [str(bundle), str(pictures), "--log", str(self.log), "--sink", f"jsonl:{self.signals[1]}"]
        self._command = [*FOVEAL[:2], SMALL + FOVEAL[2], "inspect", "run", *line, "--jsonl", "-q"]
        place.mkdir()
        self.signals[0].touch()
        self.signals[1].touch()

    def start(self) -> "subprocess.Popen[bytes]":
        """Run the line; what it tells is added to the file of the run before."""
        with self.signals[0].open("ab") as file:
            return subprocess.Popen(self._command, stdout=file, stderr=subprocess.PIPE)

    def work(self, process: "subprocess.Popen[bytes]") -> None:
        """Wait until the line decides, or is at its end."""
        before = self._size()
        while self._size() == before and process.poll() is None:
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
        process = station.start()
        if deciding := draw.random() < 0.8:  # most of its life it only starts
            station.work(process)
        moment = draw.uniform(0, 1.1 * usual)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(moment)
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
        assert process.stderr is not None
        said = process.stderr.read()
        code = process.wait()
        if code not in (0, -signal.SIGKILL):
            raise SystemExit(f"ended with {code} after {history}: {said.decode()}")
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
        process = undisturbed.start()
        undisturbed.work(process)
        began = time.monotonic()
        _, said = process.communicate()
        if process.returncode:
            raise SystemExit(f"ended with {process.returncode}: {said.decode()}")
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
