"""How far is the predicted time of a network from the measured one, for networks that it was not fitted to?

    python benchmarks/latency_prediction.py
    python benchmarks/latency_prediction.py --engines openvino --precisions int8 --threads 1

Thirteen networks with random weights in three families (nano, mobilenet_v2 and resnet18 of several widths
and sizes) are exported, quantized to int8 with ONNX Runtime's own tool and timed in turns, before and after
the table of their layers is measured; the lower fifth of the calls counts. The time of each is predicted
after a fit to every pair of the others: of its own family, and of all. Beside it stands what multiply-adds
alone predict with the same fit, and by how much the networks' own times differ before and after: on a busy
machine that is more than the error, and the run says nothing.
"""

import argparse
import itertools
import logging
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from torch import nn
from torchvision.models.mobilenetv2 import MobileNetV2

from foveal.bundle.engines.onnxruntime import onnxruntime as open_onnxruntime
from foveal.bundle.session import Float32, Session, UInt8
from foveal.core import random
from foveal.core.machine import cpu_name, usable_cpus
from foveal.data.preprocess import Preprocess
from foveal.export.graph import graph
from foveal.models.nano import nano
from foveal.models.resnet import resnet as residual
from foveal.optimize.lookup import Table
from foveal.optimize.prediction import Parts, Point, fit
from foveal.optimize.shapes import Shape, shapes
from foveal.tasks.recognizer import Recognizer

CLASSES = tuple("abcdefghij")
WIDE = 0.15  # the target: predicted and measured differ by less
TURN_SECONDS = 0.01
QUANTILE = 0.2  # as in the table


@dataclass(frozen=True)
class Network:
    """An exported network; `graphs` by precision."""

    name: str
    family: str
    size: int
    layers: tuple[Shape, ...]
    graphs: dict[str, bytes]


class OpenVino:
    """One picture a call in OpenVINO's float32 (its default on this machine would be bf16)."""

    engine, classes = "openvino", None

    def __init__(self, model: bytes, threads: int) -> None:
        import openvino

        core = openvino.Core()
        read = core.read_model(model)
        _, height, width, channels = (side.get_max_length() for side in read.inputs[0].partial_shape)
        self.input_shape = (height, width, channels)
        read.reshape({"images": [1, height, width, channels]})
        settings = {
            "INFERENCE_PRECISION_HINT": "f32",
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": 1,
            "ENABLE_CPU_PINNING": False,
        }
        self._request = core.compile_model(read, "CPU", settings).create_infer_request()

    def run(self, images: UInt8) -> tuple[Float32, Float32]:
        """Return probabilities and logits of one picture."""
        answer = self._request.infer({"images": images})
        return np.array(answer["probabilities"]), np.array(answer["logits"])


ENGINES: dict[str, Callable[[bytes, int], Session]] = {
    "onnxruntime": lambda model, threads: open_onnxruntime(model, threads=threads),
    "openvino": OpenVino,
}


def mobilenet(size: int, width: float) -> nn.Module:
    """MobileNetV2 with foveal's strides for pictures of this size, and a factor for all widths."""
    second = 2 if size > 90 else 1
    stages = [
        [1, 16, 1, 1],
        [6, 24, 2, second],
        [6, 32, 3, 2],
        [6, 64, 4, 2],
        [6, 96, 3, 1],
        [6, 160, 3, 2],
        [6, 320, 1, 1],
    ]
    return MobileNetV2(num_classes=10, width_mult=width, inverted_residual_setting=stages, dropout=0.0)


def resnet(width: int) -> nn.Module:
    """Foveal's ResNet-18 for 64 px with as many channels in its first stage instead of 64."""
    network = residual(depth=18, channels=3, classes=10, size=64)

    def scaled(channels: int) -> int:
        return channels if channels == 3 else channels * width // 64

    for path, layer in list(network.named_modules()):
        parent = network.get_submodule(path.rpartition(".")[0])
        name = path.rpartition(".")[2]
        if isinstance(layer, nn.Conv2d):
            inputs, outputs = scaled(layer.in_channels), scaled(layer.out_channels)
            narrow = nn.Conv2d(
                inputs, outputs, layer.kernel_size, layer.stride, layer.padding, bias=layer.bias is not None
            )
            setattr(parent, name, narrow)
        elif isinstance(layer, nn.BatchNorm2d):
            setattr(parent, name, nn.BatchNorm2d(scaled(layer.num_features)))
        elif isinstance(layer, nn.Linear):
            setattr(parent, name, nn.Linear(scaled(layer.in_features), layer.out_features))
    return network


def made() -> Iterator[tuple[str, str, int, nn.Module]]:
    """Yield name, family, size and network."""
    for widths in ((64, 128, 256), (48, 96, 128), (32, 64, 128), (16, 48, 128)):
        name = "nano " + "-".join(map(str, widths))
        yield name, "nano", 32, nano(channels=3, classes=10, size=32, widths=widths)
    for size, width in itertools.product((64, 96), (1.0, 0.75, 0.5)):
        yield f"mobilenet_v2 ×{width} {size} px", "mobilenet_v2", size, mobilenet(size, width)
    for width in (64, 48, 32):
        yield f"resnet18 {width} 64 px", "resnet18", 64, resnet(width)


def networks() -> Iterator[Network]:
    """Export all of them, with batch-norm statistics that are not those of a fresh network."""
    for name, family, size, network in made():
        for layer in network.modules():
            if isinstance(layer, nn.BatchNorm2d):
                nn.init.normal_(layer.running_mean, std=0.1)
                nn.init.uniform_(layer.running_var, 0.5, 1.5)
        preprocess = Preprocess(size=size, channels=3, mean=(0.45,) * 3, std=(0.225,) * 3)
        exported = graph(Recognizer(network.eval(), family, {}, preprocess, CLASSES))
        layers = shapes(network, channels=3, size=size)
        yield Network(name, family, size, layers, {"fp32": exported, "int8": quantized(exported, size)})


def quantized(model: bytes, size: int) -> bytes:
    """Return the graph in int8 (QDQ, a scale for each channel of weights); what meets pixels stays float."""
    from onnxruntime import quantization
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Pictures(quantization.CalibrationDataReader):
        def __init__(self) -> None:
            self._rest = iter(pictures(size, 8))

        def get_next(self) -> dict[str, UInt8] | None:
            picture = next(self._rest, None)
            return None if picture is None else {"images": picture[None]}

    with tempfile.TemporaryDirectory() as folder:
        whole, ready, small = (Path(folder) / f"{name}.onnx" for name in ("whole", "ready", "small"))
        whole.write_bytes(model)
        quant_pre_process(whole, ready)
        quantization.quantize_static(
            ready,
            small,
            Pictures(),
            quant_format=quantization.QuantFormat.QDQ,
            per_channel=True,
            activation_type=quantization.QuantType.QUInt8,
            weight_type=quantization.QuantType.QInt8,
            op_types_to_quantize=["Conv", "Gemm", "MatMul", "Add", "MaxPool", "Relu", "Clip"],
        )
        return small.read_bytes()


def pictures(size: int, count: int) -> UInt8:
    """Return noise, uint8 (count, size, size, 3)."""
    return random.stream(0, "pictures").integers(0, 256, (count, size, size, 3), dtype=np.uint8)


def timed(sessions: Sequence[Session], sizes: Sequence[int], turns: int) -> list[float]:
    """Return the seconds of a call of each session, all timed in turns: the lower fifth of its calls."""
    inputs = [pictures(size, 1) for size in sizes]
    spent: list[list[float]] = [[] for _ in sessions]
    for turn in range(turns + 1):
        for index in random.stream(0, "turns", turn).permutation(len(sessions)):
            sessions[index].run(inputs[index])  # brings its weights into the caches
            until, calls = time.perf_counter() + TURN_SECONDS, 0
            while time.perf_counter() < until or calls < 2:
                started = time.perf_counter()
                sessions[index].run(inputs[index])
                calls += 1
                if turn:  # the first warms it
                    spent[index].append(time.perf_counter() - started)
    return [float(np.quantile(calls, QUANTILE)) for calls in spent]


def errors(points: Sequence[Point], families: Sequence[str], *, of_family: bool) -> list[float]:
    """Return |predicted / measured − 1| of each network after a fit to each pair of others."""
    found = []
    for pair in itertools.combinations(range(len(points)), 2):
        if of_family and families[pair[0]] != families[pair[1]]:
            continue
        fitted = fit([points[index] for index in pair])
        found += [
            fitted.error([point])
            for index, point in enumerate(points)
            if index not in pair and (not of_family or families[index] == families[pair[0]])
        ]
    return found


def tell(title: str, found: Sequence[float]) -> None:
    share = sum(error < WIDE for error in found) / len(found)
    print(
        f"  {title:<44}{statistics.mean(found):7.1%} mean, {max(found):7.1%} most; "
        f"{share:4.0%} of {len(found)} within {WIDE:.0%}"
    )


def compare(given: Sequence[Network], engine: str, precision: str, threads: int, turns: int) -> None:
    """Measure one way to run all networks, and print how well it is predicted."""

    def load(model: bytes) -> Session:
        return ENGINES[engine](model, threads)

    sessions = [load(one.graphs[precision]) for one in given]
    sizes = [one.size for one in given]
    before = timed(sessions, sizes, turns)
    table, started = Table(load, precision), time.monotonic()
    parts = [table.parts(one.layers, channels=3, size=one.size) for one in given]
    spent = time.monotonic() - started
    after = timed(sessions, sizes, turns)
    seconds = [(one + other) / 2 for one, other in zip(before, after, strict=True)]
    points = [Point(part, second) for part, second in zip(parts, seconds, strict=True)]
    entries = len(table.as_json()["layers"]) + len(table.as_json()["inputs"])
    print(f"{engine} {precision}, {threads} threads: {entries} entries in {spent:.1f} s")
    for one, point in zip(given, points, strict=True):
        factor = (point.seconds - point.parts.input) / point.parts.layers
        print(
            f"  {one.name:<28}{point.seconds * 1e3:8.3f} ms; input {point.parts.input * 1e3:6.3f}, "
            f"layers {point.parts.layers * 1e3:7.3f}, factor {factor:5.2f}"
        )
    families = [one.family for one in given]
    tell("fitted to two networks of its family", errors(points, families, of_family=True))
    tell("fitted to two networks of any family", errors(points, families, of_family=False))
    work = [sum(layer.macs for layer in one.layers) for one in given]
    rate = sum(seconds) / sum(work)
    counted = [
        Point(Parts(point.parts.input, macs * rate), point.seconds)
        for point, macs in zip(points, work, strict=True)
    ]
    tell("multiply-adds instead, two of its family", errors(counted, families, of_family=True))
    tell("the same networks before and after", [abs(b / a - 1) for a, b in zip(before, after, strict=True)])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--engines", nargs="+", default=["onnxruntime"], choices=list(ENGINES))
    parser.add_argument("--precisions", nargs="+", default=["fp32", "int8"], choices=["fp32", "int8"])
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--turns", type=int, default=30)
    given = parser.parse_args()
    logging.disable(logging.WARNING)
    onnxruntime.set_default_logger_severity(4)
    torch.manual_seed(0)
    exported = list(networks())
    print(f"{cpu_name()}, {usable_cpus()} processors, onnxruntime {onnxruntime.__version__}")
    for engine, precision, threads in itertools.product(given.engines, given.precisions, given.threads):
        compare(exported, engine, precision, threads, given.turns)


if __name__ == "__main__":
    main()
