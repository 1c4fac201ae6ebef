"""From a network, or a sealed bundle, to its embedder: the features are those that its last layer reads."""

from dataclasses import replace

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from foveal import models
from foveal.bundle import archive
from foveal.bundle.graph import check_graph
from foveal.core.errors import UsageError
from foveal.data.preprocess import Preprocess
from foveal.export.embedding import cut, embedder, embedder_in
from foveal.export.tracing import traced
from foveal.models._head import head_of, without_head
from foveal.tasks.classify.learn import normalize

IMAGES = np.random.default_rng(0).integers(0, 256, (5, 16, 16, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return models.architecture("nano").build(channels=3, classes=4, size=16).eval()


@pytest.fixture(scope="module")
def preprocess() -> Preprocess:
    return Preprocess(size=16, channels=3, mean=(0.4, 0.5, 0.6), std=(0.2, 0.2, 0.3))


def test_features_are_those_of_the_torch_network(network, preprocess) -> None:
    bare = without_head(network)
    width = head_of(network)[1].in_features

    made = embedder(bare, preprocess, dimensions=width, source="nano", licensed="Apache-2.0")

    with torch.no_grad():
        expected = bare(normalize(torch.from_numpy(IMAGES), preprocess)).numpy()
    np.testing.assert_allclose(made.features(IMAGES), expected, rtol=1e-4, atol=1e-5)
    assert (made.dimensions, made.source, made.license) == (width, "nano", "Apache-2.0")


@pytest.mark.parametrize(
    "name", ["nano", "resnet20", "vit_tiny", "efficientnet_lite0", "row_gru", "small_conv"]
)
def test_networks_are_traced_in_a_second_and_answer_for_any_number(name) -> None:
    torch.manual_seed(0)
    network = models.architecture(name).build(channels=3, classes=4, size=32).eval()
    bare, pictures = without_head(network), Preprocess(size=32, channels=3, mean=(0.5,) * 3, std=(0.25,) * 3)
    images = np.random.default_rng(1).integers(0, 256, (7, 32, 32, 3), dtype=np.uint8)

    graph = traced(bare, pictures)

    assert graph is not None
    check_graph(graph)
    made = embedder(bare, pictures, dimensions=head_of(network)[1].in_features, source=name)
    with torch.no_grad():
        expected = bare(normalize(torch.from_numpy(images), pictures)).numpy()
    np.testing.assert_allclose(made.features(images), expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())


class _OfTwo(torch.nn.Module):
    """What tracing loses: something that depends on how many pictures there are."""

    def forward(self, images):
        return images.flatten(1)[:, :4] + len(images)


def test_what_tracing_loses_is_noticed(preprocess) -> None:
    assert traced(_OfTwo().eval(), preprocess) is None


def test_what_is_cut_out_of_a_bundle_is_what_its_last_layer_reads(bundle, classifier) -> None:
    made = embedder_in(archive.read(bundle), source="colors.foveal")

    graph = onnx.load_from_string(classifier())
    weights, bias = (
        onnx.numpy_helper.to_array(next(one for one in graph.graph.initializer if one.name == name))
        for name in ("weights", "bias")
    )
    whole = onnxruntime.InferenceSession(classifier(), providers=["CPUExecutionProvider"])
    logits = whole.run(["logits"], {"images": IMAGES})[0]
    np.testing.assert_allclose(made.features(IMAGES) @ weights + bias, logits, rtol=1e-5, atol=1e-6)
    assert made.dimensions == 7
    assert made.license == "Apache-2.0"


def test_nothing_that_decides_is_left_in_it(bundle) -> None:
    made = onnx.load_from_string(embedder_in(archive.read(bundle), source="x").graph)

    assert [value.name for value in made.graph.output] == ["features"]
    assert not {"Softmax", "Gemm", "Div"} & {node.op_type for node in made.graph.node}
    assert {one.name for one in made.graph.initializer} == {"filters", "scale"}


def test_a_graph_whose_own_tensor_is_called_features_can_be_cut_elsewhere(classifier) -> None:
    """The name of the output is taken by a tensor that is no output."""
    model = cut(classifier(), "logits", 3)
    run = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"]).run

    whole = onnxruntime.InferenceSession(classifier(), providers=["CPUExecutionProvider"])
    np.testing.assert_allclose(
        run(["features"], {"images": IMAGES})[0], whole.run(["logits"], {"images": IMAGES})[0], rtol=1e-6
    )


def test_a_bundle_without_such_a_layer_has_no_features(bundle) -> None:
    members = archive.read(bundle)
    graph = onnx.load_from_string(members.model)
    [linear] = [node for node in graph.graph.node if node.op_type == "Gemm"]
    linear.output[0] = "inner"
    at = list(graph.graph.node).index(linear)
    graph.graph.node.insert(at + 1, onnx.helper.make_node("Relu", ["inner"], ["logits"]))

    with pytest.raises(UsageError, match="has no features") as caught:
        embedder_in(replace(members, model=graph.SerializeToString()), source="odd.foveal")
    assert caught.value.code == "no_features"
