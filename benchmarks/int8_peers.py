"""How fast and how right is our int8 beside that of ONNX Runtime's and NNCF's quantizers, on one network?

    python benchmarks/int8_peers.py RUN DATA [BUNDLE ...]
    pip install nncf    # its file is compared where it is installed

Every file takes the same bytes. The peers' quantizers get the fp32 graph of RUN as it was exported, the same
pictures to calibrate on, and their defaults for convolutional networks (per channel). Files run in ONNX
Runtime and OpenVINO with one thread, one picture a call, in turns; the faster engine counts for each.
Accuracy is that on the test part, compared on the same pictures. More BUNDLEs, such as one that
`foveal optimize` recommends, stand in the same rounds.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

from foveal.bundle import archive
from foveal.bundle.engines.openvino import core
from foveal.bundle.locate import locate
from foveal.bundle.session import Float32, UInt8
from foveal.core import machine
from foveal.core.progress import silent
from foveal.flows._finished_run import data_of, prepared_again
from foveal.metrics.paired_difference import paired_difference
from foveal.metrics.quantile import quantile
from foveal.optimize.rounding import some
from foveal.optimize.steps.quantize import quantize
from foveal.tasks import recognizer

ROUNDS, CALLS, SHOWN = 60, 10, 256


class Reader(CalibrationDataReader):
    """Hands pictures to ONNX Runtime's quantizer, one batch after the other."""

    def __init__(self, images: UInt8) -> None:
        self.batches = iter({"images": images[i : i + 32]} for i in range(0, len(images), 32))

    def get_next(self) -> dict[str, UInt8] | None:
        """Return the next batch, or None behind the last one."""
        return next(self.batches, None)


def by_onnx_runtime(model: bytes, shown: UInt8) -> bytes:
    """Return ONNX Runtime's own QDQ file."""
    with tempfile.TemporaryDirectory() as folder:
        before, after = Path(folder, "before.onnx"), Path(folder, "after.onnx")
        before.write_bytes(model)
        quantize_static(
            before,
            after,
            Reader(shown),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )
        return after.read_bytes()


def by_nncf(model: bytes, shown: UInt8) -> bytes:
    """Return NNCF's QDQ file."""
    import nncf

    batches = nncf.Dataset([shown[i : i + 1] for i in range(len(shown))], lambda images: {"images": images})
    found = nncf.quantize(onnx.load_from_string(model), batches, subset_size=len(shown))
    written: bytes = found.SerializeToString()
    return written


Run = Callable[[UInt8], Float32]


def in_onnx_runtime(graph: bytes) -> Run:
    """Return what answers in ONNX Runtime, without our checks: peers round probabilities, too."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    return lambda images: session.run(["probabilities"], {"images": images})[0]


def in_openvino(graph: bytes) -> Run:
    """Return what answers one picture in OpenVINO, compiled for its size."""
    model = core().read_model(graph)
    height, width, channels = (int(side.get_length()) for side in list(model.input(0).partial_shape)[1:])
    model.reshape([1, height, width, channels])
    settings = {"INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": "f32"}
    request = core().compile_model(model, "CPU", settings).create_infer_request()
    return lambda images: np.asarray(request.infer([images])[0])


def of_rounds(sessions: dict[str, list[Run]], images: UInt8) -> dict[str, NDArray[np.float64]]:
    """Return the median seconds of each round, float64 (ROUNDS,), in the faster engine of each file."""
    times = {name: np.empty((len(found), ROUNDS, CALLS)) for name, found in sessions.items()}
    for turn in range(ROUNDS):
        for name, found in sessions.items():
            for place, session in enumerate(found):
                for call in range(CALLS):
                    image = images[(turn * CALLS + call) % len(images)][None]
                    start = time.perf_counter()
                    session(image)
                    times[name][place, turn, call] = time.perf_counter() - start
    medians = {name: np.median(rows, axis=2) for name, rows in times.items()}
    return {name: min(rows, key=lambda one: float(np.median(one))) for name, rows in medians.items()}


def faster(slow: NDArray[np.float64], fast: NDArray[np.float64]) -> str:
    """Return how many times as fast, the median over rounds, with its 95 % interval."""
    found = quantile(slow / fast, 0.5)
    return f"{found.value:.2f}× ({found.low:.2f} to {found.high:.2f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("bundles", type=Path, nargs="*")
    arguments = parser.parse_args()
    run = arguments.run
    with tempfile.TemporaryDirectory() as work:
        place = data_of(run, arguments.data, again="benchmarks/int8_peers.py RUN DATA")
        network = recognizer.load(run / "model")
        prepared = prepared_again(run, place, network, Path(work), threads=2, progress=silent)
        shown = some(prepared.examples("fit"), SHOWN)
        test = prepared.split.test
        images, truth = np.asarray(prepared.store.images[test]), prepared.store.labels[test]
    model = archive.read(locate(run)).model
    makers: dict[str, Callable[[bytes, UInt8], bytes]] = {
        "ONNX Runtime `quantize_static`": by_onnx_runtime,
        "NNCF": by_nncf,
        "foveal int8": quantize,
    }
    graphs = {"fp32": model}
    for name, make in makers.items():
        try:
            graphs[name] = make(model, shown)
        except ImportError:
            print(f"{name} is not installed")
    graphs |= {f"{path.parent.name}/{path.name}": archive.read(path).model for path in arguments.bundles}
    sessions = {
        name: [in_onnx_runtime(graph), *([] if name == "fp32" else [in_openvino(graph)])]
        for name, graph in graphs.items()
    }
    seconds = of_rounds(sessions, images)
    print(f"{machine.cpu_name()}, one thread, {ROUNDS} rounds of {CALLS} calls; test n={len(truth)}\n")
    print("| file | p50 | speed | graph | accuracy | points lost |\n| --- | --- | --- | --- | --- | --- |")
    before = None
    for name, graph in graphs.items():
        batches = (images[i : i + 1] for i in range(len(images)))
        right = np.concatenate([sessions[name][0](batch).argmax(1) for batch in batches]) == truth
        before = right if before is None else before
        lost = paired_difference(int((before & ~right).sum()), int((right & ~before).sum()), len(truth))
        print(
            f"| {name} | {np.median(seconds[name]) * 1e3:.3f} ms "
            f"| {faster(seconds['fp32'], seconds[name])} | {len(graph) / 1e6:.2f} MB | {right.mean():.4f} | "
            f"{100 * lost.value:+.2f} ({100 * lost.low:+.2f} to {100 * lost.high:+.2f}) |"
        )
    for path in arguments.bundles:
        name = f"{path.parent.name}/{path.name}"
        beside = [f"{faster(seconds[peer], seconds[name])} {peer}" for peer in makers if peer in seconds]
        print(f"\n{name} is as fast as: {'; '.join(beside)}")


if __name__ == "__main__":
    main()
