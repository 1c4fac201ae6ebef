"""export.objects_graph: the file of a detector finds what the network finds, whatever there is to find."""

import numpy as np
import onnxruntime
import pytest
import torch

from foveal import models
from foveal.bundle.engines.onnxruntime import onnxruntime as session_of
from foveal.core import catalog
from foveal.core.errors import UsageError
from foveal.data.preprocess import Preprocess
from foveal.export.objects_graph import objects_graph, with_scores
from foveal.export.objects_parity import compare_objects
from foveal.models import detectors
from foveal.models.detectors.point import point
from foveal.tasks.detect.decode import ObjectAnswers, checked
from foveal.tasks.detect.learn import Selection, answers
from foveal.tasks.recognizer import Recognizer

CLASSES = ("a", "b", "c")
SMALL = {"widths": [16, 16, 16, 16], "depths": [0, 0, 0, 0], "tower": 16}


def recognizer(sides=(64, 96), *, spread: float = 1.5, bias: float = -2.0, classes=CLASSES) -> Recognizer:
    """A detector with random answers: many of them, of all classes, some close to each other."""
    torch.manual_seed(0)
    network = point(channels=3, classes=len(classes), size=list(sides), **SMALL)
    torch.nn.init.normal_(network.outputs[0].weight, std=spread)
    torch.nn.init.constant_(network.outputs[0].bias, bias)
    torch.nn.init.normal_(network.outputs[1].weight, std=0.3)
    preprocess = Preprocess(
        size=sides[0], width=sides[1], resize="letterbox", channels=3, mean=(0.5,) * 3, std=(0.25,) * 3
    )
    return Recognizer(network.eval(), "point", {}, preprocess, tuple(classes), "detect")


def pictures(made: Recognizer, count: int, seed: int = 0):
    return np.random.default_rng(seed).integers(0, 256, (count, *made.preprocess.shape), dtype=np.uint8)


def asked(model: bytes, images, classes=3) -> ObjectAnswers:
    session = session_of(model, threads=1)
    return checked(session.answer(images), len(images), classes=classes)


@pytest.mark.parametrize("sides", [(64, 96), (32, 32), (96, 160)])
@pytest.mark.parametrize("overlap", [0.6, 0.3, None])
def test_the_file_finds_what_the_network_finds(sides, overlap) -> None:
    made, selection = recognizer(sides), Selection(objects=50, overlap=overlap)
    model = objects_graph(made, selection)

    for count in (1, 3):
        images = pictures(made, count, seed=count)
        found, wanted = asked(model, images), answers(made, images, selection)
        np.testing.assert_allclose(found.scores, wanted.scores, atol=1e-5)
        parity = compare_objects([(wanted, found)], np.array([0.3, 0.3, 0.3], np.float32))
        assert parity.clear_flips == 0
        assert parity.decision_flips.value == 0


# All that need no weights to be built but `point`; tests/flows/test_rt_detr.py has the other.
FAMILIES = [name for name in catalog.names(detectors) if name not in ("point", "rt_detr")]


@pytest.fixture(scope="module", params=FAMILIES)
def family(request):
    """A detector of each family with random answers, and its file."""
    architecture, sides = models.architecture(request.param), (64, 96)
    torch.manual_seed(0)
    network = architecture.build(
        channels=3, classes=len(CLASSES), size=list(sides), **architecture.variants(sides[0])[0]
    )
    network.train()
    with torch.no_grad():
        for layer in network.outputs:
            torch.nn.init.normal_(layer.weight, std=0.02)  # boxes stay where something is to compare
        torch.nn.init.zeros_(network.outputs[0].bias)
        network.candidates(torch.randn(16, 3, *sides))  # statistics of what normalizes
    preprocess = Preprocess(
        size=sides[0], width=sides[1], resize="letterbox", channels=3, mean=(0.5,) * 3, std=(0.25,) * 3
    )
    made = Recognizer(network.eval(), request.param, {}, preprocess, CLASSES, architecture.task)
    return made, objects_graph(made, Selection(objects=40))


@pytest.mark.parametrize("count", [1, 2, 7])
def test_the_file_of_each_family_finds_what_its_network_finds(family, count: int) -> None:
    made, model = family
    images = pictures(made, count, seed=count)

    found, wanted = asked(model, images), answers(made, images, Selection(objects=40))

    assert wanted.scores[:, 0].min() > 0.05
    assert (found.masks is None) == (wanted.masks is None) == (made.task == "detect")
    parity = compare_objects([(wanted, found)], np.full(3, 0.02, np.float32))
    assert parity.images == count
    assert parity.decision_flips.value == 0
    assert parity.max_abs_difference < 1e-4


def test_where_a_family_finds_nothing_its_file_finds_nothing(family) -> None:
    made, model = family

    found = asked(with_scores(model, scale=1.0, shift=-60.0), pictures(made, 2))

    assert found.scores.max() == 0
    assert found.boxes.shape == (2, 40, 4)


def test_pictures_with_nothing_on_them_give_nothing() -> None:
    made = recognizer(bias=-40.0, spread=0.0)
    model = objects_graph(made, Selection(objects=20))
    images = pictures(made, 2)

    found = asked(model, images)

    assert found.scores.max() == 0
    assert found.boxes.shape == (2, 20, 4)
    assert (
        compare_objects([(answers(made, images, Selection(objects=20)), found)], np.full(3, 0.5)).clear_flips
        == 0
    )


@pytest.mark.parametrize(
    ("objects", "lost", "verdict"), [(499, 1, "fail"), (1000, 1, "pass"), (1000, 2, "fail")]
)
def test_one_object_of_a_thousand_may_be_dropped_by_the_last_bit(objects, lost, verdict) -> None:
    left = np.arange(objects, dtype=np.float32)[None, :] * 20
    boxes = np.stack([left, left * 0, left + 10, left * 0 + 10], axis=2)
    whole = ObjectAnswers(boxes, np.full((1, objects), 0.9, np.float32), np.zeros((1, objects), np.int64))
    scores = np.where(np.arange(objects) < lost, 0, whole.scores).astype(np.float32)

    parity = compare_objects([(whole, whole._replace(scores=scores))], np.array([0.5], np.float32))

    assert parity.clear_flips == lost
    assert parity.gate().verdict == verdict


def test_more_objects_than_there_are_places_are_padded() -> None:
    made = recognizer((32, 32))  # 16 places, three classes
    model = objects_graph(made, Selection(objects=1000, overlap=None))

    found = asked(model, pictures(made, 2))

    assert found.scores.shape == (2, 1000)
    assert (found.scores[:, 48:] == 0).all()
    assert (found.boxes[:, 48:] == 0).all()


def test_one_class_is_enough() -> None:
    made = recognizer(classes=("only",))
    selection = Selection(objects=30)

    found = asked(objects_graph(made, selection), pictures(made, 2), classes=1)

    np.testing.assert_allclose(found.scores, answers(made, pictures(made, 2), selection).scores, atol=1e-5)


def test_no_two_answers_of_a_class_overlap_by_more_than_allowed() -> None:
    from torchvision.ops import box_iou

    made = recognizer()
    found = asked(objects_graph(made, Selection(objects=100, overlap=0.4)), pictures(made, 3))

    for row in range(3):
        for label in range(3):
            mine = torch.from_numpy(found.boxes[row][(found.labels[row] == label) & (found.scores[row] > 0)])
            near = box_iou(mine, mine).fill_diagonal_(0)
            assert (near <= 0.4 + 1e-5).all()


def test_what_lies_outside_of_the_picture_is_no_answer() -> None:
    made = recognizer()
    torch.nn.init.constant_(made.network.outputs[1].bias, -5.06)  # around a tenth of a pixel
    with torch.no_grad():
        made.network.outputs[1].weight.mul_(10)
    images, selection = pictures(made, 2), Selection(objects=200, overlap=None)

    found, wanted = asked(objects_graph(made, selection), images), answers(made, images, selection)

    sides = (found.boxes[..., 2:] - found.boxes[..., :2]).min(-1)
    assert (sides[found.scores > 0] > 0.1).all()
    assert 0 < (found.scores > 0).sum() < found.scores.size
    np.testing.assert_allclose(found.scores, wanted.scores, atol=1e-5)


def test_other_scores_keep_the_order() -> None:
    made, selection = recognizer(), Selection(objects=40)
    plain = objects_graph(made, selection)
    images = pictures(made, 2)

    found = asked(with_scores(plain, scale=0.5, shift=0.7), images)

    wanted = answers(made, images, Selection(objects=40, scale=0.5, shift=0.7))
    np.testing.assert_allclose(found.scores, wanted.scores, atol=1e-5)
    assert (np.diff(found.scores, axis=1) <= 0).all()


def test_boxes_stay_inside_of_the_picture() -> None:
    made = recognizer()

    found = asked(objects_graph(made, Selection()), pictures(made, 2))

    assert found.boxes.min() >= 0
    assert (found.boxes[..., [0, 2]] <= 96).all()
    assert (found.boxes[..., [1, 3]] <= 64).all()


def test_a_detector_gives_no_picture_a_class() -> None:
    made = recognizer()
    session = session_of(objects_graph(made, Selection(objects=5)), threads=1)

    assert session.classes is None
    with pytest.raises(UsageError, match="gives no picture a class"):
        session.run(pictures(made, 1))


def test_parity_sees_an_object_that_only_one_side_finds() -> None:
    made, selection = recognizer(), Selection(objects=30)
    images = pictures(made, 2)
    wanted = answers(made, images, selection)
    moved = ObjectAnswers(wanted.boxes.copy(), wanted.scores, wanted.labels)
    moved.boxes[0, 0] = (0, 0, 3, 3)

    limit = wanted.scores[0, 0] - 0.01  # only the best is an object

    parity = compare_objects([(wanted, moved)], np.full(3, limit, np.float32))

    assert parity.clear_flips == 2
    assert parity.gate().verdict == "fail"


def test_the_only_free_side_is_the_number_of_pictures() -> None:
    made = recognizer()
    session = onnxruntime.InferenceSession(objects_graph(made, Selection(objects=7)))

    assert [node.shape[1:] for node in session.get_outputs()] == [[7, 4], [7], [7]]
    assert session.get_inputs()[0].shape[1:] == [64, 96, 3]


def test_where_nothing_is_found_nothing_was_compared() -> None:
    none = ObjectAnswers(
        np.zeros((2, 5, 4), np.float32), np.zeros((2, 5), np.float32), np.zeros((2, 5), np.int64)
    )

    parity = compare_objects([(none, none)], np.array([0.5], np.float32))

    flips = parity.decision_flips
    assert (flips.n, flips.low, flips.high, parity.images) == (0, 0.0, 1.0, 2)
