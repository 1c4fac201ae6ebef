"""Verification: measured on people that nothing was learned from, with thresholds chosen on others."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from foveal.core.errors import DataError, ImageError, WriteError
from foveal.flows._verification import folds, verified
from foveal.flows.search_faces import faces, verify
from foveal.flows.search_index import Backbone
from foveal.search.file import IndexFile

PEOPLE = np.repeat(np.arange(24), 10)


def features(*, strength: float, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (strength * rng.standard_normal((24, 32))[PEOPLE] + rng.standard_normal((240, 32))).astype(
        np.float32
    )


@pytest.mark.parametrize("learn", [False, True])
def test_random_features_are_wrong_half_the_time(learn) -> None:
    found = verified(features(strength=0), PEOPLE, learn=learn).numbers

    assert found["equal_error_rate"]["value"] == pytest.approx(0.5, abs=0.05)
    assert found["equal_error_rate"]["low"] <= found["equal_error_rate"]["value"]
    assert found["equal_error_rate"]["n"] == 24, "people are drawn, not pairs"


def test_good_features_are_hardly_ever_wrong_and_thresholds_hold_on_others() -> None:
    found = verified(features(strength=3), PEOPLE, learn=False).numbers

    assert found["equal_error_rate"]["value"] < 0.01
    assert found["at_far_0.01"]["false_accepts"]["value"] == pytest.approx(0.01, abs=0.01)
    assert found["pairs"] == {"same": 24 * 45, "different": 6 * 100 * 6}


def test_every_person_is_in_one_fold() -> None:
    groups = folds(PEOPLE, seed=0)

    assert len(groups) == 6
    assert sorted(np.concatenate(groups).tolist()) == list(range(24))


def test_nothing_that_is_learned_or_chosen_has_seen_whom_it_judges(monkeypatch) -> None:
    """The people that a fold learns from, chooses on and measures are three disjoint groups."""
    from foveal.flows import _verification as module

    learned, judged = [], []
    whitening, pairs = module.whitening, module._pairs
    monkeypatch.setattr(
        module, "whitening", lambda f, p: (learned.append(set(p.tolist())), whitening(f, p))[1]
    )
    monkeypatch.setattr(module, "_pairs", lambda f, p, s: (judged.append(set(p.tolist())), pairs(f, p, s))[1])

    verified(features(strength=1), PEOPLE, learn=True)

    for fit, chosen, test in zip(learned, judged[::2], judged[1::2], strict=True):
        assert not fit & chosen
        assert not fit & test
        assert not chosen & test
        assert fit | chosen | test == set(range(24))


def test_features_that_fit_only_their_own_people_are_not_rewarded() -> None:
    """A projection learned from a person would tell its pictures apart; from others it cannot."""
    found = verified(features(strength=0), PEOPLE, learn=True).numbers

    assert found["at_equal_error"]["false_accepts"]["value"] + found["at_equal_error"]["false_rejects"][
        "value"
    ] == pytest.approx(1, abs=0.1)


@pytest.fixture
def people(tmp_path) -> Path:
    """Eight people who differ in colour, under light of any strength."""
    rng = np.random.default_rng(0)
    for person in range(8):
        color = rng.uniform(0.2, 1, 3)
        (tmp_path / "people" / f"p{person}").mkdir(parents=True)
        for number in range(6):
            light = rng.uniform(60, 250)
            pixels = np.clip(color * light + rng.normal(0, 6, (24, 24, 3)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(tmp_path / "people" / f"p{person}" / f"{number}.png")
    return tmp_path / "people"


def test_an_index_for_people_decides_and_the_order_of_both_says_nothing(bundle, people, tmp_path) -> None:
    document, ways = faces(Backbone(str(bundle)), people, out=tmp_path / "p.index")
    one, same, other = ((people / name).read_bytes() for name in ("p0/0.png", "p0/1.png", "p1/0.png"))

    first = verify(tmp_path / "p.index", one, same)
    different = verify(tmp_path / "p.index", one, other)

    assert set(ways) == {"pixels", "features", "projected", "places"}
    assert (document["people"], document["images"]) == (8, 48)
    rates = {name: way["equal_error_rate"]["value"] for name, way in document["ways"].items()}
    assert rates[document["best"]] == min(rates["projected"], rates["places"])
    limit = document["ways"][document["best"]]["at_far_0.01"]["threshold"]
    assert first["threshold"] == different["threshold"] == limit
    assert first["same"] == (first["score"] >= limit)
    assert first["score"] > different["score"]
    assert verify(tmp_path / "p.index", same, one) == first
    assert verify(tmp_path / "p.index", one, one)["score"] == pytest.approx(1, abs=1e-5)
    assert verify(tmp_path / "p.index", one, other, threshold=-1.0)["same"] is True
    with pytest.raises(WriteError, match="is there already") as caught:
        faces(Backbone(str(bundle)), people, out=tmp_path / "p.index")
    assert caught.value.code == "would_overwrite"
    before = (tmp_path / "p.index").read_bytes()
    faces(Backbone(str(bundle)), people, out=tmp_path / "p.index", force=True, seed=1)
    assert (tmp_path / "p.index").read_bytes() != before
    (people.parent / "notes.txt").write_text("mine")
    with pytest.raises(DataError, match="is no index"):
        faces(Backbone(str(bundle)), people, out=people.parent / "notes.txt", force=True)
    with pytest.raises(ImageError, match="the second: "):
        verify(tmp_path / "p.index", one, b"no picture")


def test_copies_prove_nothing_and_what_cannot_be_read_is_told(bundle, people) -> None:
    """A picture and its copy are the same person without doubt, whatever the features are worth."""
    plain, _ = faces(Backbone(str(bundle)), people)
    for person in range(8):
        (people / f"p{person}" / "copy.png").write_bytes((people / f"p{person}" / "0.png").read_bytes())
    (people / "p0" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n and nothing")

    document, _ = faces(Backbone(str(bundle)), people)

    assert document["ways"] == plain["ways"]
    assert (document["copies"], document["unusable"], plain["copies"], plain["unusable"]) == (8, 1, 0, 0)


def test_the_index_has_the_projection_in_its_graph(bundle, people, tmp_path) -> None:
    from foveal.flows._labelled import labelled
    from foveal.search.whitening import whitening

    faces(Backbone(str(bundle)), people, out=tmp_path / "p.index")
    found = labelled(people, Backbone(str(bundle)), split=None, threads=1, progress=lambda *_: None)
    images = np.stack(
        [found.embedder.preprocess(found.dataset.read(row).decode(3)) for row in found.rows.tolist()]
    )

    with IndexFile.open(tmp_path / "p.index") as index:
        inside = index.embedder.features(images)

    expected = whitening(found.features, found.labels)(found.features)
    np.testing.assert_allclose(inside, expected, rtol=1e-2, atol=1e-2 * np.abs(expected).max())


def test_without_a_threshold_nothing_is_decided(bundle, people, tmp_path) -> None:
    with IndexFile.create(tmp_path / "a.index", _embedder(bundle)):
        pass
    one = (people / "p0/0.png").read_bytes()

    assert verify(tmp_path / "a.index", one, one)["same"] is None


def test_too_few_people_are_refused(bundle, people, tmp_path) -> None:
    import shutil

    for person in range(3, 8):
        shutil.rmtree(people / f"p{person}")
    with pytest.raises(DataError, match="there are 3 people"):
        faces(Backbone(str(bundle)), people)


def _embedder(bundle):
    from foveal.bundle import archive
    from foveal.export.embedding import embedder_in

    return embedder_in(archive.read(bundle), source="colors")
