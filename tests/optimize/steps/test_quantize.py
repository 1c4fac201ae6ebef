"""steps.quantize: integers everywhere, the decisions of the float graph, a file that keeps its contract."""

import subprocess
import sys
from collections import Counter

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import numpy_helper
from onnx.reference import ReferenceEvaluator
from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_static

from foveal.bundle.graph import check_graph
from foveal.core.errors import UsageError
from foveal.data.preprocess import Preprocess
from foveal.export.graph import graph, with_temperature
from foveal.optimize.divergence import divergence
from foveal.optimize.graphs.integers import Scheme, readers, units, with_integers
from foveal.optimize.graphs.simplify import simplified
from foveal.optimize.steps.quantize import METHODS, calibrate, divided, preset, quantize
from foveal.tasks.recognizer import Recognizer

INTEGER = {"QLinearConv", "QLinearAdd", "QLinearGlobalAveragePool", "QGemm", "NhwcMaxPool", "MaxPool"}
MOVING = {"Transpose", "Flatten", "Softmax", "Div"}  # temperature 1 is no division any more


def fused(model, folder):
    """Return which operators ONNX Runtime really runs, without those that lay bytes around the picture."""
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(folder / "fused.onnx")
    options.log_severity_level = 4
    options.add_session_config_entry("session.qdqisint8allowed", "1")  # as on ARM, where it is the default
    onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    nodes = onnx.load(folder / "fused.onnx").graph.node
    return Counter(node.op_type for node in nodes if not node.name.startswith("border."))


def run(model, pictures):
    return onnxruntime.InferenceSession(model).run(["probabilities", "logits"], {"images": pictures})


@pytest.mark.parametrize("network", ["nano_graph", "separable_graph"])
@pytest.mark.parametrize("activations", ["uint8", "int8"])
def test_nothing_between_the_bytes_and_the_logits_is_float(request, tmp_path, pictures, network, activations):
    model = request.getfixturevalue(network)

    found = fused(quantize(model, pictures, scheme=Scheme(activations), method="minmax"), tmp_path)

    allowed = INTEGER | MOVING | ({"Cast", "Sub", "QuantizeLinear"} if activations == "int8" else set())
    assert set(found) <= allowed, found
    assert found["QLinearConv"] >= 3


@pytest.mark.parametrize("network", ["nano_graph", "separable_graph"])
def test_the_ends_of_the_integers_are_the_activations(request, pictures, network):
    rounded = onnx.load_from_string(quantize(request.getfixturevalue(network), pictures, method="minmax"))

    assert not {"Relu", "Clip"} & {node.op_type for node in rounded.graph.node}


@pytest.mark.parametrize("network", ["nano_graph", "separable_graph"])
@pytest.mark.parametrize("method", METHODS)
def test_decisions_stay(request, pictures, test_set, network, method):
    model = request.getfixturevalue(network)
    images, labels = test_set

    rounded = quantize(model, pictures, scheme=Scheme(), method=method)

    before, after = (run(m, images)[0].argmax(1) for m in (model, rounded))
    assert (before == labels).mean() > 0.9, "it really classifies"
    assert (after == labels).mean() > (before == labels).mean() - 0.03


@pytest.mark.parametrize("scheme", [Scheme(), Scheme("int8"), Scheme(narrow=True)], ids=str)
def test_the_file_keeps_its_contract(nano_graph, pictures, scheme):
    rounded = quantize(nano_graph, pictures, scheme=scheme, method="minmax")

    check_graph(rounded)
    loaded = onnx.load_from_string(rounded)
    onnx.checker.check_model(loaded, full_check=True)
    assert {entry.domain for entry in loaded.opset_import} == {""}
    assert (loaded.producer_name, loaded.doc_string, len(loaded.metadata_props)) == ("foveal", "", 0)
    assert rounded == quantize(nano_graph, pictures, scheme=scheme, method="minmax"), "no chance, no time"
    weights = [t for t in loaded.graph.initializer if t.dims and t.data_type == onnx.TensorProto.FLOAT]
    assert all(len(t.dims) <= 1 for t in weights), "only scales are float"
    for count in (1, 5):
        assert run(rounded, pictures[:count])[0].shape == (count, 6)


def test_temperature_can_be_set_afterwards(nano_graph, pictures):
    rounded = with_temperature(quantize(nano_graph, pictures, method="minmax"), 2.5)

    probabilities, logits = run(rounded, pictures)

    expected = np.exp(logits / 2.5) / np.exp(logits / 2.5).sum(1, keepdims=True)
    np.testing.assert_allclose(probabilities, expected, atol=1e-6)


@pytest.mark.parametrize("scheme", dict.fromkeys([preset(), Scheme(narrow=True)]), ids=str)
def test_the_operators_mean_what_onnx_says(separable_graph, pictures, scheme):
    """ONNX's own reference evaluator runs each Q, DQ and Conv by definition, without any fusion.

    What this processor is given, and what every processor answers alike. Eight bits are held to it only where
    VNNI adds them in 32: anywhere else their sums stop at 16, and here that moves a logit by a tenth.
    """
    rounded = quantize(separable_graph, pictures, scheme=scheme, method="minmax")

    reference = ReferenceEvaluator(onnx.load_from_string(rounded)).run(["logits"], {"images": pictures[:3]})

    logits = run(rounded, pictures[:3])[1]
    np.testing.assert_allclose(logits, reference[0], atol=0.05 * np.abs(logits).max())


@pytest.mark.parametrize("narrow", [False, True])
def test_weights_are_the_nearest_integers_of_each_channel(nano_graph, pictures, narrow):
    ready = calibrate(nano_graph, pictures, scheme=Scheme(), method="minmax")
    rounded = onnx.load_from_string(with_integers(ready.model, ready.ranges, Scheme(narrow=narrow)))
    floats = {t.name: numpy_helper.to_array(t) for t in onnx.load_from_string(ready.model).graph.initializer}
    arrays = {t.name: numpy_helper.to_array(t) for t in rounded.graph.initializer}
    checked = 0
    for name, array in floats.items():
        if array.ndim < 2:
            continue
        integers, scale = arrays[f"{name}_q"], arrays[f"{name}_scale"]
        shape = (-1, *[1] * (array.ndim - 1))
        assert np.abs(integers.astype(int)).max() <= (64 if narrow else 127)
        error = np.abs(array - integers * scale.reshape(shape))
        assert (error <= 0.5001 * scale.reshape(shape)).all()
        checked += 1
    assert checked == 8


class _Pictures(CalibrationDataReader):
    def __init__(self, pictures):
        self.left = [{"images": pictures[i : i + 32]} for i in range(0, len(pictures), 32)]

    def get_next(self):
        return self.left.pop(0) if self.left else None


def test_it_is_no_worse_than_onnx_runtimes_own_quantizer(nano_graph, pictures, test_set, tmp_path):
    (tmp_path / "float.onnx").write_bytes(simplified(nano_graph))
    quantize_static(
        tmp_path / "float.onnx",
        tmp_path / "int8.onnx",
        _Pictures(pictures),
        per_channel=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        op_types_to_quantize=["Conv", "Gemm", "Add", "MaxPool"],
    )

    theirs = divergence(nano_graph, (tmp_path / "int8.onnx").read_bytes(), test_set[0])
    ours = divergence(nano_graph, quantize(nano_graph, pictures, scheme=Scheme()), test_set[0])

    assert 0 < ours.mean_kl < 1.5 * theirs.mean_kl


def test_best_is_the_nearest_on_pictures_that_did_not_calibrate(nano_graph, pictures):
    learning, judging = divided(pictures)
    costs = {
        method: divergence(
            nano_graph, quantize(nano_graph, learning, scheme=Scheme(), method=method), judging
        ).mean_kl
        for method in METHODS
    }

    assert len({*costs.values()}) > 1, costs
    assert calibrate(nano_graph, pictures, scheme=Scheme()).method == min(costs, key=costs.get)


class Reddish(torch.nn.Module):
    """Tells by one grey level whether red is above or below the mean of green and blue, however bright."""

    def __init__(self) -> None:
        super().__init__()
        self.differ, self.mix = torch.nn.Conv2d(3, 2, 1, bias=False), torch.nn.Conv2d(2, 2, 1)
        self.head = torch.nn.Linear(2, 2)
        with torch.no_grad():  # 0.5 is 63.5 steps of 1/127: both halves are rounded up
            self.differ.weight.copy_(torch.tensor([[1, -0.5, -0.5], [-1, 0.5, 0.5]]).view(2, 3, 1, 1))
            self.mix.weight.copy_(torch.eye(2).view(2, 2, 1, 1))
            self.mix.bias.zero_()
            self.head.weight.copy_(100 * torch.eye(2))
            self.head.bias.zero_()

    def forward(self, images):
        return self.head(torch.relu(self.mix(torch.relu(self.differ(images)))).mean(dim=(2, 3)))


def test_a_first_layer_that_subtracts_nearly_equal_numbers_stays_float(separable_graph, pictures):
    """As filters that whiten do: rounding it costs more than rounding all others."""
    assert calibrate(separable_graph, pictures, scheme=Scheme()).floats == ()
    rng = np.random.default_rng(0)
    pictures = np.repeat(rng.integers(20, 236, (256, 1, 1, 1)), 8, axis=1).repeat(8, axis=2).repeat(3, axis=3)
    redder = rng.integers(0, 2, 256)
    pictures[:, :4, :4, 0] += (2 * redder - 1)[:, None, None]
    pictures = pictures.astype(np.uint8)
    preprocess = Preprocess(size=8, channels=3, mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25))
    model = graph(Recognizer(Reddish().eval(), "own", {}, preprocess, ("red", "other")))
    ready = calibrate(model, pictures, scheme=Scheme())

    def right(rounded):
        return (run(rounded, pictures)[1].argmax(1) == 1 - redder).mean()

    assert right(model) == 1
    assert right(quantize(model, pictures, scheme=Scheme(), method=ready.method)) < 0.9
    assert ready.floats == units(ready.model)[:1]
    assert right(quantize(model, pictures, scheme=Scheme())) == 1


@pytest.mark.parametrize("name", ["nano", "resnet18", "mobilenet_v2"])
def test_one_layer_reads_the_picture(network, name):
    preprocess = Preprocess(size=32, channels=3, mean=(0.5, 0.5, 0.5), std=(0.2, 0.2, 0.2))
    plain = simplified(graph(Recognizer(network(name), "own", {}, preprocess, tuple("abcde"))))

    assert readers(plain) == units(plain)[:1]


@pytest.mark.parametrize("network", ["nano_graph", "separable_graph"])
def test_what_stays_float_is_float_where_it_runs(request, tmp_path, pictures, network):
    """ONNX Runtime rounds float weights between a DQ and a Q itself, unasked and per tensor."""
    ready = calibrate(request.getfixturevalue(network), pictures, scheme=Scheme(), method="minmax")
    convs = [node.name for node in onnx.load_from_string(ready.model).graph.node if node.op_type == "Conv"]
    for name in convs:
        found = fused(with_integers(ready.model, ready.ranges, Scheme(), floats=[name]), tmp_path)

        assert found["QLinearConv"] == len(convs) - 1, (name, found)
        assert found["Conv"] + found["FusedConv"] == 1


def test_all_in_float_is_the_float_graph(nano_graph, pictures):
    ready = calibrate(nano_graph, pictures, scheme=Scheme(), method="minmax")
    same = with_integers(ready.model, ready.ranges, Scheme(), floats=units(ready.model))

    np.testing.assert_allclose(run(same, pictures)[1], run(nano_graph, pictures)[1], atol=1e-4)


@pytest.mark.parametrize(
    ("features", "scheme"),
    [
        (("AVX2", "AVX512", "AVX512-VNNI"), Scheme()),
        (("AVX2", "AVX-VNNI"), Scheme()),
        (("AVX", "AVX2", "FMA"), Scheme(narrow=True)),
        (("NEON", "DOTPROD"), Scheme(activations="int8")),
        (("",), Scheme(narrow=True)),
    ],
)
def test_the_scheme_follows_the_processor(features, scheme):
    assert preset(features) == scheme


def test_no_pictures_are_refused(nano_graph, pictures):
    with pytest.raises(UsageError, match="got none") as error:
        quantize(nano_graph, pictures[:0])
    assert error.value.code == "empty"


def test_one_picture_is_enough_to_run(nano_graph, pictures):
    assert run(quantize(nano_graph, pictures[:1]), pictures[:2])[0].shape == (2, 6)


IN_OPENVINO = """
import sys, numpy, openvino
pictures = numpy.load(sys.argv[2])
model = openvino.Core().read_model(open(sys.argv[1], "rb").read())
model.reshape({"images": pictures.shape})
run = openvino.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"}).create_infer_request()
numpy.save(sys.argv[3], run.infer({"images": pictures})["probabilities"])
"""


@pytest.mark.parametrize("network", ["nano_graph", "separable_graph"])
@pytest.mark.parametrize("scheme", [Scheme(), Scheme("int8")], ids=str)
def test_openvino_runs_it_and_answers_alike(request, tmp_path, pictures, network, scheme):
    """In a process of its own: what its compiler cannot take, it has answered with a segmentation fault."""
    pytest.importorskip("openvino")
    rounded = quantize(request.getfixturevalue(network), pictures, scheme=scheme, method="minmax")
    (tmp_path / "int8.onnx").write_bytes(rounded)
    np.save(tmp_path / "pictures.npy", pictures[:64])
    names = [str(tmp_path / name) for name in ("int8.onnx", "pictures.npy", "answers.npy")]

    subprocess.run([sys.executable, "-c", IN_OPENVINO, *names], check=True)

    answers, expected = np.load(names[2]), run(rounded, pictures[:64])[0]
    assert (answers.argmax(1) == expected.argmax(1)).mean() > 0.95
    np.testing.assert_allclose(answers, expected, atol=0.1)


def test_nodes_without_names_are_told_apart(classifier):
    """ONNX does not ask for names; with one for all, a layer that stays in float would take all along."""
    pictures = np.random.default_rng(0).integers(0, 256, (64, 16, 16, 3), dtype=np.uint8)
    ready = calibrate(classifier(), pictures, scheme=Scheme())

    assert len(set(units(ready.model))) == len(units(ready.model)) == 2
    assert b"DequantizeLinear" in quantize(classifier(), pictures)
