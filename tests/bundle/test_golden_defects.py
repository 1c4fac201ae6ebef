"""bundle.golden_defects: an engine that computes something else is refused."""

import numpy as np
import pytest

from foveal.bundle import archive, golden_defects
from foveal.bundle.engines.onnxruntime import onnxruntime
from foveal.bundle.predictor import Predictor
from foveal.core.errors import BundleError, UsageError
from scene_graphs import DARK, GROUND, LIGHT, picture, suspecter


def test_what_looks_for_defects_says_how_bad_and_where(suspecter) -> None:
    predictor = Predictor.open(suspecter, threads=1)
    [good, bad] = predictor.see_each([picture(), picture((1, 2, LIGHT), (3, 0, GROUND - 20), scale=4)])

    assert (good.score, good.areas) == (0.0, {"dark": 0.0, "light": 0.0})
    assert bad.score == pytest.approx(LIGHT - GROUND, rel=0.1)  # a smaller picture is a little blurred
    assert bad.areas["dark"] == 0  # 20 levels are half of what is shown
    assert bad.regions[48, 80] == 2
    assert bad.heat[48, 80] == pytest.approx((LIGHT - GROUND) / 40, rel=0.1)
    assert bad.heat[112, 16] == pytest.approx(0.5, rel=0.1)
    assert (bad.regions == 2).mean() == bad.areas["light"] > 1 / 16


def test_another_recognizer_gives_no_defects(shader, suspecter) -> None:
    with pytest.raises(UsageError, match="does not look for defects"):
        Predictor.open(shader, threads=1).suspect(picture()[None])
    predictor = Predictor.open(suspecter, threads=1)
    with pytest.raises(UsageError, match="not for segment"):
        predictor.regions(picture()[None])
    assert predictor.suspect(picture((0, 0, DARK))[None]).maps[0, 0, 0, 0] == GROUND - DARK


def test_golden_vectors_are_those_of_the_file_and_no_other(suspecter) -> None:
    members = archive.read(suspecter)
    vectors = members.vectors
    assert vectors.maps.shape[1:] == (2, 8, 8)
    assert np.ptp(vectors.maps) > 0

    golden_defects.verify(onnxruntime(members.model, threads=1), vectors, kinds=2)
    golden_defects.verify(onnxruntime(members.model, threads=1), vectors.row(1), kinds=2)
    for wrong in (GROUND + 1, GROUND - 1):
        with pytest.raises(BundleError, match="off by 1"):
            golden_defects.verify(onnxruntime(_other(wrong), threads=1), vectors, kinds=2)


def _other(ground: float) -> bytes:
    return suspecter(ground)


def test_golden_vectors_of_another_shape_are_refused(suspecter) -> None:
    members = archive.read(suspecter)
    stored = {name: archive.to_bytes(array) for name, array in members.vectors.members.items()}
    preprocess = members.manifest.preprocess

    assert golden_defects.from_members(stored, preprocess=preprocess, kinds=2).scores.dtype == np.float32
    with pytest.raises(BundleError, match="golden_maps"):
        golden_defects.from_members(stored, preprocess=preprocess, kinds=3)
    stored["golden_scores.npy"] = archive.to_bytes(np.full(len(members.vectors.scores), np.nan, np.float32))
    with pytest.raises(BundleError, match="NaN"):
        golden_defects.from_members(stored, preprocess=preprocess, kinds=2)


def test_the_card_says_what_is_shown(suspecter) -> None:
    card = archive.read(suspecter).readme

    assert "`dark`: from 40; good pictures reach 0" in card
    assert "keeps its shape" in card
