"""Families: as many weights as published, and weights of theirs fit where the docstring says so."""

import warnings

import pytest
import timm
import torch
import torchvision

from foveal import models
from foveal.models._outline import outlined

# Parameters at 224 pixels (inception_v3 299) and 1,000 classes: torchvision's and timm's documentation; of
# the ConvNeXts below tiny, timm's; auxiliary classifiers apart, which have 6,379,984 and 3,326,696 more.
PUBLISHED = {
    "alexnet": 61_100_840,
    "vgg11": 132_863_336, "vgg13": 133_047_848, "vgg16": 138_357_544, "vgg19": 143_667_240,
    "vgg11_bn": 132_868_840, "vgg13_bn": 133_053_736, "vgg16_bn": 138_365_992, "vgg19_bn": 143_678_248,
    "googlenet": 6_624_904,
    "inception_v3": 27_161_264 - 3_326_696,
    "resnet18": 11_689_512, "resnet34": 21_797_672, "resnet50": 25_557_032, "resnet101": 44_549_160,
    "resnet152": 60_192_808,
    "mobilenet_v2": 3_504_872, "mobilenet_v3_small": 2_542_856, "mobilenet_v3_large": 5_483_032,
    "shufflenet_v2_x0_5": 1_366_792, "shufflenet_v2": 2_278_604, "shufflenet_v2_x1_5": 3_503_624,
    "shufflenet_v2_x2_0": 7_393_996,
    "efficientnet_b0": 5_288_548, "efficientnet_b1": 7_794_184, "efficientnet_b2": 9_109_994,
    "efficientnet_b3": 12_233_232, "efficientnet_b4": 19_341_616, "efficientnet_b5": 30_389_784,
    "efficientnet_b6": 43_040_704, "efficientnet_b7": 66_347_960,
    "densenet121": 7_978_856, "densenet161": 28_681_000, "densenet169": 14_149_480,
    "densenet201": 20_013_928,
    "convnext_tiny": 28_589_128, "convnext_small": 50_223_688, "convnext_base": 88_591_464,
    "swin_tiny": 28_288_354, "swin_small": 49_606_258, "swin_base": 87_768_224,
    "vit_tiny": 5_717_416, "vit_small": 22_050_664, "vit_base": 86_567_656,
}  # fmt: skip
# Of the thin ResNets the paper counts millions, for 10 classes: table 6.
PAPER = {"resnet20": 0.27, "resnet32": 0.46, "resnet44": 0.66, "resnet56": 0.85, "resnet110": 1.7}
THEIRS = {
    "alexnet": "alexnet", "vgg11_bn": "vgg11_bn", "mobilenet_v3_small": "mobilenet_v3_small",
    "shufflenet_v2_x0_5": "shufflenet_v2_x0_5", "efficientnet_b0": "efficientnet_b0",
    "densenet121": "densenet121", "convnext_tiny": "convnext_tiny", "swin_tiny": "swin_t",
    "googlenet": "googlenet", "inception_v3": "inception_v3",
}  # fmt: skip
ANY_SIZE = ("mobilenet_v3_small", "shufflenet_v2_x0_5", "efficientnet_b0", "inception_v3")


def count(network):
    return sum(p.numel() for p in network.parameters())


def build(name, *, classes=1000, size=224, **extra):
    with outlined():
        return models.architecture(name).build(channels=3, classes=classes, size=size, **extra)


@pytest.mark.parametrize("name", PUBLISHED)
def test_it_has_as_many_parameters_as_published(name):
    assert count(build(name, size=299 if name == "inception_v3" else 224)) == PUBLISHED[name]


@pytest.mark.parametrize("name", PAPER)
def test_a_plain_net_has_as_many_as_the_paper_says_and_a_thin_resnet_two_convolutions_more(name):
    plain = count(build(name.replace("resnet", "plain"), classes=10, size=32))

    assert plain / 1e6 == pytest.approx(PAPER[name], abs=0.05 if name == "resnet110" else 0.005)
    more = 16 * 32 + 32 * 64 + 2 * (32 + 64)  # 1×1 in the place of shortcuts without weights, and their norms
    assert count(build(name, classes=10, size=32)) == plain + more


@pytest.mark.parametrize(("name", "added"), [("googlenet", 6_379_984), ("inception_v3", 3_326_696)])
def test_auxiliary_classifiers_are_torchvision_s_and_no_part_of_the_network(name, added):
    network = build(name)

    assert isinstance(network, models.HasAuxiliary)
    with outlined():
        assert sum(count(judge) for judge in network.auxiliary().values()) == added
    assert 0 < network.auxiliary_share < 1


def theirs(name):
    with torch.device("meta"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # their advice to set the initialization
        return torchvision.models.get_model(THEIRS[name], weights=None)


def shapes(weights):
    """Return what a strict load compares: every name with its shape."""
    return {name: tuple(tensor.shape) for name, tensor in weights.items()}


@pytest.mark.parametrize("name", THEIRS)
def test_torchvision_s_weights_fit_strictly(name):
    weights = {k: v for k, v in theirs(name).state_dict().items() if not k.lower().startswith("aux")}

    for size in (32, 224) if name in ANY_SIZE else (224,):
        assert shapes(build(name, size=size).state_dict()) == shapes(weights)


def test_timm_s_weights_fit_the_vision_transformers_strictly():
    with torch.device("meta"):
        weights = timm.create_model("vit_tiny_patch16_224", pretrained=False).state_dict()

    assert shapes(build("vit_tiny").state_dict()) == shapes(weights)


@pytest.mark.parametrize("name", ["atto", "femto", "pico", "nano"])
def test_the_small_convnexts_are_of_the_published_size(name):
    with torch.device("meta"):
        published = timm.create_model(f"convnextv2_{name}", pretrained=False, use_grn=False)

    # timm's smallest layers leave out the scale that each block ends with: one number per channel.
    assert count(build(f"convnext_{name}")) == pytest.approx(count(published), rel=0.002)


@pytest.mark.parametrize(
    ("name", "size", "side"),
    [
        ("googlenet", 32, 4), ("googlenet", 64, 4), ("googlenet", 224, 7),
        ("densenet121", 32, 4), ("densenet121", 224, 7),
        ("shufflenet_v2_x0_5", 32, 4), ("shufflenet_v2_x0_5", 64, 4), ("shufflenet_v2_x0_5", 224, 7),
        ("mobilenet_v3_small", 32, 4), ("efficientnet_b0", 32, 4), ("efficientnet_b0", 224, 7),
        ("convnext_atto", 32, 4), ("convnext_atto", 64, 4), ("convnext_atto", 224, 7),
        ("inception_v3", 299, 8),
    ],
)  # fmt: skip
def test_the_last_maps_are_between_four_and_eight_pixels_wide(name, size, side):
    network, maps = build(name, size=size).eval(), []

    def note(module, given, result):
        if result.ndim == 4 and result.shape[-1] > 1:  # what gates channels looks at one pixel
            maps.append(result.shape[-1])

    for module in network.modules():
        module.register_forward_hook(note)
    network(torch.empty(1, 3, size, size, device="meta"))

    assert maps[-1] == side
