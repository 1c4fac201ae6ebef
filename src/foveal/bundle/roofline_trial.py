"""Measure what this machine can do at most; nothing else runs in this process.

`python -m foveal.bundle.roofline_trial` prints it. All engines multiply matrices in turns, so that what slows
the machine down hits all alike, and the best call of each counts. Matrices with sides of 512 are small enough
for the second-level cache and large enough to keep every unit busy.
"""

import json
import sys
import time
from base64 import b64decode
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foveal.bundle import bandwidth
from foveal.bundle.engines import openvino
from foveal.bundle.engines.onnxruntime import quiet_options, runtime
from foveal.bundle.roofline import Peak, Roofline
from foveal.core import machine
from foveal.core.caches import caches
from foveal.core.errors import MissingExtraError

SIDE = 512
_SECONDS = 2.0  # for all products together
_CALLS = 3  # of one engine in one turn

# product = rows (M, 512) times weights (512, 512), which the graph makes itself, all alike: fp32, then int8
# in two forms, one that ONNX Runtime and one that OpenVINO computes with integers. The test writes them anew.
FP32_PRODUCT = b64decode(
    "CAo6wwEKQAoFc2hhcGUSB3dlaWdodHMiD0NvbnN0YW50T2ZTaGFwZSodCgV2YWx1ZSoRCAEQASIEAAAAP0IFdmFsdWWgAQQKIAoE"
    "cm93cwoHd2VpZ2h0cxIHcHJvZHVjdCIGTWF0TXVsEgdwcm9kdWN0Kh0IAhAHQgVzaGFwZUoQAAIAAAAAAAAAAgAAAAAAAFoYCgRy"
    "b3dzEhAKDggBEgoKAxIBTQoDCIAEYhsKB3Byb2R1Y3QSEAoOCAESCgoDEgFNCgMIgARCBAoAEBI="
)
INT8_PRODUCT = b64decode(
    "CAo6xwEKPQoFc2hhcGUSB3dlaWdodHMiD0NvbnN0YW50T2ZTaGFwZSoaCgV2YWx1ZSoOCAEQAyoBA0IFdmFsdWWgAQQKJwoEcm93"
    "cwoHd2VpZ2h0cxIHcHJvZHVjdCINTWF0TXVsSW50ZWdlchIHcHJvZHVjdCodCAIQB0IFc2hhcGVKEAACAAAAAAAAAAIAAAAAAABa"
    "GAoEcm93cxIQCg4IAhIKCgMSAU0KAwiABGIbCgdwcm9kdWN0EhAKDggGEgoKAxIBTQoDCIAEQgQKABAS"
)
QDQ_PRODUCT = b64decode(
    "CAo6gAMKLwoEcm93cwoFc2NhbGUKBm1pZGRsZRIGbGV2ZWxzIhBEZXF1YW50aXplTGluZWFyCj0KBXNoYXBlEgd3ZWlnaHRzIg9D"
    "b25zdGFudE9mU2hhcGUqGgoFdmFsdWUqDggBEAMqAQNCBXZhbHVloAEECjEKB3dlaWdodHMKBXNjYWxlCgR6ZXJvEgdmYWN0b3Jz"
    "IhBEZXF1YW50aXplTGluZWFyCh8KBmxldmVscwoHZmFjdG9ycxIEc3VtcyIGTWF0TXVsCi4KBHN1bXMKBXNjYWxlCgZtaWRkbGUS"
    "B3Byb2R1Y3QiDlF1YW50aXplTGluZWFyEgdwcm9kdWN0Kh0IAhAHQgVzaGFwZUoQAAIAAAAAAAAAAgAAAAAAACoPEAFCBXNjYWxl"
    "SgQAAAA/Kg0QAkIGbWlkZGxlSgGAKgsQA0IEemVyb0oBAFoYCgRyb3dzEhAKDggCEgoKAxIBTQoDCIAEYhsKB3Byb2R1Y3QSEAoO"
    "CAISCgoDEgFNCgMIgARCBAoAEBI="
)

Rows = NDArray[Any]
_Call = Callable[[], Rows]
_Key = tuple[str, int, str]  # precision, threads, engine

_OPENVINO = (
    ("fp32", FP32_PRODUCT, "f32", np.float32),
    ("bf16", FP32_PRODUCT, "bf16", np.float32),
    ("int8", QDQ_PRODUCT, "f32", np.uint8),
)
_HINT, _THREADS = "INFERENCE_PRECISION_HINT", "INFERENCE_NUM_THREADS"
_PLAIN = {"NUM_STREAMS": 1, "ENABLE_CPU_PINNING": False}


def measure(*, seconds: float = _SECONDS) -> Roofline:
    """Return peaks and bandwidths with one thread and with all that this process may use.

    Args:
        seconds: For the products of matrices; bandwidths take about one more.
    """
    counts = sorted({1, machine.usable_cpus()})
    calls: dict[_Key, _Call] = {}
    skipped = []
    for engine in (_onnxruntime, _openvino):
        for threads in counts:
            for precision, call in engine(threads):
                if isinstance(call, str):
                    skipped.append((f"{engine.__name__[1:]} {precision}", call))
                else:
                    calls[precision, threads, engine.__name__[1:]] = call
    peaks = _peaks(calls, seconds)
    moved = [bandwidth.sweep(threads) for threads in counts]
    levels = tuple(level for one in moved for level in bandwidth.levels(one, caches()))
    return Roofline(peaks, levels, tuple(one for some in moved for one in some), tuple(dict(skipped).items()))


def _peaks(calls: dict[_Key, _Call], seconds: float) -> tuple[Peak, ...]:
    """Return the fastest engine's peak for each precision and number of threads."""
    times: dict[_Key, list[float]] = {key: [] for key in calls}
    for call in calls.values():
        call()  # the first call takes the memory
    end, rounds = time.monotonic() + seconds, 0
    while rounds == 0 or time.monotonic() < end:
        rounds += 1
        for key, call in calls.items():
            for _ in range(_CALLS):
                start = time.perf_counter()
                call()
                times[key].append(time.perf_counter() - start)
    best: dict[tuple[str, int], Peak] = {}
    for (precision, threads, engine), found in times.items():
        rate = threads * SIDE**3 / min(found)
        peak = Peak(precision, threads, engine, rate, float(np.median(found)) / min(found) - 1, len(found))
        before = best.get((precision, threads))
        if before is None or before.macs_per_second < rate:
            best[precision, threads] = peak
    return tuple(best[key] for key in sorted(best))


def _rows(threads: int, kind: type[np.generic]) -> Rows:
    """Return the left matrix: so many rows for each thread."""
    return np.full((threads * SIDE, SIDE), 3, kind)


def _onnxruntime(threads: int) -> Iterator[tuple[str, _Call | str]]:
    options = quiet_options(threads)  # no thread spins while other engines take their turns
    for precision, graph, kind in (("fp32", FP32_PRODUCT, np.float32), ("int8", INT8_PRODUCT, np.uint8)):
        session = runtime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        rows = _rows(threads, kind)
        yield precision, partial(_run, session, rows)


def _openvino(threads: int) -> Iterator[tuple[str, _Call | str]]:
    """Yield OpenVINO's products, or for each precision why there is none."""
    try:
        core = openvino.core()
    except MissingExtraError:
        yield from ((precision, "openvino is not installed") for precision, *_ in _OPENVINO)
        return
    able = core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    for precision, graph, hint, kind in _OPENVINO:
        if precision == "bf16" and "BF16" not in able:
            yield precision, "the processor has no bf16"
            continue
        rows = _rows(threads, kind)
        try:
            request = _request(core, graph, rows.shape, {**_PLAIN, _HINT: hint, _THREADS: threads})
        except Exception as error:  # the engine's errors have no common class
            yield precision, str(error).strip().partition("\n")[0][:300]
        else:
            yield precision, partial(_infer, request, rows)


def _request(core: Any, graph: bytes, shape: tuple[int, ...], settings: dict[str, Any]) -> Any:
    model = core.read_model(graph)
    model.reshape(list(shape))  # int8 with a free side crashes (openvinotoolkit/openvino#37577)
    return core.compile_model(model, "CPU", settings).create_infer_request()


def _run(session: Any, rows: Rows) -> Rows:
    product: Rows = session.run(None, {"rows": rows})[0]
    return product


def _infer(request: Any, rows: Rows) -> Rows:
    product: Rows = request.infer({0: rows}, share_inputs=True)[0]
    return product


def _main() -> None:
    sys.stdout.write(json.dumps(asdict(measure())))


if __name__ == "__main__":
    _main()
