"""What each baseline is worth on a data set: `foveal train DATA --model NAME`, once per name.

    python benchmarks/baselines.py DATA
    python benchmarks/baselines.py DATA --models svm-hog nano --time 5m --size 32 --threads 2

Prints a line per model: accuracy of the sealed bundle on the test part with its 95 % interval, pictures it
was fitted to, seconds of the fit, size of the bundle, and milliseconds per picture of the bundle alone: one
picture at a time, one thread, median of 200.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

import foveal
from foveal.models._listing import listing

_CALLS = 200


def trained(data: str, model: str, out: Path, options: list[str]) -> dict[str, Any]:
    command = [sys.executable, "-c", "from foveal.cli import main; main()", "train", data, "--model", model]
    done = subprocess.run(
        [*command, "--out", str(out), "--json", "-q", *options], stdout=subprocess.PIPE, check=True
    )
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def milliseconds(bundle: Path) -> float:
    predictor = foveal.load(bundle, threads=1)
    side, channels = predictor.preprocess.size, predictor.preprocess.channels
    image = np.random.default_rng(0).integers(0, 256, (1, side, side, channels), dtype=np.uint8)
    times = []
    for _ in range(_CALLS):
        started = time.perf_counter()
        predictor.run(image)
        times.append(time.perf_counter() - started)
    return statistics.median(times) * 1000


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data")
    names = [row["name"] for row in listing() if row["kind"] == "baseline"]
    parser.add_argument("--models", nargs="+", default=names)
    for name in ("--time", "--size", "--threads", "--seed"):
        parser.add_argument(name)
    arguments = parser.parse_args()
    options = [
        text
        for name in ("time", "size", "threads", "seed")
        if (value := getattr(arguments, name)) is not None
        for text in (f"--{name}", value)
    ]
    for model in arguments.models:
        with tempfile.TemporaryDirectory() as folder:
            document = trained(arguments.data, model, Path(folder) / "run", options)
            accuracy, bundle = document["metrics"]["test"]["accuracy"], Path(document["bundle"])
            print(
                f"{document['model']:<12} accuracy {accuracy['value']:.4f} "
                f"[{accuracy['low']:.4f}, {accuracy['high']:.4f}] n={accuracy['n']}  "
                f"fitted to {document['plan']['images']:,}  {document['train_seconds']:.0f} s  "
                f"{bundle.stat().st_size / 1e6:.2f} MB  {milliseconds(bundle):.2f} ms an image",
                flush=True,
            )


if __name__ == "__main__":
    main()
