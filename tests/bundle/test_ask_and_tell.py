"""Predictor.ask and tell: the two steps behind every verb, whatever a recognizer is for."""

import numpy as np
import pytest

from foveal.bundle.predictor import Predictor
from foveal.bundle.session import joined
from foveal.core.errors import BundleError, UsageError
from scene_graphs import DARK, LIGHT, picture

CELLS = (((0, 0, DARK), (3, 2, LIGHT)), (), ((1, 1, DARK),))
SIZES = [(32, 32), (64, 128), (40, 24)]


def pictures(side: int) -> np.ndarray:
    return np.stack([picture(*cells)[:side, :side] for cells in CELLS])


@pytest.mark.parametrize("model", ["bundle", "finder", "outliner", "divider", "shader", "suspecter"])
def test_what_is_asked_and_told_apart_is_what_is_said_of_each_picture(model, request) -> None:
    predictor = Predictor.open(request.getfixturevalue(model), threads=1)
    images = pictures(predictor.preprocess.size)

    together = predictor.tell(predictor.ask(images), sources=["a", "b", "c"], sizes=SIZES)
    alone = [
        predictor.tell(predictor.ask(image[None]), sources=[name], sizes=[size])[0]
        for image, name, size in zip(images, "abc", SIZES, strict=True)
    ]

    if model == "bundle":
        assert together == [predictor.label(image, name) for image, name in zip(images, "abc", strict=True)]
    else:
        seen = zip(images, SIZES, "abc", strict=True)
        assert together == alone == [predictor.see(image, size, name) for image, size, name in seen]
    assert [one.source for one in together] == ["a", "b", "c"]


@pytest.mark.parametrize("model", ["bundle", "finder", "outliner", "divider", "shader", "suspecter"])
def test_answers_of_several_calls_are_put_together_row_by_row(model, request) -> None:
    predictor = Predictor.open(request.getfixturevalue(model), threads=1)
    images = pictures(predictor.preprocess.size)

    whole = predictor.ask(images)
    parts = joined([predictor.ask(images[:1]), predictor.ask(images[1:])])

    assert whole.keys() == parts.keys()
    for name, values in whole.items():
        assert len(values) == len(images)
        np.testing.assert_allclose(parts[name], values, atol=1e-6)


def test_what_makes_no_sense_is_not_told(finder, shader) -> None:
    detector, segmenter = Predictor.open(finder, threads=1), Predictor.open(shader, threads=1)
    images = pictures(32)[:1]
    found = detector.ask(images)
    told = {"sources": ["a"], "sizes": [(32, 32)]}

    for wrong in ({**found, "labels": found["labels"] + 9}, {**found, "scores": found["scores"] * 2}, {}):
        with pytest.raises(BundleError):
            detector.tell(wrong, **told)
    with pytest.raises(BundleError):
        segmenter.tell({"regions": segmenter.ask(images)["regions"] + np.uint8(9)}, **told)
    with pytest.raises(UsageError, match="need uint8"):
        detector.ask(images.astype(np.float32))
