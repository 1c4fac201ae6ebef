"""How many images a day does `foveal batch` answer from JPEG files, does it slow down, does it grow?

    python benchmarks/batch_rate.py BUNDLE [--counts 10000 100000] [--side 350] [--workers 2]

It draws 1,000 distinct pictures with sides of about --side pixels and copies them until there are enough, so
that files are small but many. For each count a fresh process answers all of them from its start to its end,
writing Parquet with fsync as it always does. The rate between 10 % and 100 % of the images is the sustained
one. Memory is the Pss of all processes of the job, four times a second; its slope is taken from 20 % on.
"""

import argparse
import contextlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from predict_speed import draw
from serve_load import FOVEAL, resident

from foveal.core.machine import cpu_name, usable_cpus

DAY = 24 * 3600


def multiply(folder: Path, originals: list[Path], count: int) -> None:
    """Copy pictures into a folder, 1,000 in each of its own, until there are `count`."""
    for number in range(count):
        place = folder / f"{number // 1000:04d}"
        place.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(originals[number % len(originals)], place / f"{number:07d}.jpg")


def done(job: Path) -> int:
    """Return how many rows the parts of a job that are published hold, by the ledger's own count."""
    import sqlite3

    with contextlib.closing(sqlite3.connect(f"file:{job / 'ledger.sqlite'}?mode=ro", uri=True)) as ledger:
        return int(ledger.execute("select coalesce(sum(ok + failed), 0) from shards").fetchone()[0])


def measure(given: argparse.Namespace, folder: Path, out: Path, count: int) -> float:
    """Answer all pictures of a folder; print rate, latency bound and memory; return the sustained rate."""
    command = [*FOVEAL, "batch", str(given.bundle), str(folder), "--out", str(out), "--json", "-q"]
    command += ["--workers", str(given.workers), *given.batch]
    began = time.perf_counter()
    process = subprocess.Popen(command, start_new_session=True, stdout=subprocess.PIPE, text=True)
    points: list[tuple[float, int, int]] = []
    while process.poll() is None:
        time.sleep(0.25)
        with contextlib.suppress(Exception):  # the ledger is not there yet, or locked for a moment
            points.append((time.perf_counter() - began, done(out), resident(process.pid)))
    seconds = time.perf_counter() - began
    assert process.stdout is not None
    document = json.loads(process.stdout.read())
    if process.returncode or document["done"] + document["failed"] != count:
        raise SystemExit(f"{command} failed: {document}")
    at, images, held = (np.array(values, float) for values in zip(*points, strict=True))
    steady = images >= 0.1 * count
    rate = (count - images[steady][0]) / (seconds - at[steady][0])
    late = images >= 0.2 * count
    slope = np.polyfit(images[late], held[late], 1)[0] if len(set(images[late])) > 2 else float("nan")
    print(
        f"{count:>7} images: {seconds:7.1f} s from start to end, {count / seconds:6.1f}/s; "
        f"sustained {rate:6.1f}/s = {rate * DAY / 1e6:.1f} million a day; "
        f"memory {held.max() / 1e6:.0f} MB, {slope:.0f} bytes an image",
        flush=True,
    )
    return float(rate)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--counts", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--side", type=int, default=350)
    parser.add_argument("--workers", type=int, default=usable_cpus())
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--work", type=Path, help="where to draw pictures, kept for the next time")
    parser.add_argument("--batch", type=json.loads, default=[], help="options of foveal batch, a JSON list")
    given = parser.parse_args()
    print(f"{cpu_name()}, {usable_cpus()} processors, {given.bundle.name}, sides of about {given.side} px")
    with tempfile.TemporaryDirectory() as temporary:
        work = given.work or Path(temporary)
        rates: dict[int, list[float]] = {count: [] for count in given.counts}
        originals = work / f"originals-{given.side}"
        if not originals.is_dir():
            originals.mkdir(parents=True)
            draw(originals, 1000, side=given.side)
        for count in given.counts:
            folder = work / f"pictures-{given.side}-{count}"
            if not folder.is_dir():
                multiply(folder, sorted(originals.glob("*.jpg")), count)
        for _ in range(given.rounds):
            for count in given.counts:
                out = Path(temporary) / "out"
                rates[count].append(measure(given, work / f"pictures-{given.side}-{count}", out, count))
                shutil.rmtree(out)
        few, many = (statistics.median(rates[count]) for count in (given.counts[0], given.counts[-1]))
        print(f"the rate at {given.counts[-1]} images is {many / few - 1:+.1%} of that at {given.counts[0]}")
    sys.stdout.flush()
    os.sync()


if __name__ == "__main__":
    main()
