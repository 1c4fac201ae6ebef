"""What is said of features: against other implementations, and in the cases where the answer is known."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from torch import nn

from foveal.data.preprocess import Preprocess
from foveal.train.examples import Examples
from foveal.train.probes import Labelled, Prober, effective_rank, fitted_planes, spread, vote

PREPROCESS = Preprocess(size=8, channels=3, mean=(0.5,) * 3, std=(0.25,) * 3)


@pytest.fixture
def blobs():
    generator = torch.Generator().manual_seed(0)
    centres = 1.5 * torch.randn(4, 6, generator=generator)
    labels = torch.arange(200) % 4
    return centres[labels] + torch.randn(200, 6, generator=generator), labels


def test_the_vote_is_that_of_weighted_neighbours(blobs) -> None:
    features, labels = blobs
    known, asked = features[:120], features[120:]
    theirs = KNeighborsClassifier(
        n_neighbors=20, metric="cosine", weights=lambda distance: np.exp((1 - distance) / 0.1)
    ).fit(known.numpy(), labels[:120].numpy())
    assert vote(known, labels[:120], asked, classes=4).tolist() == theirs.predict(asked.numpy()).tolist()


def test_the_planes_are_those_of_logistic_regression(blobs) -> None:
    features, labels = blobs
    known, asked = features[:120], features[120:]
    scale, mean = torch.std_mean(known, dim=0)
    theirs = LogisticRegression(C=0.01, max_iter=1000).fit(
        ((known - mean) / scale).numpy(), labels[:120].numpy()
    )
    said = fitted_planes(known, labels[:120], asked, classes=4)
    right = theirs.predict(((asked - mean) / scale).numpy())
    assert (said.numpy() == right).mean() > 0.97


def test_a_feature_that_never_changes_spoils_nothing(blobs) -> None:
    features, labels = blobs
    flat = torch.cat([features, torch.full((200, 1), 3.0)], dim=1)
    said = [fitted_planes(one[:120], labels[:120], one[120:], classes=4) for one in (features, flat)]
    assert torch.equal(*said)


def test_the_scale_of_the_features_changes_no_answer(blobs) -> None:
    """A deep network that has learned nothing yet gives numbers around 1e-9: they are compared with."""
    features, labels = blobs
    said = [fitted_planes(s * features[:120], labels[:120], s * features[120:], classes=4) for s in (1, 1e-9)]
    assert (said[0] == said[1]).float().mean() > 0.98


def test_features_that_are_all_alike_are_no_error(blobs) -> None:
    _, labels = blobs
    assert fitted_planes(torch.ones(120, 6), labels[:120], torch.ones(80, 6), classes=4).shape == (80,)


class TestCollapse:
    def test_one_feature_for_all_has_neither_spread_nor_rank(self) -> None:
        same = torch.randn(1, 32, generator=torch.Generator().manual_seed(0)).expand(100, 32)
        assert spread(same) == pytest.approx(0, abs=1e-5)
        assert effective_rank(same) == pytest.approx(1, abs=1e-6)

    def test_even_directions_have_spread_1_and_full_rank(self) -> None:
        even = torch.randn(4000, 16, generator=torch.Generator().manual_seed(0))
        assert spread(even) == pytest.approx(1, abs=0.02)
        assert effective_rank(even) == pytest.approx(16, abs=0.1)

    def test_directions_in_a_plane_have_rank_2(self) -> None:
        generator = torch.Generator().manual_seed(0)
        plane = torch.randn(1000, 2, generator=generator) @ torch.randn(2, 32, generator=generator)
        assert effective_rank(plane) == pytest.approx(2, abs=0.1)

    def test_neither_depends_on_the_scale(self, blobs) -> None:
        features, _ = blobs
        assert spread(1e3 * features) == pytest.approx(spread(features), rel=1e-4)
        assert effective_rank(1e-3 * features) == pytest.approx(effective_rank(features), rel=1e-6)


class _Dull(nn.Module):
    def __init__(self, noise: float) -> None:
        super().__init__()
        self.noise = noise

    def forward(self, images):
        return torch.ones(len(images), 16) + self.noise * images.flatten(1)[:, :16]


@pytest.fixture
def prober():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (80, 8, 8, 3), dtype=np.uint8)
    labels = np.arange(80) % 2
    images[labels == 1, :, :, 0] //= 4
    known, asked = np.arange(60), np.arange(60, 80)
    labelled = Labelled(Examples(images, labels, known), Examples(images, labels, asked), ("a", "b"))
    return Prober(Examples(images, labels, known), PREPROCESS, labelled)


def test_a_collapsed_network_is_called_so(prober) -> None:
    assert prober.of(_Dull(1e-4)).collapsed
    assert not prober.of(_Dull(10.0)).collapsed


def test_without_labels_collapse_is_still_seen(prober) -> None:
    alone = Prober(prober.pictures, PREPROCESS)
    probe = alone.of(_Dull(1e-4))
    assert probe.collapsed
    assert probe.knn is None
    assert probe.as_json()["knn"] is None


def test_pixels_are_asked_as_well_and_shares_have_intervals(prober) -> None:
    probe = prober.of_pixels()
    assert probe.linear is not None
    assert probe.linear.n == 20
    assert probe.linear.low < probe.linear.value <= probe.linear.high
    assert probe.linear.value > 0.8


def test_a_probe_leaves_the_network_and_all_randomness_as_they_were(prober) -> None:
    network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Dropout(0.5), nn.Flatten()).train()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    torch.manual_seed(3)
    drawn = torch.rand(3)
    torch.manual_seed(3)
    prober.of(network)
    assert torch.equal(torch.rand(3), drawn)
    assert network.training
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())
