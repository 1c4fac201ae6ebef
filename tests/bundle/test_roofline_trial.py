"""bundle.roofline_trial: the graphs are those that are described, and compute what they should."""

import sys
import time
from importlib.util import find_spec

import numpy as np
import pytest
from onnx import TensorProto, checker, helper, numpy_helper

from foveal.bundle import roofline_trial as trials
from foveal.bundle.engines import openvino
from foveal.core import extras, machine

SHAPE = numpy_helper.from_array(np.array([trials.SIDE, trials.SIDE], np.int64), "shape")


@pytest.fixture(autouse=True)
def telemetry(monkeypatch):
    """Undo afterwards that the measurement, in its own process otherwise, switches telemetry off."""
    monkeypatch.setitem(sys.modules, "openvino_telemetry", None)


def constant(kind, value):
    tensor = helper.make_tensor("value", kind, [1], [value])
    return helper.make_node("ConstantOfShape", ["shape"], ["weights"], value=tensor)


def model(nodes, given, made, *constants):
    rows = helper.make_tensor_value_info("rows", given, ["M", trials.SIDE])
    product = helper.make_tensor_value_info("product", made, ["M", trials.SIDE])
    graph = helper.make_graph(nodes, "product", [rows], [product], [SHAPE, *constants])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    checker.check_model(made, full_check=True)
    return made.SerializeToString(deterministic=True)


def needs_openvino() -> None:
    if find_spec("openvino") is None:  # not importorskip: that would import it with its telemetry
        pytest.skip("openvino is not installed")


def test_the_bytes_of_the_fp32_product_are_those_of_the_graph_that_is_described():
    nodes = [constant(TensorProto.FLOAT, 0.5), helper.make_node("MatMul", ["rows", "weights"], ["product"])]

    assert model(nodes, TensorProto.FLOAT, TensorProto.FLOAT) == trials.FP32_PRODUCT


def test_the_bytes_of_the_int8_product_are_those_of_the_graph_that_is_described():
    product = helper.make_node("MatMulInteger", ["rows", "weights"], ["product"])

    made = model([constant(TensorProto.INT8, 3), product], TensorProto.UINT8, TensorProto.INT32)

    assert made == trials.INT8_PRODUCT


def test_the_bytes_of_the_product_between_scales_are_those_of_the_graph_that_is_described():
    nodes = [
        helper.make_node("DequantizeLinear", ["rows", "scale", "middle"], ["levels"]),
        constant(TensorProto.INT8, 3),
        helper.make_node("DequantizeLinear", ["weights", "scale", "zero"], ["factors"]),
        helper.make_node("MatMul", ["levels", "factors"], ["sums"]),
        helper.make_node("QuantizeLinear", ["sums", "scale", "middle"], ["product"]),
    ]
    constants = [np.float32(0.5), np.uint8(128), np.int8(0)]
    named = zip(constants, ("scale", "middle", "zero"), strict=True)

    made = model(
        nodes, TensorProto.UINT8, TensorProto.UINT8, *(numpy_helper.from_array(*one) for one in named)
    )

    assert made == trials.QDQ_PRODUCT


@pytest.mark.parametrize("threads", [1, 2])
def test_every_engine_computes_the_product(threads):
    expected = {"fp32": 3 * 0.5 * 512, "bf16": 3 * 0.5 * 512, "int8": 3 * 3 * 512}
    calls = list(trials._onnxruntime(threads))
    if find_spec("openvino") is not None:
        calls += [(name, call) for name, call in trials._openvino(threads) if name != "int8"]

    assert {precision for precision, _ in calls} >= {"fp32", "int8"}
    for precision, call in calls:
        if not isinstance(call, str):
            product = call()
            assert product.shape == (threads * trials.SIDE, trials.SIDE)
            assert (product == expected[precision]).all()


def test_the_product_between_scales_is_computed_with_integers():
    needs_openvino()
    [call] = [call for name, call in trials._openvino(1) if name == "int8"]

    product = call()

    assert (product == 0).all(), "(3 - 128) / 2 times 3 / 2, 512 times, is far below what 8 bits hold"
    core = openvino.core()
    graph = core.read_model(trials.QDQ_PRODUCT)
    graph.reshape([trials.SIDE, trials.SIDE])
    running = core.compile_model(graph, "CPU", {"INFERENCE_PRECISION_HINT": "f32"}).get_runtime_model()
    [product] = [
        op for op in running.get_ops() if op.get_rt_info()["layerType"] in ("MatMul", "FullyConnected")
    ]
    assert product.get_rt_info()["runtimePrecision"] in ("u8", "i8")


def test_a_measurement_has_a_peak_for_each_precision_and_number_of_threads(monkeypatch):
    monkeypatch.setattr(trials.bandwidth, "LARGEST", 1 << 20)
    counts = {1, machine.usable_cpus()}

    found = trials.measure(seconds=0.05)

    assert {(p.precision, p.threads) for p in found.peaks} >= {
        (n, t) for n in ("fp32", "int8") for t in counts
    }
    assert all(peak.macs_per_second > 1e8 and peak.spread >= 0 and peak.n >= 3 for peak in found.peaks)
    assert {level.threads for level in found.levels if level.name == "memory"} == counts


def test_an_engine_that_is_not_there_is_skipped_and_the_reason_said(monkeypatch):
    monkeypatch.setattr(extras, "_is_there", lambda name: False)
    monkeypatch.setattr(openvino, "core", openvino.core.__wrapped__)

    assert dict(trials._openvino(1)) == dict.fromkeys(("fp32", "bf16", "int8"), "openvino is not installed")


def test_an_engine_that_refuses_is_skipped_and_its_reason_said(monkeypatch):
    def refuse(*_):
        raise RuntimeError("no kernel\nand more")

    monkeypatch.setattr(trials, "_request", refuse)
    needs_openvino()

    assert dict(trials._openvino(1))["int8"] == "no kernel"


def test_a_peak_counts_the_rows_of_every_thread():
    [peak] = trials._peaks({("fp32", 2, "an engine"): lambda: time.sleep(0.01)}, 0.1)

    assert 0.5 < peak.macs_per_second * 0.01 / (2 * 512**3) <= 1


def test_the_fastest_engine_makes_the_peak():
    calls = {("fp32", 1, "slow"): lambda: np.ones(300_000).sum(), ("fp32", 1, "fast"): lambda: None}

    [peak] = trials._peaks(calls, 0.01)

    assert peak.engine == "fast"
