"""models: promises that every architecture keeps, and what nano is."""

import pytest
import torch

from foveal import models
from foveal.core import catalog
from foveal.models._listing import listing
from foveal.models.nano import SIZES, nano

NAMES = models.names()


def pictures(name, count, channels, size, frames=3):
    """Return random network input: pictures, or for a network of clips, clips."""
    shape = (count, channels, size, size)
    if models.card(name).task == "video":
        shape = (count, frames, *shape[1:])
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("size", [28, 32, 64, 224])
@pytest.mark.parametrize("channels", [1, 3, 5])
@pytest.mark.parametrize("name", NAMES)
def test_every_architecture_gives_one_logit_per_class(name, channels, size):
    network = models.architecture(name).build(channels=channels, classes=4, size=size)

    logits = network.eval()(torch.zeros_like(pictures(name, 2, channels, size)))

    assert logits.shape == (2, 4)
    assert logits.isfinite().all()


@pytest.mark.parametrize("name", NAMES)
def test_an_answer_does_not_depend_on_the_other_images_of_the_batch(name):
    torch.manual_seed(0)
    network = models.architecture(name).build(channels=3, classes=4, size=32).eval()
    images = pictures(name, 4, 3, 32)

    with torch.no_grad():
        torch.testing.assert_close(network(images)[:1], network(images[:1]), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_every_architecture_has_a_card_and_is_listed(name):
    card = models.card(name)

    (row,) = [row for row in listing() if row["name"] == catalog.spoken(name)]

    assert isinstance(card, models.Card)
    network = models.architecture(name).build(channels=3, classes=10, size=32)
    counted = sum(p.numel() for p in network.parameters())
    assert row["parameters"] == (None if card.grows else counted)
    assert (card.kind == "baseline") == (card.fitted_by is not None)
    assert row["family"] == card.family


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
