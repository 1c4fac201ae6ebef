"""A patch for each picture: where it lies, what it begins as, and when it is done."""

import numpy as np
import pytest
import torch

from foveal.perturb.attacks.laying import side_of
from foveal.perturb.attacks.patches.local_patch import local_patch

HEIGHT, WIDTH, SHARE = 14, 22, 0.06
SIDE = side_of(SHARE, HEIGHT, WIDTH)  # 4


def seeded():
    return torch.Generator().manual_seed(0)


class Corner:
    """Of class 0 while one block looks as it should; that answer comes in steps, so it has no slope.

    All pixels have one, a bait elsewhere the steepest, and with these is nothing to win.
    """

    def __init__(self, block, is_there):
        self.block, self.is_there, self.sizes = block, is_there, []

    def __call__(self, pixels):
        self.sizes.append(len(pixels))
        there = self.is_there(pixels[:, :, *self.block]).float().mean(dim=(1, 2, 3))
        bait = (pixels[:, :, 6:8, 6:8].mean(dim=(1, 2, 3)) + pixels.mean(dim=(1, 2, 3))) / 1e4
        return torch.stack([there - 0.5 + bait, -bait], dim=1)


PLACES = {
    "top left": (slice(0, SIDE), slice(0, SIDE)),
    "bottom right": (slice(HEIGHT - SIDE, HEIGHT), slice(WIDTH - SIDE, WIDTH)),
    "bottom left": (slice(HEIGHT - SIDE, HEIGHT), slice(0, SIDE)),
    "top right": (slice(0, SIDE), slice(WIDTH - SIDE, WIDTH)),
}


def within_one_square(changed):
    for one in changed:
        rows, columns = one.any(dim=1).nonzero(), one.any(dim=0).nonzero()
        assert rows.max() - rows.min() < SIDE
        assert columns.max() - columns.min() < SIDE


@pytest.mark.parametrize("clear", [0.0, np.inf])
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    ("shows", "is_there"),
    [
        (250.0, lambda block: block > 200),  # black or grey hides it
        (10.0, lambda block: block < 60),  # grey or white
        (100.0, lambda block: block < 200),  # white alone
        (100.0, lambda block: (block < 120) & (block > -1) | (block > 160)),  # grey alone
        (100.0, lambda block: block > 40),  # black alone
    ],
)
def test_what_hides_the_one_part_that_matters_is_found_where_no_gradient_shows_it(
    place, shows, is_there, clear
):
    block = PLACES[place]
    network = Corner(block, is_there)
    images = torch.full((3, 3, HEIGHT, WIDTH), 90.0)
    images[:, :, *block] = shows

    found = local_patch(
        network, images, torch.zeros(3, dtype=int), share=SHARE, steps=3, generator=seeded(), clear=clear
    )

    assert (network(found).argmax(dim=1) == 1).all()
    changed = (found != images).any(dim=1)
    within_one_square(changed)
    assert changed[:, *block].flatten(1).float().mean(dim=1).gt(0.5).all()


def test_where_a_slope_leads_no_place_is_searched_and_no_empty_batch_is_asked():
    """Everything falls to the first start; networks of users may not take an empty batch."""
    sizes = []

    def logits(pixels):
        sizes.append(len(pixels))
        assert len(pixels) > 0
        score = pixels[:, :, 3:7, 3:7].mean(dim=(1, 2, 3)) - 128
        return torch.stack([score, -score], dim=1)

    images = torch.full((4, 3, HEIGHT, WIDTH), 140.0)

    found = local_patch(logits, images, torch.zeros(4, dtype=int), share=SHARE, steps=8, generator=seeded())

    assert (logits(found).argmax(dim=1) == 1).all()
    assert len(sizes) <= 1 + 9 + 1


def test_only_a_gradient_wins_against_a_pattern_and_the_best_of_all_steps_is_kept():
    """Stripes turn it; no plain square does. The search for places must not take what was won back."""

    def logits(pixels):
        stripes = (pixels[:, :, 4:8, 4:8:2] - pixels[:, :, 4:8, 5:8:2]).mean(dim=(1, 2, 3))
        return torch.stack([torch.full_like(stripes, 60.0), stripes], dim=1)

    images = torch.full((2, 3, HEIGHT, WIDTH), 100.0)

    found = local_patch(logits, images, torch.zeros(2, dtype=int), share=SHARE, steps=10, generator=seeded())

    assert (logits(found).argmax(dim=1) == 1).all()
    within_one_square((found != images).any(dim=1))


@pytest.mark.parametrize("wanted", [20.0, 90.0, 128.0, 170.0])
def test_of_all_that_was_tried_the_least_margin_counts(wanted):
    """Long steps jump over what is looked for, so that neither the last step nor the last start is best."""
    seen = []

    def logits(pixels):
        off = (pixels[:, :, 3:7, 3:7].mean(dim=(1, 2, 3)) - wanted).abs()
        uneven = pixels[:, :, 3:7, 3:5].mean(dim=(1, 2, 3)) - pixels[:, :, 3:7, 5:7].mean(dim=(1, 2, 3))
        margin = 1 + off + (uneven - 31).abs()  # no plain square has the least
        seen.append(margin.detach())
        return torch.stack([margin, torch.zeros_like(margin)], dim=1)

    images = torch.full((1, 3, HEIGHT, WIDTH), 250.0)

    found = local_patch(logits, images, torch.zeros(1, dtype=int), share=SHARE, steps=5, generator=seeded())

    least = torch.cat(seen).min()
    assert logits(found)[0, 0] == pytest.approx(float(least))
    assert seen[6] > least, "the last step of the first start"


@pytest.mark.parametrize("clear", [0.0, 40.0, 90.0])
def test_it_goes_on_until_the_network_is_as_wrong_as_was_asked_and_then_stops(clear):
    def logits(pixels):
        score = pixels[:, :, 3:7, 3:7].mean(dim=(1, 2, 3)) - 128
        return torch.stack([score, -score], dim=1) / 2

    images = torch.full((3, 3, HEIGHT, WIDTH), 200.0)

    found = local_patch(
        logits, images, torch.zeros(3, dtype=int), share=SHARE, steps=30, generator=seeded(), clear=clear
    )

    wrong = logits(found).diff(dim=1)[:, 0]
    assert (wrong > clear).all()
    assert (wrong < clear + 70).all(), "about one of the long first steps further"


def test_with_infinity_the_clearest_counts_and_what_is_misread_is_searched_no_further():
    network = Corner(PLACES["top left"], lambda block: block > 200)
    images = torch.full((2, 3, HEIGHT, WIDTH), 90.0)
    images[0, :, *network.block] = 250.0  # the other one is misread as it is

    found = local_patch(
        network, images, torch.zeros(2, dtype=int), share=SHARE, steps=2, generator=seeded(), clear=np.inf
    )

    assert (network(found).argmax(dim=1) == 1).all()
    searching = network.sizes[1 + 3 : -4]
    assert len(searching) > 50
    assert set(searching) == {1}


def test_the_search_is_bounded_however_small_the_patch():
    network = Corner((slice(0, 1), slice(0, 1)), lambda block: block > -1)  # nothing turns it
    images = torch.full((1, 1, 96, 96), 90.0)

    local_patch(network, images, torch.zeros(1, dtype=int), share=0.0002, steps=1, generator=seeded())

    assert len(network.sizes) <= 1 + 2 + 17 * 17 * 3 + 2
