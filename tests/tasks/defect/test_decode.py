"""tasks.defect.decode: what is wrong where on the picture that was given."""

import numpy as np
import pytest
from pydantic import ValidationError

from foveal.core.errors import BundleError
from foveal.data.preprocess import Preprocess
from foveal.tasks.defect.decode import DefectAnswers, DefectDecision, checked, decode, kinds_at, original

PREPROCESS = Preprocess(size=64, width=96, resize="letterbox", channels=3, mean=(0.5,) * 3, std=(0.2,) * 3)
RULE = DefectDecision(thresholds=(3.0, 30.0), usual=(1.0, 10.0), n=7)
CLASSES = ("good", "scratch", "hole")


def seen(maps: np.ndarray, size: tuple[int, int]):
    answers = DefectAnswers(np.array([2.5], np.float32), maps[None].astype(np.float32))
    told = {"classes": CLASSES, "decision": RULE, "preprocess": PREPROCESS}
    [one] = decode(answers, **told, sources=["x"], sizes=[size])
    return one


def test_heat_has_the_same_unit_for_every_kind() -> None:
    maps = np.array([[[0, 1, 2, 3, 5]], [[0, 10, 20, 30, 50]]], np.float32)

    heat = RULE.heat(maps)

    np.testing.assert_allclose(heat, [[[0, 0, 0.5, 1, 2]]] * 2)
    assert kinds_at(heat).tolist() == [[0, 0, 0, 1, 1]]


def test_a_place_shows_the_kind_that_is_furthest_above_its_threshold() -> None:
    maps = np.array([[[3.5, 0.0, 9.0]], [[90.0, 31.0, 10.0]]], np.float32)

    assert kinds_at(RULE.heat(maps)).tolist() == [[2, 2, 1]]


@pytest.mark.parametrize("size", [(64, 96), (128, 192), (320, 480), (200, 120)])
def test_a_defect_lies_where_it_is_on_the_picture(size) -> None:
    height, width = PREPROCESS.fitted(*size)
    maps = np.zeros((2, 64, 96))
    maps[0, : height // 2, : width // 4] = 9.0  # so sure that its edges hardly move
    maps[:, height:] = maps[:, :, width:] = 99.0  # grey, outside of the picture

    found = seen(maps, size)

    truth = np.zeros(size, np.uint8)
    truth[: size[0] // 2, : size[1] // 4] = 1
    assert (found.regions != truth).mean() < 0.03
    assert found.areas == {"scratch": (found.regions == 1).mean(), "hole": 0.0}
    assert found.heat.shape == size
    assert (found.heat >= 1).tolist() == (found.regions > 0).tolist()
    assert found.heat.max() == pytest.approx(4.0)


def test_maps_of_few_cells_are_interpolated_between_their_middles() -> None:
    preprocess = PREPROCESS.model_copy(update={"size": 64, "width": 64})

    whole = original(np.array([[[0.0, 4.0]]], np.float32), (64, 64), preprocess)

    np.testing.assert_allclose(whole[0, 5, [0, 16, 31, 32, 63]], [0, 0.0625, 1.9375, 2.0625, 4], atol=1e-5)


def test_json_has_the_score_and_the_kinds() -> None:
    document = seen(np.zeros((2, 4, 6)), (20, 30)).as_json()

    assert document == {
        "source": "x",
        "width": 30,
        "height": 20,
        "score": 2.5,
        "areas": {"scratch": 0.0, "hole": 0.0},
    }


@pytest.mark.parametrize(
    ("thresholds", "usual"), [((1.0,), (1.0,)), ((1.0,), (2.0,)), ((2.0, 2.0), (1.0,)), ((np.nan,), (0.0,))]
)
def test_what_is_shown_lies_above_what_is_usual(thresholds, usual) -> None:
    with pytest.raises(ValidationError):
        DefectDecision(thresholds=thresholds, usual=usual, n=1)


@pytest.mark.parametrize(
    ("scores", "maps"),
    [
        (np.zeros(1), np.zeros((1, 2, 4, 4))),
        (np.zeros(2), np.zeros((2, 1, 4, 4))),
        (np.zeros((2, 1)), np.zeros((2, 2, 4, 4))),
        (np.zeros(2), np.zeros((2, 2, 0, 4))),
        (np.array([0, np.inf]), np.zeros((2, 2, 4, 4))),
        (np.zeros(2), np.full((2, 2, 4, 4), np.nan)),
    ],
)
def test_what_are_no_defects_is_refused(scores, maps) -> None:
    good = {"scores": np.zeros(2, np.float32), "maps": np.zeros((2, 2, 4, 4), np.float32)}
    assert checked(good, 2, kinds=2).scores.shape == (2,)

    with pytest.raises(BundleError, match="no defects"):
        checked({"scores": scores.astype(np.float32), "maps": maps.astype(np.float32)}, 2, kinds=2)
    with pytest.raises(BundleError, match="not with scores, maps"):
        checked({"scores": scores}, 2, kinds=2)
