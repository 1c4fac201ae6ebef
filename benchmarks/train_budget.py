"""What a time budget buys: `foveal train DATA --time T` with all defaults, once per seed.

    python benchmarks/train_budget.py DATA --time 5m --seeds 0 1 2

Prints one line per run and the median. The accuracy is that of the sealed bundle on the test part.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any


def run(data: str, time: str, seed: int, out: Path) -> dict[str, Any]:
    command = [sys.executable, "-c", "from foveal.cli import main; main()", "train", data]
    options = ["--time", time, "--seed", str(seed), "--out", str(out), "--json", "-q"]
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data")
    parser.add_argument("--time", default="5m")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    given = parser.parse_args()
    accuracies = []
    with tempfile.TemporaryDirectory() as folder:
        for seed in given.seeds:
            document = run(given.data, given.time, seed, Path(folder) / str(seed))
            accuracies.append(document["metrics"]["test"]["accuracy"]["value"])
            print(line(seed, document), flush=True)
    print(f"median accuracy {statistics.median(accuracies):.4f} over {len(accuracies)} seeds")


if __name__ == "__main__":
    main()
