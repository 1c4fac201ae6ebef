"""`foveal search evaluate`: chance is chance, itself is no result, and order of files says nothing."""

import numpy as np
import pytest

from foveal.core.errors import DataError
from foveal.flows.search_evaluate import evaluate, measured
from foveal.flows.search_index import Backbone

LABELS = np.repeat(np.arange(20), 25)
EVERY = np.arange(len(LABELS))


def test_random_features_find_their_class_as_often_as_chance() -> None:
    features = np.random.default_rng(0).standard_normal((500, 30)).astype(np.float32)

    found = measured(features, LABELS, EVERY)

    chance = 24 / 499
    assert found["recall_at_1"]["low"] <= chance <= found["recall_at_1"]["high"]
    assert found["recall_at_1"]["value"] == pytest.approx(chance, abs=0.04)
    assert found["map"]["value"] == pytest.approx(chance, abs=0.03)
    assert found["recall_at_1"]["n"] == 500


def test_features_that_are_all_equal_know_no_more_than_chance() -> None:
    """Files lie class by class: in their order those of the first class would all find each other."""
    every, first = (measured(np.ones((500, 3), np.float32), LABELS, some) for some in (EVERY, EVERY[:25]))

    assert every["recall_at_1"]["value"] == pytest.approx(24 / 499, abs=0.06)
    assert first["map"]["value"] < 0.2


def test_perfect_features_of_any_length_are_perfect() -> None:
    rng = np.random.default_rng(0)
    features = np.eye(20, dtype=np.float32)[LABELS] * rng.uniform(0.01, 100, (500, 1)).astype(np.float32)

    found = measured(features, LABELS, EVERY)

    assert {one["value"] for one in found.values()} == {1.0}


def test_a_picture_does_not_find_itself() -> None:
    """Two classes that alternate on a circle: the nearest other picture is always of the other class."""
    angles = np.arange(20) / 20 * 2 * np.pi
    features = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)

    found = measured(features, np.arange(20) % 2, np.arange(20))

    assert found["recall_at_1"]["value"] == 0


def test_the_document_of_real_pictures(bundle, colors) -> None:
    document = evaluate(Backbone(str(bundle)), colors, threads=1)

    assert document["schema"] == "foveal.search.evaluate/1"
    assert (document["images"], document["classes"], document["queries"]) == (180, 3, 180)
    assert document["metrics"]["recall_at_1"]["value"] > 0.95  # the embedder sees colours
    assert document["baseline"]["pixels"]["recall_at_1"]["value"] < 0.6  # grey values do not
    assert document["baseline"]["chance"]["recall_at_1"] == pytest.approx(59 / 179)
    assert set(document["metrics"]["map_at_r"]) == {"value", "low", "high", "n", "method"}


def test_data_without_anything_to_find_is_refused(bundle, colors, tmp_path) -> None:
    from PIL import Image

    for name in ("a", "b"):
        (tmp_path / "two" / name).mkdir(parents=True)
        Image.new("RGB", (20, 20), (len(name), 9, 200)).save(tmp_path / "two" / name / "1.png")
    with pytest.raises(DataError, match="no class in"):
        evaluate(Backbone(str(bundle)), tmp_path / "two")
    with pytest.raises(DataError, match="has no split 'test'"):
        evaluate(Backbone(str(bundle)), colors, split="test")
