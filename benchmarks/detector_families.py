"""The detector families in one table: two-stage, one-stage and transformer, by one command on the same data.

    python benchmarks/detector_families.py BCCD --time 5m --out families
    python benchmarks/detector_families.py BCCD --epochs 20 --out families-by-steps

BCCD is a set with boxes and the splits train and val. Each family is trained from scratch, one after the
other, for the same wall-clock time, or for as many passes and so steps of 16 pictures; what is in --out
already is not trained again. All numbers are of the sealed files: accuracy on val, where nothing was fitted
but how sure a score is, with intervals over pictures; times of an answer for one picture at model size in
ONNX Runtime, float32, with one thread and with two, taken in turns.
"""

import argparse
import json
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from detection import foveal

from foveal.bundle import archive
from foveal.bundle.engines.onnxruntime import onnxruntime
from foveal.bundle.locate import locate
from foveal.tasks import recognizer as recognizers

KINDS = {
    "point": "one-stage, ours",
    "fcos": "one-stage",
    "retinanet": "one-stage, anchors",
    "ssdlite": "one-stage, anchors",
    "faster_rcnn": "two-stage",
    "query": "transformer, ours",
}
THREADS = (1, 2)
ASKED = 20  # answers of each round that are timed, after as many that are not
HEAD = """| family | kind | mAP50 | mAP | learned | ms, 1 thread | 2 threads | parameters | file |
| --- | --- | --- | --- | --- | --- | --- | --- | --- |"""


def learned(name: str, given: argparse.Namespace) -> dict[str, Any]:
    """Return what came of a training, which may have been done before."""
    run = given.out / name
    if not (run / "metrics.json").is_file():
        length = ("--time", given.time) if given.epochs is None else ("--epochs", given.epochs)
        foveal("train", given.data, "--model", name, *length, "--out", run, "--force")
    told = json.loads((run / "metrics.json").read_text("utf-8"))
    metrics = foveal("evaluate", run, given.data, "--split", "val")["metrics"]
    network = recognizers.load(run / "model").network
    return {
        "family": name,
        "kind": KINDS[name],
        "map50": metrics["map50"],
        "map": metrics["map"],
        "seconds": told["seconds"],
        "epochs": told["epochs"],
        "parameters": sum(one.numel() for one in network.parameters()),
        "bytes": locate(run).stat().st_size,
    }


def once(session: Any, picture: Any) -> float:
    """Return the median milliseconds of an answer."""
    times = []
    for _ in range(2 * ASKED):
        started = time.perf_counter()
        session.answer(picture)
        times.append(time.perf_counter() - started)
    return median(times[ASKED:]) * 1e3


def speeds(names: list[str], given: argparse.Namespace) -> dict[str, dict[int, float]]:
    """Return the median milliseconds of an answer for each number of threads, in turns."""
    found: dict[str, dict[int, list[float]]] = {name: {threads: [] for threads in THREADS} for name in names}
    bundles = {name: archive.read(locate(given.out / name)) for name in names}
    sessions = {
        (name, threads): onnxruntime(bundle.model, threads=threads)
        for name, bundle in bundles.items()
        for threads in THREADS
    }
    for _ in range(given.rounds):
        for (name, threads), session in sessions.items():
            shape = bundles[name].manifest.preprocess.shape
            picture = np.random.default_rng(0).integers(0, 256, (1, *shape), dtype=np.uint8)
            found[name][threads].append(once(session, picture))
    return {name: {n: round(min(times), 1) for n, times in some.items()} for name, some in found.items()}


def row(told: dict[str, Any]) -> str:
    """Return a family's row of the table."""
    shares = [
        f"{told[name]['value']:.3f} ({told[name]['low']:.3f} to {told[name]['high']:.3f})"
        for name in ("map50", "map")
    ]
    name = f"`{told['family']}`"
    trained = f"{told['seconds'] / 60:.1f} min, {told['epochs']:.0f} passes"
    times = [f"{told['ms'][threads]:.1f}" for threads in THREADS]
    sizes = [f"{told['parameters'] / 1e6:.2f} M", f"{told['bytes'] / 1e6:.1f} MB"]
    return f"| {' | '.join([name, told['kind'], *shares, trained, *times, *sizes])} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, required=True, help="folder for all that is written")
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--time", default="5m", help="for each training, from reading the files to the page")
    length.add_argument("--epochs", type=float, help="passes over the pictures instead, the same for each")
    parser.add_argument("--models", nargs="+", default=list(KINDS), choices=list(KINDS))
    parser.add_argument("--rounds", type=int, default=5, help="of timing; the fastest counts")
    given = parser.parse_args()
    rows = [learned(name, given) for name in given.models]
    for told, ms in zip(rows, speeds(given.models, given).values(), strict=True):
        told["ms"] = ms
        print(json.dumps(told), file=sys.stderr, flush=True)
    print("\n".join([HEAD, *map(row, rows)]))


if __name__ == "__main__":
    main()
