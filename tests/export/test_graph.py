"""export.graph: the file answers as the network does, says what the contract says, and nothing about us."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

import foveal
from foveal.data.preprocess import Preprocess
from foveal.export.graph import graph, with_temperature
from foveal.tasks.recognizer import Recognizer, build

CHANNELS = 2
ARGUMENTS = {"channels": CHANNELS, "classes": 3, "size": 16, "widths": [8, 8, 8]}
PREPROCESS = Preprocess(size=16, channels=CHANNELS, mean=(0.2, 0.7), std=(0.1, 0.3))


@pytest.fixture(scope="module")
def recognizer():
    torch.manual_seed(0)
    network = build("nano", ARGUMENTS)
    for module in network.modules():  # statistics and scales that are not 0 and 1, as after training
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.normal_(module.running_mean)
            torch.nn.init.uniform_(module.running_var, 0.5, 2)
            torch.nn.init.uniform_(module.weight, 0.5, 2)
            torch.nn.init.normal_(module.bias)
    torch.nn.init.normal_(network.head.weight, std=3)
    return Recognizer(network.eval(), "nano", ARGUMENTS, PREPROCESS, ("a", "b", "c"))


@pytest.fixture(scope="module")
def model(recognizer):
    return graph(recognizer)


def images(count):
    return np.random.default_rng(count).integers(0, 256, (count, 16, 16, CHANNELS), dtype=np.uint8)


def run(model, pixels):
    return onnxruntime.InferenceSession(model).run(["probabilities", "logits"], {"images": pixels})


@pytest.mark.parametrize("count", [1, 2, 7])
def test_it_answers_as_the_network_for_any_number_of_images(recognizer, model, count):
    _, logits = run(model, images(count))

    expected = recognizer.logits(images(count))
    assert np.abs(expected).max() > 1, "not a flat, untrained network"
    np.testing.assert_allclose(logits, expected, atol=1e-4)


def test_normalization_is_inside(recognizer, model):
    pixels = images(5)
    mean, std = np.array(PREPROCESS.mean), np.array(PREPROCESS.std)
    normalized = torch.from_numpy(((pixels / 255 - mean) / std).astype(np.float32)).permute(0, 3, 1, 2)

    with torch.no_grad():
        expected = recognizer.network(normalized).numpy()

    np.testing.assert_allclose(run(model, pixels)[1], expected, atol=1e-3)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_probabilities_are_the_softmax_of_logits_over_the_temperature(model, temperature):
    probabilities, logits = run(with_temperature(model, temperature), images(4))

    expected = torch.softmax(torch.from_numpy(logits) / temperature, dim=1).numpy()
    np.testing.assert_allclose(probabilities, expected, atol=1e-6)
    np.testing.assert_array_equal(logits, run(model, images(4))[1])


def test_it_has_the_names_and_types_of_the_contract(model):
    session = onnxruntime.InferenceSession(model)

    (inputs,) = session.get_inputs()
    assert (inputs.name, inputs.type, inputs.shape[1:]) == ("images", "tensor(uint8)", [16, 16, CHANNELS])
    assert isinstance(inputs.shape[0], str)
    assert {o.name: (o.type, o.shape[1]) for o in session.get_outputs()} == {
        "probabilities": ("tensor(float)", 3),
        "logits": ("tensor(float)", 3),
    }


def test_it_names_no_file_of_this_machine(model):
    assert str(Path(foveal.__file__).parent).encode() not in model
    loaded = onnx.load_from_string(model)
    assert not loaded.metadata_props
    assert not any(node.metadata_props or node.doc_string for node in loaded.graph.node)
    assert b".py" not in model


def test_the_same_recognizer_gives_the_same_bytes(recognizer, model):
    assert graph(recognizer) == model


def test_a_network_left_in_training_mode_is_exported_in_eval_mode(recognizer, model):
    recognizer.network.train()
    try:
        again = graph(recognizer)
    finally:
        recognizer.network.eval()

    np.testing.assert_allclose(run(again, images(3))[1], run(model, images(3))[1], atol=1e-5)
