"""How long does one picture take from nothing, and how much memory?

    python benchmarks/cold_start.py MODEL PICTURE [--peer-python PYTHON]

Every contestant is a fresh process, from its start to its end; they take turns, and medians are printed with
the largest memory that was resident:

- `foveal predict MODEL PICTURE --json`;
- `import foveal` alone;
- with --peer-python (a Python that has ultralytics): its own `predict`
  with yolo11n-cls in ONNX and random weights.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from predict_speed import PEER, PEER_MODELS

from foveal.core.machine import cpu_name, usable_cpus


def once(command: list[str]) -> tuple[float, float]:
    """Run a command; return its seconds and its peak memory in MB."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdout is not None
    process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    if os.waitstatus_to_exitcode(status):
        raise SystemExit(f"{command} failed")
    return seconds, usage.ru_maxrss * 1024 / 1e6


def contestants(given: argparse.Namespace, work: Path) -> dict[str, list[str]]:
    """Return the command of each contestant by its name."""
    foveal = [sys.executable, "-c", "from foveal.cli import main; main()"]
    found = {
        "foveal predict": [*foveal, "predict", str(given.model), str(given.picture), "--json"],
        "import foveal": [sys.executable, "-c", "import foveal"],
        "python itself": [sys.executable, "-c", "pass"],
    }
    if given.peer_python:
        subprocess.run([given.peer_python, "-c", PEER_MODELS, str(work)], check=True, capture_output=True)
        model = str(work / "yolo11n-cls.onnx")
        found["ultralytics onnx"] = [given.peer_python, "-c", PEER, model, str(given.picture)]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("picture", type=Path)
    parser.add_argument("--peer-python")
    parser.add_argument("--rounds", type=int, default=9)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        commands = contestants(given, Path(work))
        for command in commands.values():
            once(command)  # fills the disk cache
        runs: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
        for _ in range(given.rounds):
            for name, command in commands.items():
                runs[name].append(once(command))
    print(f"{cpu_name()}, {usable_cpus()} processors, {given.rounds} rounds")
    for name, found in runs.items():
        seconds = [second for second, _ in found]
        print(
            f"{name:<18}{statistics.median(seconds):6.3f} s ({min(seconds):.3f} to {max(seconds):.3f})  "
            f"{max(memory for _, memory in found):6.1f} MB"
        )


if __name__ == "__main__":
    main()
