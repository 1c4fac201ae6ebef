"""What a time budget buys: `foveal train DATA --time T` with all defaults, once per seed.

    python benchmarks/train_budget.py DATA --time 5m --seeds 0 1 2
    python benchmarks/train_budget.py DATA --time 5m --seeds 0 --peer-python PEERS/bin/python

Prints one line per run and the median. The accuracy is that of the sealed bundle on the test part.
With --peer-python Ultralytics trains its smallest classifier from scratch for the same time at the same size
and is measured on the same pictures, in its own environment; DATA is then a folder with train/ and test/.
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


def run(data: str, budget: str, seed: int, out: Path) -> dict[str, Any]:
    command = [sys.executable, "-c", "from foveal.cli import main; main()", "train", data]
    options = ["--time", budget, "--seed", str(seed), "--out", str(out), "--json", "-q"]
    done = subprocess.run([*command, *options], stdout=subprocess.PIPE, check=True)
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def line(seed: int, document: dict[str, Any]) -> str:
    metrics, plan = document["metrics"]["test"], document["plan"]
    accuracy, answered = metrics["accuracy"], metrics["coverage_at_risk"]
    covered = "none" if answered["threshold"] is None else f"{answered['value']:.1%}"
    return (
        f"seed {seed}  accuracy {accuracy['value']:.4f} [{accuracy['low']:.4f}, {accuracy['high']:.4f}] "
        f"n={accuracy['n']}  majority {metrics['majority']['accuracy']['value']:.4f}  "
        f"ece {metrics['ece']:.4f} (null {metrics['ece_null_p95']:.4f})  answered at 1 % risk {covered}  "
        f"{document['seconds']:.0f} s  {document['images_per_second']:.0f} images/s  "
        f"{document['epochs']:.1f} passes  {plan['arguments'].get('widths')} {plan['precision']}  "
        f"waiting for data {document['data_wait_share']:.2%}"
    )


def peer(data: str, seconds: float, size: int) -> None:
    """Print what Ultralytics reaches, as JSON; runs in the peer's environment."""
    from ultralytics import YOLO

    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        model = YOLO("yolo11n-cls.yaml")
        asked = {
            "data": str(Path(data).resolve()),
            "imgsz": size,
            "device": "cpu",
            "workers": 2,
            "plots": False,
        }
        model.train(**asked, project=folder, time=seconds / 3600, pretrained=False, val=False, verbose=False)
        accuracy = float(model.val(**asked, project=folder, split="test").top1)
    print("\n" + json.dumps({"accuracy": accuracy, "seconds": time.monotonic() - started}))


def beside(given: argparse.Namespace, document: dict[str, Any]) -> str:
    from foveal.core.units import seconds as parsed  # here: the peer's environment has no foveal

    seconds, size = parsed(given.time), document["plan"]["arguments"]["size"]
    options = [given.data, "--as-peer", "--time", f"{seconds}s", "--size", str(size)]
    done = subprocess.run(
        [given.peer_python, __file__, *options], capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"the peer failed:\n{done.stderr[-2000:]}")
    found = json.loads(done.stdout.splitlines()[-1])
    ours = document["metrics"]["test"]["accuracy"]["value"]
    return (
        f"Ultralytics yolo11n-cls, {size} px: accuracy {found['accuracy']:.4f} in {found['seconds']:.0f} s; "
        f"foveal reaches {ours / found['accuracy']:.2f} times that"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data")
    parser.add_argument("--peer-python", type=Path)
    parser.add_argument("--as-peer", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--size", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--time", default="5m")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    given = parser.parse_args()
    if given.as_peer:
        peer(given.data, float(given.time.removesuffix("s")), given.size)
        return
    accuracies = []
    with tempfile.TemporaryDirectory() as folder:
        for seed in given.seeds:
            document = run(given.data, given.time, seed, Path(folder) / str(seed))
            accuracies.append(document["metrics"]["test"]["accuracy"]["value"])
            print(line(seed, document), flush=True)
        if given.peer_python:
            print(beside(given, document), flush=True)
    print(f"median accuracy {statistics.median(accuracies):.4f} over {len(accuracies)} seeds")


if __name__ == "__main__":
    main()
