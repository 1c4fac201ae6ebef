"""Turns and tiles: that they are what they say, and that no edge, border or brightness tells them."""

from dataclasses import replace

import pytest
import torch

from foveal.train.loop import fit
from foveal.train.objective import Batch
from foveal.train.pretexts.jigsaw import ORDERS, tiles
from foveal.train.pretexts.rotation import turned


@pytest.fixture
def picture():
    return torch.randn(6, 3, 16, 16, generator=torch.Generator().manual_seed(0))


class TestRotation:
    def test_turns_are_exact_and_all_four_are_there(self, picture) -> None:
        views = turned(picture)
        assert len(views) == 4
        for number, view in enumerate(views):
            assert torch.equal(view.rot90(-number, (2, 3)), picture)

    def test_all_turns_of_a_picture_are_in_one_batch(self, started, batch) -> None:
        losses = started("rotation").eval()(batch(8))
        assert losses.counted == 32

    def test_a_border_of_the_file_does_not_tell_the_turn(self, examples, planned, started, batch) -> None:
        """Pictures of noise with a mark in one corner of the file: only their border could tell.

        The mark of two pixels is cropped away in most views, so what is learned stays far from certain.
        """
        images = torch.from_numpy(examples.images.copy()).random_(
            0, 200, generator=torch.Generator().manual_seed(0)
        )
        images[:, 0, :8] = 255
        marked = replace(examples, images=images.numpy())
        objective = started("rotation")
        fit(objective, marked, planned("rotation").model_copy(update={"steps": 60}))
        rows = torch.arange(64)
        generator = torch.Generator().manual_seed(9)
        asked = Batch(images[:64], rows * 0, rows, rows * 0, 0.9, generator)
        cropped = replace(asked, images=images[:64, 2:-2, 2:-2].contiguous())
        small = objective.eval()
        small.preprocess = small.preprocess.model_copy(update={"size": 12})
        with torch.no_grad():
            right = small(cropped)
        assert right.correct / right.counted < 0.45  # a quarter is chance

    def test_what_is_upright_is_learned(self, examples, planned, started, batch) -> None:
        objective = started("rotation")
        fit(objective, examples, planned("rotation").model_copy(update={"steps": 80}))
        with torch.no_grad():
            told = objective.eval()(batch(64, seed=5))
        assert told.correct / told.counted > 0.6


class TestJigsaw:
    def test_orders_are_all_there_are(self) -> None:
        assert len({tuple(order) for order in ORDERS.tolist()}) == 24
        assert ORDERS.sort(dim=1).values.tolist() == [[0, 1, 2, 3]] * 24

    def test_tiles_come_from_their_quarters_and_do_not_touch(self) -> None:
        where = torch.arange(256.0).reshape(1, 1, 16, 16).expand(4, 1, 16, 16)
        place = torch.stack([where // 16, where % 16], dim=1).reshape(4, 2, 16, 16)
        cut = tiles(place + 0.0, gap=0.25, generator=torch.Generator().manual_seed(0))
        assert cut.shape == (4, 4, 2, 6, 6)
        # Values were normalized, but a tile still rises by equal steps; a lost edge would not.
        assert torch.allclose(cut.mean(dim=(2, 3, 4)), torch.zeros(4, 4), atol=1e-5)

    def test_no_brightness_tells_the_place(self, picture) -> None:
        brighter = picture.clone()
        brighter[:, :, :8, :8] = 3 * brighter[:, :, :8, :8] + 5
        first = tiles(picture, gap=0.25, generator=torch.Generator().manual_seed(0))
        second = tiles(brighter, gap=0.25, generator=torch.Generator().manual_seed(0))
        torch.testing.assert_close(first, second, rtol=1e-2, atol=1e-2)

    def test_where_a_tile_is_cut_changes_from_draw_to_draw(self, picture) -> None:
        first = tiles(picture, gap=0.25, generator=torch.Generator().manual_seed(0))
        second = tiles(picture, gap=0.25, generator=torch.Generator().manual_seed(1))
        assert not torch.allclose(first, second)
        none = [tiles(picture, gap=0.0, generator=torch.Generator().manual_seed(seed)) for seed in (0, 1)]
        assert torch.equal(*none)

    def test_the_network_sees_one_tile_at_a_time(self, started, batch) -> None:
        objective, shapes = started("jigsaw").eval(), []
        objective.network.register_forward_hook(lambda _m, given, _o: shapes.append(given[0].shape))
        objective(batch(8))
        [shape] = shapes
        assert shape[0] == 32
        assert shape[-1] == objective.side
        # No tile knows its place: the same tile gets the same features wherever it lies.
        tile = torch.randn(1, 3, objective.side, objective.side)
        features = objective.network(tile.expand(4, -1, -1, -1).contiguous())
        assert torch.allclose(features[0], features[3], atol=1e-6)
