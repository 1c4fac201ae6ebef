"""explain.white_box.grad_cam: equals what can be worked out by hand, and works for any network."""

import numpy as np
import pytest
import torch
from torchvision.models import resnet18

from foveal.core.errors import UnknownNameError, UsageError
from foveal.explain.white_box.grad_cam import grad_cam
from foveal.tasks.recognizer import Recognizer


def test_a_linear_network_has_the_map_that_is_worked_out_by_hand(by_hand, noise):
    image = noise()
    red, green = image[..., 0] / 255, image[..., 1] / 255

    # The logit of "red" is the mean of red: its slope is 1/1024 at each place of that channel, 0 at others.
    np.testing.assert_allclose(grad_cam(by_hand, image, 0), red / 1024, rtol=1e-5)
    np.testing.assert_allclose(grad_cam(by_hand, image, 1), green / 1024, rtol=1e-5)


def test_what_speaks_against_a_class_is_left_out(by_hand, noise):
    by_hand.network.head.weight.data = torch.tensor([[1.0, -1.0], [0.0, 1.0]])
    image = noise()

    found = grad_cam(by_hand, image, 0)

    difference = (image[..., 0].astype(float) - image[..., 1]) / 255 / 1024
    np.testing.assert_allclose(found, np.maximum(difference, 0), atol=1e-9)
    assert (found == 0).any()


def test_nano_with_its_maxima_has_a_map_for_every_layer(nano, noise):
    last = grad_cam(nano, noise(), 1)
    early = grad_cam(nano, noise(), 1, layer="stages.0")

    assert last.shape == (3, 3)
    assert early.shape == (15, 15)
    assert last.dtype == np.float32
    assert last.max() > 0
    assert np.array_equal(last, grad_cam(nano, noise(), 1, layer="stages.2"))


def test_a_network_of_torchvision_has_one_and_is_left_as_it_was(noise):
    torch.manual_seed(0)
    network = resnet18(num_classes=3).eval()
    from foveal.data.preprocess import Preprocess

    preprocess = Preprocess(size=64, channels=3, mean=(0.5,) * 3, std=(0.25,) * 3)
    recognizer = Recognizer(network, "resnet18", {}, preprocess, ("a", "b", "c"))
    before = {name: value.clone() for name, value in network.state_dict().items()}

    found = grad_cam(recognizer, noise(size=64), 2)

    assert found.shape == (2, 2)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert all(parameter.grad is None for parameter in network.parameters())
    assert not any(module._forward_hooks for module in network.modules())


def test_a_layer_without_places_is_refused_with_those_that_have_some(nano, noise):
    with pytest.raises(UnknownNameError, match=r"nano has no 'head'\. It has: .*stages\.0"):
        grad_cam(nano, noise(), 0, layer="head")


def test_a_network_without_places_is_refused(by_hand, noise):
    flat = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(32 * 32 * 3, 2))

    with pytest.raises(UsageError, match="flat has no layer with height and width"):
        grad_cam(Recognizer(flat, "flat", {}, by_hand.preprocess, ("a", "b")), noise(), 0)
