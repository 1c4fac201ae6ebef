"""Architectures of torchvision: the same names and numbers, and a stem that small pictures survive."""

import pytest
import torch
import torchvision
from torch import nn

from foveal import models

# Parameters for 1,000 classes, from torchvision's documentation; and the name of the last layer.
KNOWN = {
    "resnet18": (11_689_512, "fc"),
    "resnet50": (25_557_032, "fc"),
    "resnet101": (44_549_160, "fc"),
    "mobilenet_v2": (3_504_872, "classifier.1"),
}


def build(name, **arguments):
    return models.architecture(name).build(**{"channels": 3, "classes": 10, "size": 224, **arguments})


@pytest.mark.parametrize("name", KNOWN)
def test_parameters_are_as_many_as_torchvision_says(name):
    network = build(name, classes=1000)

    assert sum(p.numel() for p in network.parameters()) == KNOWN[name][0]


@pytest.mark.parametrize("name", KNOWN)
def test_weights_trained_with_torchvision_fit_apart_from_the_head(name):
    torch.manual_seed(0)
    theirs = getattr(torchvision.models, name)().eval()
    head, ours = KNOWN[name][1], build(name).eval()
    own = {key: value for key, value in ours.state_dict().items() if key.startswith(head)}

    ours.load_state_dict({**theirs.state_dict(), **own}, strict=True)

    set_head(theirs, head, ours.get_submodule(head))
    images = torch.randn(2, 3, 224, 224)
    with torch.no_grad():
        torch.testing.assert_close(ours(images), theirs(images))


def set_head(network, name, layer):
    parent, _, last = name.rpartition(".")
    setattr(network.get_submodule(parent), last, layer)


@pytest.mark.parametrize("name", KNOWN)
@pytest.mark.parametrize(("size", "side"), [(32, 4), (45, 6), (46, 3), (64, 4), (90, 6), (91, 3), (224, 7)])
def test_the_last_maps_are_between_three_and_seven_pixels_wide(name, size, side):
    network = build(name, size=size).eval()
    seen = []
    last = network.layer4 if name.startswith("resnet") else network.features
    last.register_forward_hook(lambda module, given, result: seen.append(result.shape[-1]))

    with torch.no_grad():
        network(torch.zeros(1, 3, size, size))

    assert seen == [side]


@pytest.mark.parametrize("name", KNOWN)
def test_a_coarser_stem_has_the_same_weights_but_for_its_first_filters_and_is_faster(name):
    architecture = models.architecture(name)

    strides = [extra["stem_stride"] for extra in architecture.variants(32)]

    assert strides == [4, 2, 1]
    assert [extra["stem_stride"] for extra in architecture.variants(224)] == [4]
    shapes = [
        {k: v.shape for k, v in build(name, size=32, stem_stride=stride).state_dict().items()}
        for stride in strides
    ]
    different = {k for k in shapes[0] if len({shape[k] for shape in shapes}) > 1}
    assert different <= {"conv1.weight"}


@pytest.mark.parametrize("name", KNOWN)
def test_statistics_follow_a_short_run(name):
    momenta = {m.momentum for m in build(name).modules() if isinstance(m, nn.BatchNorm2d)}

    assert momenta == {0.3}


@pytest.mark.parametrize("name", ["resnet18", "resnet50", "resnet101"])
def test_every_block_starts_as_the_identity(name):
    last = "bn2" if name == "resnet18" else "bn3"

    assert not any(build(name).layer2[1].get_submodule(last).weight)


@pytest.mark.parametrize("name", KNOWN)
def test_the_first_filters_are_as_large_for_any_number_of_channels(name):
    def deviation(channels):
        torch.manual_seed(0)
        return float(next(build(name, channels=channels).parameters()).detach().std())

    assert deviation(1) == pytest.approx(deviation(3), rel=0.1)


@pytest.mark.parametrize("size", [16, 17, 32, 33, 45, 64, 224])
def test_no_stem_of_efficientnet_that_is_offered_leaves_maps_of_one_pixel(size):
    architecture, sides = models.architecture("efficientnet_b0"), []

    for arguments in architecture.variants(size):
        network = architecture.build(channels=1, classes=2, size=size, **arguments).eval()
        network.features.register_forward_hook(lambda module, given, maps: sides.append(maps.shape[-1]))
        with torch.no_grad():
            network(torch.zeros(1, 1, size, size))

    assert sides
    assert min(sides) > 1
