"""steps.low_rank: cheaper layers, the promised errors, decisions that stay where the ranks allow it."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from foveal import models
from foveal.core.errors import UnknownNameError, UsageError
from foveal.data.preprocess import Preprocess
from foveal.export.graph import graph
from foveal.optimize.input_moments import input_moments
from foveal.optimize.steps.low_rank import low_rank
from foveal.tasks.recognizer import Recognizer, weights_bytes


def multiply_adds(recognizer):
    """Count what really runs, layer by layer."""
    total = 0

    def hook(module, _, output):
        nonlocal total
        total += module.weight.numel() * (output[0, 0].numel() if isinstance(module, nn.Conv2d) else 1)

    modules = [m for m in recognizer.network.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    handles = [m.register_forward_hook(hook) for m in modules]
    recognizer.network(torch.zeros(1, 3, 16, 16))
    for handle in handles:
        handle.remove()
    return total


def parameters(network):
    return sum(m.weight.numel() for m in network.modules() if isinstance(m, nn.Conv2d | nn.Linear))


@pytest.mark.parametrize("kind", ["svd", "spatial", "tucker", "cp"])
def test_what_is_factored_has_fewer_multiply_adds_and_weights(nano, pictures, kind):
    small = low_rank(nano, kind=kind, share=0.4, pictures=pictures[:64])

    assert len(small.layers) >= 4
    assert all(layer.share < 1 and 0 <= layer.error < 1 for layer in small.layers)
    assert multiply_adds(small.recognizer) < multiply_adds(nano)
    for layer in small.layers:
        before, after = (r.network.get_submodule(layer.name) for r in (nano, small.recognizer))
        assert isinstance(after, nn.Sequential)
        assert parameters(after) <= 0.4 * before.weight.numel()


def test_nothing_is_factored_where_that_would_cost_more(nano):
    whole = low_rank(nano, energy=1.0)

    images = np.random.default_rng(0).integers(0, 256, (4, 16, 16, 3), dtype=np.uint8)
    np.testing.assert_allclose(whole.recognizer.logits(images), nano.logits(images), atol=1e-4)
    assert multiply_adds(whole.recognizer) <= multiply_adds(nano)


@pytest.mark.parametrize("kind", ["svd", "spatial", "tucker"])
def test_more_energy_is_less_error_and_more_work(nano, kind):
    rough, fine = (low_rank(nano, kind=kind, energy=energy) for energy in (0.5, 0.8))

    fine_errors = {layer.name: layer.error for layer in fine.layers}
    both = [layer for layer in rough.layers if layer.name in fine_errors]
    assert both
    assert all(fine_errors[layer.name] < layer.error for layer in both)
    assert multiply_adds(rough.recognizer) < multiply_adds(fine.recognizer)
    sides = 2 if kind == "tucker" else 1
    assert all(layer.error <= sides * 0.5 + 1e-9 for layer in rough.layers), "what is cut adds up at most"


def test_what_layers_see_of_pictures_makes_the_answers_better(nano, pictures, test_set):
    images = test_set[0][:300]
    expected = nano.logits(images)

    plain, aware = (
        low_rank(nano, share=0.5, pictures=seen).recognizer.logits(images) for seen in (None, pictures)
    )

    assert np.square(aware - expected).mean() < 0.8 * np.square(plain - expected).mean()


def test_moments_are_those_of_the_inputs(separable, pictures):
    found = input_moments(separable, {"enter": True, "mix": False, "head": False}, pictures[:40])

    seen = {}
    hooks = [
        separable.network.get_submodule(name).register_forward_pre_hook(
            lambda m, i, name=name: seen.__setitem__(name, i[0].detach().double())
        )
        for name in found
    ]
    separable.logits(pictures[:40])
    for hook in hooks:
        hook.remove()
    channels = seen["mix"].movedim(1, -1).flatten(0, 2)
    torch.testing.assert_close(found["mix"], channels.T @ channels / len(channels), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(found["head"], seen["head"].T @ seen["head"] / 40, rtol=1e-4, atol=1e-5)
    weight = separable.network.enter.weight.detach().double()
    outputs = nn.functional.conv2d(seen["enter"], weight, padding=1).square().mean(dim=(0, 2, 3))
    rows = weight.flatten(1)
    torch.testing.assert_close(((rows @ found["enter"]) * rows).sum(1), outputs, rtol=1e-4, atol=1e-5)


def test_moments_follow_strides_and_dilations(separable, pictures):
    conv = nn.Conv2d(3, 5, (3, 2), stride=(2, 3), padding=(1, 0), dilation=(1, 2), bias=False)
    images = pictures[:20]
    one = replace(separable, network=nn.Sequential(conv, nn.Flatten()))

    found = input_moments(one, {"0": True}, images)["0"]

    outputs = torch.from_numpy(one.logits(images)).double().view(len(images), 5, -1)
    rows = conv.weight.detach().double().flatten(1)
    torch.testing.assert_close(
        ((rows @ found) * rows).sum(1), outputs.square().mean(dim=(0, 2)), rtol=1e-4, atol=0
    )


def test_it_exports_and_the_first_one_is_left_alone(nano, pictures):
    before = weights_bytes(nano)

    small = low_rank(nano, kind="tucker", share=0.5, pictures=pictures[:64]).recognizer

    assert weights_bytes(nano) == before
    assert len(graph(small)) < len(graph(nano))


def test_only_the_named_layers_change(nano):
    small = low_rank(nano, share=0.5, layers=["stages.1.refine"])

    assert [layer.name for layer in small.layers] == ["stages.1.refine"]


def test_grouped_convolutions_stay(separable):
    names = {layer.name for layer in low_rank(separable, share=0.3).layers}

    assert "depthwise" not in names
    assert "enter" in names


@pytest.mark.parametrize("model", ["spiking_cnn", "swin_tiny"])
def test_a_layer_stays_whose_weights_another_module_reads(model):
    arguments = {"channels": 3, "classes": 4, "size": 32}
    network = models.architecture(model).build(**arguments).eval()
    preprocess = Preprocess(size=32, channels=3, mean=(0.5,) * 3, std=(0.2,) * 3)
    whole = Recognizer(network, model, arguments, preprocess, tuple("abcd"))

    small = low_rank(whole, share=0.3)

    assert small.layers
    with torch.no_grad():
        assert small.recognizer.network(whole.blank).shape == (1, 4)
    assert not any("qkv" in layer.name or "conv" in layer.name for layer in small.layers)


class Encoder(nn.Module):
    """Patches read by torch's own encoder, whose layer reads the weights of its parts where nobody learns."""

    def __init__(self):
        super().__init__()
        self.patches = nn.Conv2d(3, 32, 8, stride=8)
        self.encoder = nn.TransformerEncoderLayer(32, 4, 128, batch_first=True)
        self.head = nn.Linear(32, 4)

    def forward(self, images):
        return self.head(self.encoder(self.patches(images).flatten(2).transpose(1, 2)).mean(1))


def test_a_layer_of_torch_that_reads_the_weights_of_others_answers_on(separable):
    whole = Recognizer(Encoder().train(), "own", {}, separable.preprocess, tuple("abcd"))
    pictures = np.random.default_rng(0).integers(0, 256, (2, *whole.preprocess.shape), dtype=np.uint8)

    small = low_rank(whole, share=0.25)

    assert whole.network.training, "it is left alone"
    assert small.layers
    assert not any(layer.name.startswith("encoder") for layer in small.layers)
    assert small.recognizer.logits(pictures).shape == (2, 4)


def test_a_network_that_is_one_layer_is_factored(separable):
    one = Recognizer(
        nn.Sequential(nn.Flatten(), nn.Linear(768, 64)), "own", {}, separable.preprocess, ("a",) * 64
    )

    assert low_rank(one, share=0.5).layers[0].kind == "svd"


@pytest.mark.parametrize(
    "wrong",
    [{}, {"energy": 0.9, "share": 0.5}, {"share": 1.0}, {"energy": 0.0}, {"kind": "cp", "energy": 0.9}],
)
def test_what_makes_no_sense_is_refused(nano, wrong):
    with pytest.raises(UsageError):
        low_rank(nano, **wrong)


def test_an_unknown_kind_is_told_with_the_known_ones(nano):
    with pytest.raises(UnknownNameError, match="spatial"):
        low_rank(nano, kind="spacial", share=0.5)
