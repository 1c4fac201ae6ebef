"""Proposals: what is judged is what lies there, changed windows mean the same, and boards are learned."""

import numpy as np
import pytest
import torch
from PIL import Image

from boards import KINDS, board, seen, with_defects
from foveal.calibrate.objects import found_of
from foveal.core.errors import RecipeError
from foveal.data.pair import layered
from foveal.data.preprocess import Preprocess
from foveal.metrics._found import Truth
from foveal.metrics.match import match
from foveal.metrics.mean_average_precision import mean_average_precision
from foveal.models.detectors import candidates as model
from foveal.models.detectors.candidates import SIDE, STEP, boxes_at, candidates
from foveal.tasks.detect.learn import Selection, answers
from foveal.tasks.recognizer import Recognizer
from foveal.train.examples import Examples
from foveal.train.loop import fetch, fit
from foveal.train.plan import Plan
from foveal.train.scenes._windows import Changes, Meant, meant, sampled
from foveal.train.scenes.annotations import Boxes
from foveal.train.scenes.objectives.proposals import proposals
from foveal.train.scenes.planning import CHANGES

SHAPE = (160, 160)
UNIT = {"mean": (0.4, 0.4, 0.05), "std": (0.3, 0.3, 0.1)}
STILL = dict.fromkeys(CHANGES, 0.0)
MOVED = {**STILL, "flip": 1.0, "upside_down": 1.0, "turn": 1.0, "zoom": 0.1, "color": 0.2}


def preprocess(**changes) -> Preprocess:
    return Preprocess(
        size=160, width=160, resize="letterbox", channels=3, **UNIT, **{"pair": "registered", **changes}
    )


def drawn(count: int, seed: int = 0):
    """Return pairs at model size, with the boxes and labels of their defects."""
    rng = np.random.default_rng(seed)
    images, boxes, labels = [], [], []
    for _ in range(count):
        clean = board(rng)
        defective, lines = with_defects(clean, rng)
        images.append(layered(seen(defective, rng)[:, :, None], Image.fromarray(seen(clean, rng))))
        cells = [line.split() for line in lines]
        boxes.append(np.array([cell[:4] for cell in cells], np.float32).reshape(-1, 4))
        labels.append(np.array([KINDS.index(cell[4]) for cell in cells], np.int64))
    return np.stack(images), boxes, labels


def normalized(images) -> torch.Tensor:
    raw = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255
    return (raw - torch.tensor(UNIT["mean"])[:, None, None]) / torch.tensor(UNIT["std"])[:, None, None]


def plan(steps: int, images: int, augmentation) -> Plan:
    return Plan(
        model="candidates", arguments={"classes": 2}, images=images, steps=steps, batch_size=8,
        optimizer="muon", learning_rate=0.1, weight_decay=1e-3, warm_up_share=0.03, label_smoothing=0.0,
        ema_share=0.1, precision="fp32", augmentation=augmentation, objective="proposals", seed=0,
        threads=1, step_seconds=0.0,
    )  # fmt: skip


def network(**arguments):
    torch.manual_seed(0)
    return candidates(channels=3, classes=2, size=list(SHAPE), **{"count": 16, **arguments})


def test_every_defect_is_proposed_among_the_first() -> None:
    images, boxes, _ = drawn(12)

    middles = network().proposed(normalized(images)).numpy()

    for places, some in zip(middles, boxes, strict=True):
        near = (places[:, None] >= some[:, :2]) & (places[:, None] <= some[:, 2:])
        assert near.all(2).any(0).all()


def test_edges_of_one_pixel_are_not_proposed_before_a_defect() -> None:
    pair = np.zeros((1, *SHAPE, 3), np.uint8)
    pair[0, 40, :, 2] = 255  # a whole line that lies one pixel off
    pair[0, 96:101, 96:101, 2] = 90  # and a faint small defect

    first = network(count=1).proposed(normalized(pair))[0, 0]

    assert (first - 98.5).abs().max() <= STEP


def test_where_nothing_differs_places_are_taken_in_their_order() -> None:
    same = np.full((1, *SHAPE, 3), 90, np.uint8)
    same[..., 2] = 0

    middles = network(count=3).proposed(normalized(same))[0]

    assert middles.tolist() == [[4.0, 4.0], [12.0, 4.0], [20.0, 4.0]]


def test_windows_that_did_not_change_are_those_of_the_file() -> None:
    images = normalized(drawn(2)[0])
    made = network()
    middles = made.proposed(images)
    still = torch.eye(2).repeat(middles.shape[:2].numel(), 1, 1)

    shown = sampled(images, middles.flatten(0, 1), still).flatten(1, 2)

    torch.testing.assert_close(made.windows(images, middles), shown, atol=1e-4, rtol=1e-4)


def test_a_window_is_centred_on_its_place_at_both_scales() -> None:
    images = torch.zeros(1, 3, *SHAPE)
    images[:, :, 84 - 2 : 84 + 2, 52 - 2 : 52 + 2] = 1.0
    windows = network().windows(images, torch.tensor([[[52.0, 84.0]]]).expand(1, 16, 2))

    for scale in windows[0].chunk(2):
        rows, columns = scale[0].sum(1), scale[0].sum(0)
        steps = torch.arange(SIDE) + 0.5
        assert float((rows * steps).sum() / rows.sum()) == pytest.approx(SIDE / 2)
        assert float((columns * steps).sum() / columns.sum()) == pytest.approx(SIDE / 2)


@pytest.mark.parametrize("seed", range(4))
def test_boxes_move_with_their_windows(seed: int) -> None:
    rng = np.random.default_rng(seed)
    images = torch.zeros(1, 3, *SHAPE)
    box = torch.tensor([64.0, 76.0, 80.0, 92.0])
    images[:, :, 76:92, 64:80] = 1.0
    middle = torch.tensor([[72.0, 84.0]]) + torch.from_numpy(rng.uniform(-3, 3, (1, 2))).float()
    changes = Changes.drawn(1, MOVED, torch.Generator().manual_seed(seed))
    before = Meant(box[None] - middle.repeat(1, 2), torch.tensor([0]), torch.ones(1, 2, dtype=torch.bool))

    window = sampled(images, middle + changes.shift, changes.matrix)[0, 0, 0]
    moved = changes.targets(before).boxes[0] / model.SCALES[0] + SIDE / 2

    inside = (window > 0.5).nonzero()
    low, high = inside.amin(0).flip(0), inside.amax(0).flip(0) + 1
    torch.testing.assert_close(moved, torch.cat([low, high]).float(), atol=1.0, rtol=0)


def test_a_proposal_means_the_nearest_defect_around_it() -> None:
    truth = Boxes.of([np.array([[0, 0, 40, 40], [30, 30, 50, 50]], np.float32)], [np.array([0, 1], np.int64)])
    middles = torch.tensor([[[10.0, 10.0], [38.0, 38.0], [53.0, 45.0], [90.0, 90.0]]])

    found = meant(middles, truth, 2)

    assert found.labels.tolist() == [0, 1, 1, -1]
    assert found.boxes[1].tolist() == [-8, -8, 12, 12]
    assert found.asked.all()


def test_nothing_is_asked_inside_of_what_is_ignored() -> None:
    truth = Boxes.of(
        [np.array([[0, 0, 40, 40]], np.float32)], [np.array([1], np.int64)], ignored=[np.array([True])]
    )

    found = meant(torch.tensor([[[10.0, 10.0], [80.0, 80.0]]]), truth, 2)

    assert found.labels.tolist() == [-1, -1]
    assert found.asked.tolist() == [[True, False], [True, True]]


def test_answers_are_boxes_around_their_middles() -> None:
    where = torch.tensor([[0.0, 0.0, 0.0, 0.0], [0.25, -0.5, float(np.log(2)), 0.0]])

    boxes = boxes_at(torch.tensor([[50.0, 60.0], [50.0, 60.0]]), where)

    torch.testing.assert_close(boxes, torch.tensor([[34.0, 44, 66, 76], [26, 28, 90, 60]]))


def test_the_same_draws_give_the_same_windows_and_none_leaves_pictures_as_they_are() -> None:
    images, boxes, labels = drawn(8)
    truth = Boxes.of(boxes, labels)
    examples = Examples(images, np.zeros(8, np.int64), np.arange(8), np.arange(8))
    changed, still = (
        proposals(network(dropout=0.0), truth, preprocess=preprocess(), plan=plan(4, 8, how))
        for how in (MOVED, STILL)
    )

    with torch.no_grad():
        losses = [float(changed(fetch(examples, plan(4, 8, MOVED), 0)).loss) for _ in range(2)]
        batch = fetch(examples, plan(4, 8, STILL), 0)
        plain = still.loss_of(normalized(images[batch.rows]), truth.rows(batch.rows))
        losses.append(float(still(batch).loss))

    assert losses[0] == losses[1]
    assert losses[2] == pytest.approx(float(plain), rel=1e-4)


def test_pictures_without_a_template_are_refused() -> None:
    with pytest.raises(RecipeError, match="have none"):
        proposals(network(), Boxes.of([], []), preprocess=preprocess(pair=None), plan=plan(1, 8, STILL))


def test_defects_of_boards_are_learned() -> None:
    images, boxes, labels = drawn(24)
    made = plan(60, 24, MOVED)
    examples = Examples(images, np.zeros(24, np.int64), np.arange(24), np.arange(24))
    learning = proposals(network(), Boxes.of(boxes, labels), preprocess=preprocess(), plan=made)

    fitted = fit(learning, examples, made)

    judging = network().eval()
    judging.load_state_dict(fitted.weights)
    recognizer = Recognizer(judging, "candidates", {}, preprocess(), KINDS, "detect")
    unseen, there, kinds = drawn(12, seed=1)
    found = found_of(answers(recognizer, unseen, Selection(objects=20)))
    truths = [
        Truth(some, names, np.zeros(len(names), bool)) for some, names in zip(there, kinds, strict=True)
    ]
    assert mean_average_precision(match(found, truths, classes=2, ious=[0.5])).mean > 0.9
