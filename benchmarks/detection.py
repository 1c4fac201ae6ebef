"""How well boxes and areas are learned from scratch, measured on the file that ships.

    python benchmarks/detection.py DATA [--split val] [--task detect] [--time 30m] [--seeds 0 1 2]

Each seed is one `foveal train` and one `foveal evaluate` in processes of their own; a line of JSON for each
says what came out, how long it took, and how fast the file answers with two threads and with one.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from foveal.bundle.predictor import Predictor

_ASKED = 60  # answers that are timed, after as many that are not
_NAMES = ("map50", "map75", "map", "f1", "counting_mae", "miou", "pixel_accuracy", "boundary_f")


def foveal(*arguments: object) -> dict[str, Any]:
    """Return the document of a command; end where it fails."""
    command = [sys.executable, "-m", "foveal", *map(str, arguments), "--json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=False)
    document: dict[str, Any] = json.loads(done.stdout)
    if done.returncode:
        sys.exit(f"{' '.join(command)}: {document}")
    return document


def milliseconds(bundle: Path, threads: int) -> float:
    """Return the median time of one answer for one picture at model size."""
    predictor = Predictor.open(bundle, engine="onnxruntime", threads=threads)
    picture = np.random.default_rng(0).integers(0, 256, (1, *predictor.preprocess.shape), dtype=np.uint8)
    times = []
    for _ in range(2 * _ASKED):
        started = time.perf_counter()
        predictor.session.answer(picture)
        times.append(time.perf_counter() - started)
    return round(float(np.median(times[_ASKED:])) * 1e3, 2)


def one(data: Path, arguments: argparse.Namespace, seed: int, folder: Path) -> dict[str, Any]:
    run = folder / f"seed{seed}"
    length = ["--time", arguments.time] if arguments.time else []
    task = ["--task", arguments.task] if arguments.task else []
    trained = foveal("train", data, "--out", run, "--seed", seed, *length, *task)
    split = ["--split", arguments.split] if arguments.split else []
    measured = foveal("evaluate", run, data, *split)
    metrics = measured["metrics"]
    return {
        "data": data.name,
        "seed": seed,
        "split": measured["split"],
        "images": measured["images"],
        **{name: metrics[name] for name in _NAMES if name in metrics},
        "classes": {
            row["class"]: row.get("ap50", (row.get("iou") or {}).get("value")) for row in metrics["per_class"]
        },
        "counts_off_by": {
            row["class"]: row["counting_mae"]["value"]
            for row in metrics["per_class"]
            if "counting_mae" in row
        },
        "seconds": trained["seconds"],
        "images_per_second": trained["images_per_second"],
        "size_bytes": Path(trained["bundle"]).stat().st_size,
        "ms": {threads: milliseconds(Path(trained["bundle"]), threads) for threads in (1, 2)},
        "cpu": measured["provenance"]["cpu"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--split", help="part to measure on; default: the test part")
    parser.add_argument("--task")
    parser.add_argument("--time", help="budget of each training; default: as many pictures as usual")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="foveal-detection-") as folder:
        for seed in arguments.seeds:
            print(json.dumps(one(arguments.data, arguments, seed, Path(folder))), flush=True)


if __name__ == "__main__":
    main()
