"""flows._doubts: what belongs together is asked of a network that saw none of it, or not at all."""

from pathlib import Path

import numpy as np
import pytest

from foveal.core.progress import silent
from foveal.data import opening
from foveal.data.dataset import Dataset
from foveal.flows import _doubts
from foveal.flows._doubts import Doubts, Skipped, Training, doubts, room_to_learn


def of(labels: np.ndarray, classes: int) -> Dataset:
    count = len(labels)
    names = tuple("abcdefgh"[:classes])
    sources = tuple(f"{i}.png" for i in range(count))
    return Dataset("image_folder", Path(), names, sources, labels, ("",) * count, lambda index: None)  # type: ignore[arg-type,return-value]


def doubted(
    images: np.ndarray | Skipped, labels: np.ndarray, units: np.ndarray, *, classes: int = 3
) -> Doubts:
    return doubts(images, of(labels, classes), np.arange(len(labels)), units, training=Training(0, 1, silent))


def colored(labels: np.ndarray) -> np.ndarray:
    """Return pictures (N, 16, 16, 3) of which a class has one brighter channel, a fourth all of them."""
    images = np.random.default_rng(0).integers(0, 160, (len(labels), 16, 16, 3))
    for channel in range(3):
        images[(labels == channel) | (labels == 3), ..., channel] += 60
    return images.astype(np.uint8)


def test_tracks_that_only_memory_tells_apart_are_too_hard() -> None:
    rng = np.random.default_rng(0)
    units = np.repeat(np.arange(20), 16)
    images = rng.integers(0, 256, (20, 16, 16, 3), dtype=np.uint8)[units]
    labels = (np.arange(20) % 2)[units]

    whole = doubted(images, labels, units, classes=2)

    assert "too weak to doubt labels" in whole.skipped[0].reason, "torn apart, nearly all are right"


def test_a_class_of_one_track_is_not_doubted_but_named() -> None:
    labels = np.repeat([0, 1, 3], [110, 110, 100])
    units = np.arange(320)
    units[labels == 3] = 999
    given = labels.copy()
    given[:20] = 1

    found = doubted(colored(labels), given, units, classes=4)

    rows = {one.row for one in found.suspects}
    assert len(rows & set(range(20))) >= 5
    assert len(rows - set(range(20))) <= 5
    assert found.images == 220
    assert found.accuracy > 0.8
    (skipped,) = found.skipped
    assert skipped.reason == "1 class in fewer than 3 units (by group, bytes or looks) to learn from: 'd'"


@pytest.mark.parametrize("units", [1, 2])
def test_one_site_or_two_are_not_learned_from(units: int) -> None:
    labels = np.arange(300) % 3

    found = doubted(colored(labels), labels, np.arange(300) % units)

    assert "cannot be dealt into 3 parts" in found.skipped[0].reason
    assert found.embedding is None


def test_one_class_that_is_left_has_nothing_to_be_taken_for() -> None:
    labels = np.repeat([0, 1], [292, 8])

    found = doubted(colored(labels), labels, np.arange(300), classes=2)

    assert [one.reason.partition(":")[0] for one in found.skipped][1] == "1 class with fewer than 10 pictures"


def test_too_little_comes_before_a_missing_store() -> None:
    missing = Skipped("label_suspects", "no disk", "a larger one")
    few, one_class, enough = np.arange(299) % 3, np.zeros(300, dtype=np.int64), np.arange(300) % 3

    reasons = [
        doubted(missing, labels, np.arange(len(labels))).skipped[0].reason
        for labels in (few, one_class, enough)
    ]

    assert reasons == [
        "too few to learn from: 299 readable pictures; 300 are needed",
        "the readable pictures are of only one class",
        "no disk",
    ]


def test_a_check_that_is_killed_leaves_no_pictures(
    colors: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(_doubts, "FEWEST_IMAGES", 100)

    with room_to_learn(opening.open(colors)) as room:
        assert not isinstance(room, Skipped)
        assert list(tmp_path.iterdir()) == []
        room.images[2] = 7
        assert room.images[2].min() == 7
