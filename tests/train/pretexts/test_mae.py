"""Restoring hidden patches: what the network sees, what it is asked about, and what must not tell it."""

import copy

import pytest
import torch
from tests.train.pretexts.conftest import PREPROCESS

from foveal import models
from foveal.core.errors import UsageError
from foveal.models._head import without_head
from foveal.train import pretext
from foveal.train.pretexts._restorers import MapRestorer, TokenRestorer, seen_tokens
from foveal.train.pretexts.mae import hidden_places, joined, normalized, patches

MODELS = ["nano", "vit_tiny"]


@pytest.fixture
def picture():
    return torch.randn(5, 3, 16, 16, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("side", [1, 2, 4, 8])
def test_patches_can_be_put_together_again(side, picture) -> None:
    cut = patches(picture, side)
    assert cut.shape == (5, (16 // side) ** 2, 3 * side**2)
    assert torch.equal(joined(cut, side, across=16 // side), picture)


def test_what_does_not_divide_is_left_out() -> None:
    assert patches(torch.zeros(1, 3, 17, 17), 4).shape == (1, 16, 48)


def test_equally_many_places_are_hidden_and_others_in_each_picture() -> None:
    hidden = hidden_places(64, 16, 0.75, torch.Generator().manual_seed(0))
    assert hidden.sum(dim=1).tolist() == [12] * 64
    assert len({tuple(row) for row in hidden.tolist()}) > 60
    torch.testing.assert_close(hidden.float().mean(dim=0), torch.full((16,), 0.75), rtol=0, atol=0.2)


def test_each_wanted_patch_has_mean_0_and_deviation_1(picture) -> None:
    wanted = normalized(patches(picture, 4))
    torch.testing.assert_close(wanted.mean(dim=-1), torch.zeros(5, 16), rtol=0, atol=1e-5)
    torch.testing.assert_close(wanted.std(dim=-1), torch.ones(5, 16), rtol=0, atol=1e-2)


def test_a_transformer_computes_only_what_it_sees(picture) -> None:
    network = models.architecture("vit_tiny").build(channels=3, classes=2, size=16).eval()
    lengths = []
    network.blocks[0].register_forward_hook(lambda _m, given, _o: lengths.append(given[0].shape[1]))
    places = network.patch_embed.num_patches
    seen = torch.arange(places)[None, ::4].expand(5, -1)
    tokens = seen_tokens(network, picture, seen)
    assert lengths == [seen.shape[1] + network.num_prefix_tokens]
    assert tokens.shape[:2] == seen.shape


def test_a_transformer_that_sees_everything_computes_what_it_always_does(picture) -> None:
    network = models.architecture("vit_tiny").build(channels=3, classes=2, size=16).eval()
    everything = torch.arange(network.patch_embed.num_patches)[None].expand(5, -1)
    with torch.no_grad():
        whole = network.forward_features(picture)[:, network.num_prefix_tokens :]
        torch.testing.assert_close(seen_tokens(network, picture, everything), whole, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("model", MODELS)
class TestHiddenAndSeen:
    def test_hidden_pixels_change_no_prediction(self, model, started, picture) -> None:
        objective = started("mae", model=model).eval()
        side = objective.restore.patch
        places = patches(picture, side).shape[1]
        hidden = hidden_places(5, places, 0.6, torch.Generator().manual_seed(0))
        noise = patches(torch.randn_like(picture), side)
        other = joined(torch.where(hidden[..., None], noise, patches(picture, side)), side, across=16 // side)
        with torch.no_grad():
            first = objective.restore(objective.network, picture, hidden)
            second = objective.restore(objective.network, other, hidden)
        assert not torch.equal(picture, other)
        assert torch.equal(first, second)

    def test_seen_pixels_do_change_it(self, model, started, picture) -> None:
        objective = started("mae", model=model).eval()
        places = patches(picture, objective.restore.patch).shape[1]
        hidden = hidden_places(5, places, 0.6, torch.Generator().manual_seed(0))
        with torch.no_grad():
            first = objective.restore(objective.network, picture, hidden)
            second = objective.restore(objective.network, picture.flip(3), hidden)
        assert not torch.allclose(first, second)

    def test_the_loss_is_of_hidden_patches_alone(self, model, started, batch, monkeypatch) -> None:
        """What the network says of patches that it saw is not asked, so the loss does not change with it."""
        objective = started("mae", model=model).eval()
        right = objective(batch()).loss
        answer = objective.restore.forward

        def spoiled(network, images, hidden):
            return torch.where(hidden[..., None], answer(network, images, hidden), 1e6)

        monkeypatch.setattr(objective.restore, "forward", spoiled)
        assert torch.equal(objective(batch()).loss, right)

    def test_a_picture_shows_the_true_values_where_nothing_was_hidden(self, model, started, batch) -> None:
        objective = started("mae", model=model).eval()
        covered, restored = objective.restored(batch())
        side = objective.restore.patch
        cut, full = patches(covered, side), patches(restored, side)
        hidden = (cut == 0).all(dim=-1)
        assert 0.4 < hidden.float().mean() < 0.9
        assert torch.equal(cut[~hidden], full[~hidden])
        assert not torch.equal(cut[hidden], full[hidden])


@pytest.mark.parametrize("size", [33, 50, 63])
@pytest.mark.parametrize("model", ["nano", "resnet20"])
def test_pictures_of_any_size_are_restored(model, size) -> None:
    """What does not divide into patches is cut off, and the maps are smaller then."""
    network = without_head(models.architecture(model).build(channels=1, classes=2, size=size))
    restore = MapRestorer(network, channels=1, size=size, patch=size // 8)
    pictures = torch.zeros(2, 1, size, size)
    wanted = patches(pictures, size // 8)
    hidden = torch.zeros(wanted.shape[:2], dtype=torch.bool)
    assert restore(network, pictures, hidden).shape == wanted.shape


def test_a_network_without_maps_is_told_so(examples, planned) -> None:
    plan = planned("mae").model_copy(
        update={"model": "row_gru", "arguments": {"channels": 3, "classes": 2, "size": 16}}
    )
    with pytest.raises(UsageError, match="no maps") as raised:
        pretext.start(plan, models.architecture("row_gru"), examples, PREPROCESS)
    assert raised.value.code == "no_maps"


def test_what_restores_is_small_beside_a_transformer() -> None:
    network = models.architecture("vit_tiny").build(channels=3, classes=2, size=16)
    count = {
        one: sum(p.numel() for p in one.parameters()) for one in (network, TokenRestorer(network, channels=3))
    }
    whole, part = count.values()
    assert part < 0.1 * whole
    assert copy.deepcopy(network) is not network
