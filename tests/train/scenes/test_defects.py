"""train.scenes.objectives.defects: what a batch shows, how hard negatives come back, the loss of places."""

import numpy as np
import pytest
import torch

from foveal.data.preprocess import Preprocess
from foveal.data.scene import VOID
from foveal.models.defects.surface import surface
from foveal.train.examples import Examples
from foveal.train.plan import Plan
from foveal.train.scenes.objectives.defects import (
    Defects,
    DefectTruth,
    cropped,
    how_often,
    place_loss,
    seen_labels,
)
from foveal.train.scenes.planning import CHANGES
from foveal.train.scenes.synthetic_defects import with_defects

SIDE, COUNT = 32, 20
LABELS = np.array([0] * 12 + [1] * 6 + [2] * 2, np.int64)


def made(objective: str = "defects", labels: np.ndarray = LABELS) -> tuple[Defects, Examples, Plan]:
    torch.manual_seed(0)
    classes = 3 if objective == "defects" else 2
    arguments = {"channels": 1, "classes": classes, "size": [SIDE, SIDE], "widths": [8] * 4, "tower": 8}
    preprocess = Preprocess(size=SIDE, width=SIDE, resize="letterbox", channels=1, mean=(0.5,), std=(0.2,))
    plan = Plan(
        model="surface", arguments=arguments, images=COUNT, steps=100, batch_size=8, learning_rate=0.1,
        weight_decay=0.0, label_smoothing=0.0, ema_share=0.1, precision="fp32", objective=objective,
        augmentation=dict.fromkeys(CHANGES, 0.0), seed=0, threads=1, step_seconds=0.0,
    )  # fmt: skip
    maps = np.zeros((COUNT, SIDE, SIDE), np.uint8)
    maps[:, 8:16, 8:16] = labels[:, None, None]
    images = np.random.default_rng(0).integers(0, 256, (COUNT, SIDE, SIDE, 1)).astype(np.uint8)
    taught = Defects(surface(**arguments), DefectTruth(maps, labels), preprocess=preprocess, plan=plan)
    return taught, Examples(images, labels, np.arange(COUNT, dtype=np.int64)), plan


@pytest.mark.parametrize(("name", "known"), [("efficientnet_lite0", True), ("efficientnet_lite0", False)])
def test_of_known_weights_only_the_coarsest_map_learns_on(name: str, known: bool) -> None:
    _, _, plan = made()
    network = surface(channels=1, classes=3, size=[SIDE, SIDE], tower=8, backbone=name)
    if known:
        network.backbone.take(dict(network.backbone.named.state_dict()))
    truth = DefectTruth(np.zeros((COUNT, SIDE, SIDE), np.uint8), LABELS)
    preprocess = Preprocess(size=SIDE, width=SIDE, resize="letterbox", channels=1, mean=(0.5,), std=(0.2,))

    Defects(network, truth, preprocess=preprocess, plan=plan)

    held, learning = network.backbone.maps.blocks[:5], network.backbone.maps.blocks[5:]
    assert all(one.requires_grad != known for one in held.parameters())
    assert all(one.requires_grad for one in learning.parameters())


def test_half_of_a_batch_is_good_and_the_same_step_draws_the_same() -> None:
    objective, examples, plan = made()

    first, again = (objective.draw(examples, plan, 3) for _ in range(2))

    assert (first.labels == 0).sum() == 4
    assert torch.equal(first.rows, again.rows)
    assert len(set(first.rows[:4].tolist())) == 4
    assert not torch.equal(first.rows, objective.draw(examples, plan, 4).rows)
    np.testing.assert_array_equal(first.images.numpy(), examples.images[first.rows])


@pytest.mark.parametrize(("labels", "expected"), [(LABELS * 0, 0), (LABELS * 0 + 1, 1)])
def test_a_batch_is_whole_where_only_one_half_is_there(labels: np.ndarray, expected: int) -> None:
    objective, examples, plan = made(labels=labels)

    assert objective.draw(examples, plan, 0).labels.tolist() == [expected] * 8


def test_good_pictures_that_looked_defective_come_more_often() -> None:
    objective, examples, plan = made()
    objective.looked[:] = 0.0
    objective.looked[5] = 1.0

    drawn = np.concatenate([objective.draw(examples, plan, step).rows.numpy() for step in range(60)])
    times = np.bincount(drawn, minlength=COUNT)

    assert times[5] > 2 * times[[0, 1, 2, 3, 4, 6]].mean()
    assert times[:12].min() > 0, "what looks good is not forgotten"


def test_rare_kinds_come_nearly_as_often_as_frequent_ones() -> None:
    often = how_often(torch.from_numpy(LABELS))

    shares = [float(often[kind == LABELS].sum()) for kind in (1, 2)]
    assert 1 < shares[0] / shares[1] < 6 / 2
    assert often[LABELS == 2][0] > often[LABELS == 1][0]


def test_a_step_remembers_how_its_good_pictures_looked_and_saves_it() -> None:
    objective, examples, plan = made()
    batch = objective.draw(examples, plan, 0)
    good = batch.rows[batch.labels == 0]

    losses = objective(batch)
    losses.loss.backward()

    assert losses.counted == 8
    assert bool((objective.looked[good] < 1).all())
    untouched = [row for row in range(COUNT) if row not in good.tolist()]
    assert bool((objective.looked[untouched] == 1).all())
    assert torch.equal(objective.state_dict()["looked"], objective.looked)


def test_what_a_view_shows_decides_what_it_is_called() -> None:
    before = torch.zeros(5, 8, 8, dtype=torch.uint8)
    before[:4, :4, :4] = 1
    before[4] = VOID
    after = before.long()
    after[1] = 0  # moved out of the frame
    after[2, :, 1:] = 0  # 4 of 16 pixels are left
    after[3, 1:] = 0
    after[3, 0, 1:] = 0  # 1 of 16

    found = seen_labels(torch.tensor([1, 1, 1, 1, 1]), before, after, torch.ones(5))

    assert found.tolist() == [1, 0, 1, -100, 1]
    assert seen_labels(torch.zeros(1).long(), before[:1] * 0, after[:1] * 0, torch.ones(1)).tolist() == [0]


def test_parts_of_larger_pictures_show_their_defect_or_are_good() -> None:
    objective, examples, plan = made()
    batch = objective.draw(examples, plan, 0)
    maps = torch.from_numpy(objective.maps[batch.rows.numpy()])
    maps[-1] = VOID  # nobody knows where

    cut, parts = cropped(batch, maps, 12)

    assert cut.images.shape[1:3] == parts.shape[1:] == (12, 12)
    for row in range(len(parts)):
        whole = batch.images[row].unfold(0, 12, 1).unfold(1, 12, 1)[:, :, 0]
        there = (whole == cut.images[row, :, :, 0]).flatten(2).all(2).nonzero()
        assert len(there) == 1
        top, left = there[0].tolist()
        assert torch.equal(parts[row], maps[row, top : top + 12, left : left + 12])
    shown = ((parts > 0) & (parts < VOID)).flatten(1).any(1)
    assert torch.equal(cut.labels[:-1], torch.where(shown[:-1], batch.labels[:-1], 0))
    assert cut.labels[-1] == -100
    assert bool(shown[4:-1].any())
    assert cropped(batch, maps, 0)[0] is cropped(batch, maps, SIDE)[0] is batch


def test_the_loss_of_places_is_that_of_the_places_of_which_something_is_said() -> None:
    maps = torch.zeros(1, 16, 16, dtype=torch.int64)
    maps[:, 4:8, 4:8] = 1
    right = torch.zeros(1, 2, 4, 4)
    right[:, 1] = -20.0
    right[:, 1, 1, 1] = 20.0
    half = maps.clone()
    half[:, :, 8:] = VOID
    worse = right.clone()
    worse[:, 1, :, 3] = 20.0

    def loss(places: torch.Tensor, said: torch.Tensor) -> float:
        return float(place_loss(places, said, torch.ones(2)))

    assert loss(worse, half) == pytest.approx(loss(right, half), abs=0.5)
    assert loss(worse, maps) > loss(right, maps) + 1
    assert loss(right, maps * 0 + VOID) == 0.0


def test_the_overlap_does_not_care_how_much_is_good() -> None:
    small = torch.zeros(1, 16, 16, dtype=torch.int64)
    small[:, 4:8, 4:8] = 1
    large = torch.zeros(1, 64, 64, dtype=torch.int64)
    large[:, 4:8, 4:8] = 1

    nothing = torch.tensor([0.0, -9.0])[None, :, None, None]
    losses = [
        float(place_loss(nothing.expand(1, 2, side, side), maps, torch.ones(2)))
        for side, maps in ((4, small), (16, large))
    ]

    assert all(loss > 0.9 for loss in losses), "nothing found costs as much, however large the picture is"


def test_made_up_defects_change_what_they_mark_and_nothing_else() -> None:
    images = torch.randn(24, 1, 48, 40, generator=torch.Generator().manual_seed(1))
    inside = torch.ones(24, 48, 40, dtype=torch.bool)
    inside[:, 40:] = False

    changed, marked = with_defects(images, inside, torch.Generator().manual_seed(0))
    again, _ = with_defects(images, inside, torch.Generator().manual_seed(0))

    differs = (changed != images).any(1)
    assert torch.equal(changed, again)
    assert not bool((differs & ~inside).any())
    assert not bool((differs & ~marked)[marked.flatten(1).any(1)].any())
    assert marked.flatten(1).any(1).float().mean() > 0.7
    assert 0.0 < marked.float().mean() < 0.4
    assert bool(changed.isfinite().all())


def test_of_made_up_ones_only_good_pictures_are_shown() -> None:
    objective, examples, plan = made("synthetic", (LABELS > 0).astype(np.int64))

    batch = objective.draw(examples, plan, 0)
    _, maps, labels = objective.views(batch)

    assert batch.labels.tolist() == [0] * 8
    assert labels[::2].tolist() == [0] * 4
    assert int(labels.sum()) >= 2
    assert torch.equal((maps == 1).flatten(1).any(1).long(), labels)


def test_what_is_stated_of_defects_does_not_change_what_made_up_ones_teach() -> None:
    losses = []
    for kind in (1, 0):
        labels = (LABELS > 0).astype(np.int64)
        objective, examples, plan = made("synthetic", labels)
        objective.maps[12:] = kind  # masks of the defective ones
        examples.images[12:] = 255 * kind
        losses.append(objective(objective.draw(examples, plan, 0)).loss.item())

    assert losses[0] == losses[1]
