"""models: promises that every architecture keeps, and what nano is."""

import importlib

import pytest
import torch

from foveal import models
from foveal.core import catalog
from foveal.core.errors import RecipeError
from foveal.models._listing import listing
from foveal.models._outline import outlined
from foveal.models.nano import SIZES, nano
from foveal.train.planning import check_size

NAMES = models.names()
# The cheapest member of each family with several; the only one of every other.
MEMBERS = {
    "cnn": "cnn_gru",
    "conv4": "conv4",
    "convnext": "convnext_atto",
    "densenet": "densenet121",
    "efficientnet": "efficientnet_b0",
    "efficientnet_lite": "efficientnet_lite0",
    "mobilenet_v3": "mobilenet_v3_small",
    "plain": "plain20",
    "resnet": "resnet18",
    "row": "row_gru",
    "shufflenet_v2": "shufflenet_v2_x0_5",
    "swin": "swin_tiny",
    "v4_lif": "v4_lif",
    "vgg": "vgg11_bn",
    "vit": "vit_tiny",
}
CHEAPEST = [MEMBERS.get(name, name) for name in catalog.names(models)] + ["resnet20"]


def test_the_cheapest_members_stand_for_all_files():
    several = {
        name
        for name in catalog.names(models)
        if hasattr(importlib.import_module(f"foveal.models.{name}"), "MEMBERS")
    }

    assert several <= set(MEMBERS)
    assert set(CHEAPEST) <= set(NAMES)


def shape(name, count, channels, size, frames=3):
    """Return the shape of network input: pictures, or for a network of clips, clips."""
    if models.card(name).task == "video":
        return (count, frames, channels, size, size)
    return (count, channels, size, size)


@pytest.mark.parametrize(("channels", "size"), [(1, 32), (5, 64), (3, 224)])
@pytest.mark.parametrize("name", CHEAPEST)
def test_every_variant_gives_one_logit_per_class_for_any_channels(name, channels, size):
    architecture = models.architecture(name)
    if models.card(name).kind == "baseline":
        size = min(size, 96)  # they only shrink the picture further
    for extra in architecture.variants(size):
        with outlined():
            network = architecture.build(channels=channels, classes=4, size=size, **extra).eval()
            assert network(torch.empty(shape(name, 2, channels, size))).shape == (2, 4), extra


@pytest.mark.parametrize("name", CHEAPEST)
def test_it_takes_its_smallest_size_and_what_is_smaller_is_refused(name):
    smallest = models.architecture(name).smallest_size

    with outlined():
        network = models.architecture(name).build(channels=3, classes=4, size=smallest).eval()
        assert network(torch.empty(shape(name, 2, 3, smallest))).shape == (2, 4)
    with pytest.raises(RecipeError, match=f"at least {smallest} pixels") as caught:
        check_size(models.architecture(name), smallest - 1)
    assert caught.value.code == "wrong_size"


@pytest.mark.parametrize("name", CHEAPEST)
def test_an_answer_is_finite_and_does_not_depend_on_the_other_images_of_the_batch(name):
    torch.manual_seed(0)
    architecture = models.architecture(name)
    network = architecture.build(channels=3, classes=4, size=32, **architecture.variants(32)[0]).eval()
    images = torch.randn(shape(name, 4, 3, 32))

    with torch.no_grad():
        together = network(images)
        torch.testing.assert_close(together[:1], network(images[:1]), atol=1e-5, rtol=1e-4)
    assert together.isfinite().all()


@pytest.fixture(scope="module")
def rows():
    return {row["name"]: row for row in listing()}


@pytest.mark.parametrize("name", NAMES)
def test_every_architecture_has_a_card_and_is_listed(name, rows):
    card, row = models.card(name), rows[catalog.spoken(name)]

    assert isinstance(card, models.Card)
    assert (card.kind == "baseline") == (card.fitted_by is not None)
    assert (row["family"], row["summary"]) == (card.family, card.summary)
    assert (row["parameters"] is None) == (card.grows or card.smallest_size > 32)
    if card.kind == "network":
        assert card.idea.endswith(".")
        assert card.idea == row["idea"]


@pytest.mark.parametrize("name", ["nano", "resnet18", "vit_tiny", "logistic"])
def test_what_is_counted_without_numbers_is_what_is_built(name, rows):
    network = models.architecture(name).build(channels=3, classes=10, size=32)

    assert rows[catalog.spoken(name)]["parameters"] == sum(p.numel() for p in network.parameters())


def test_the_list_has_a_row_for_all_of_timm(rows):
    assert rows["timm:NAME"]["parameters"] is None
    assert "thousand" in rows["timm:NAME"]["summary"]


def test_the_first_convolution_of_nano_decorrelates_patches():
    torch.manual_seed(0)
    mixing = torch.randn(3, 3)
    images = torch.einsum("ij,njhw->nihw", mixing, torch.randn(64, 3, 32, 32))
    network = nano(channels=3, classes=2, size=32)

    network.learn_from(images)

    half = network.whiten.out_channels // 2
    with torch.no_grad():
        outputs = network.whiten(images).transpose(0, 1).flatten(1)[:half]
    covariance = torch.cov(outputs)
    torch.testing.assert_close(covariance, torch.eye(half), atol=0.1, rtol=0.0)
    assert not network.whiten.weight.requires_grad


def test_the_sizes_of_nano_grow():
    counts = [
        sum(p.numel() for p in nano(channels=3, classes=10, size=32, **arguments).parameters())
        for arguments in SIZES
    ]

    assert counts == sorted(counts)
    assert len(set(counts)) == len(counts)


def test_the_row_of_timm_says_what_its_card_says(rows):
    row, said = rows["timm:NAME"], models.card("timm:resnet18")

    for name in ("family", "kind", "smallest_size", "source", "idea", "summary"):
        assert row[name] == getattr(said, name), name
