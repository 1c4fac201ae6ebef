"""Does `foveal bench` find the time that the least code around ONNX Runtime finds?

    python benchmarks/bench_agreement.py BUNDLE [--threads 1] [--batch 1] [--pairs 7] [--seconds 5]

Both take turns in fresh processes: `foveal bench BUNDLE`, and a tight loop that runs the bundle's graph on
the same kind of pictures and looks at nothing. Printed are the medians of both, and the ratio within each
pair: what is above 1 is the price of the checks of the answers, and of other work on the machine meanwhile.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from foveal.bundle import archive, golden
from foveal.core.machine import cpu_name, usable_cpus


def tight_loop(model: Path, images: Path, *, threads: int, seconds: float) -> float:
    """Return the median milliseconds of a call, with nothing around it."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    pictures = np.load(images, allow_pickle=False)
    end, times = time.perf_counter() + seconds, []
    while time.perf_counter() < end:
        start = time.perf_counter()
        session.run(["probabilities", "logits"], {"images": pictures})
        times.append(time.perf_counter() - start)
    return statistics.median(times[len(times) // 10 :]) * 1e3


def bench(arguments: argparse.Namespace) -> float:
    """Return the p50 of `foveal bench` in milliseconds."""
    command = [sys.executable, "-c", "from foveal.cli import main; main()", "bench", str(arguments.bundle)]
    options = {"threads": arguments.threads, "batch": arguments.batch, "time": f"{arguments.seconds}s"}
    for name, value in options.items():
        command += [f"--{name}", str(value)]
    result = subprocess.run([*command, "--json", "-q"], capture_output=True, text=True, check=True)
    return float(json.loads(result.stdout)["chosen"]["p50_ms"])


def loop(arguments: argparse.Namespace, model: Path, images: Path) -> float:
    command = [sys.executable, __file__, str(arguments.bundle), "--loop", str(model), str(images)]
    command += ["--threads", str(arguments.threads), "--seconds", str(arguments.seconds)]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def compare(arguments: argparse.Namespace, work: Path) -> None:
    members = archive.read(arguments.bundle)
    model, images = work / "model.onnx", work / "images.npy"
    model.write_bytes(members.model)
    preprocess = members.manifest.preprocess
    np.save(images, golden.synthetic(preprocess.sides, preprocess.channels, count=arguments.batch))
    pairs = [(bench(arguments), loop(arguments, model, images)) for _ in range(arguments.pairs)]
    ours, theirs = zip(*pairs, strict=True)
    ratios = sorted(one / other for one, other in pairs)
    print(f"{cpu_name()}, {usable_cpus()} processors; {arguments.threads} threads, batch {arguments.batch}")
    for name, times in (("foveal bench p50", ours), ("tight loop median", theirs)):
        print(f"{name:<18}{statistics.median(times):8.3f} ms ({min(times):.3f} to {max(times):.3f})")
    print(
        f"ratio: {statistics.median(ratios):.3f} (median of {len(ratios)} pairs, "
        f"{ratios[0]:.3f} to {ratios[-1]:.3f})"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--loop", type=Path, nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.loop:
        model, images = arguments.loop
        print(tight_loop(model, images, threads=arguments.threads, seconds=arguments.seconds))
        return
    with tempfile.TemporaryDirectory() as work:
        compare(arguments, Path(work))


if __name__ == "__main__":
    main()
