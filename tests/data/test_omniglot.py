"""data.formats.omniglot: packed drawings are the drawings, a class is a character of its alphabet."""

from pathlib import Path

import numpy as np
import pytest

from foveal.core.errors import DataError
from foveal.data import opening

WIDTH = 13


def drawings(characters: int, each: int = 3, *, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 2, (characters, each, 11, WIDTH), dtype=np.uint8)


def write(path: Path, ink: np.ndarray, **changed) -> Path:
    arrays = {
        "images": np.packbits(ink, axis=-1),
        "alphabet": np.arange(len(ink)) // 2,
        "alphabet_names": np.array(["Latin", "Greek", "Korean"]),
        "first_character_id": np.array(965),
        "width": np.array(WIDTH),
        **changed,
    }
    np.savez(path, **{name: value for name, value in arrays.items() if value is not None})
    return path


def test_pictures_are_black_ink_on_white_paper_and_classes_are_characters(tmp_path: Path) -> None:
    ink = drawings(4)

    dataset = opening.open(write(tmp_path / "set.npz", ink))

    assert (dataset.format, dataset.split_names) == ("omniglot", ())
    assert dataset.classes == tuple(f"{a}/character{k}" for a in ("Greek", "Latin") for k in ("01", "02"))
    assert len(dataset) == 12
    for i, sample in enumerate(dataset):
        assert np.array_equal(sample.picture.decode(1)[..., 0], np.where(ink[i // 3, i % 3], 0, 255))
    assert dataset.classes[dataset.labels[0]] == "Latin/character01"
    assert dataset.sources[4] == "Latin/character02/0966_02"


def test_two_official_parts_in_a_folder_are_train_and_test(tmp_path: Path) -> None:
    write(tmp_path / "omniglot_background.npz", drawings(4))
    write(tmp_path / "omniglot_evaluation.npz", drawings(2, seed=1), alphabet=np.array([2, 2]))

    dataset = opening.open(tmp_path)

    assert [dataset.splits.count(name) for name in ("train", "test")] == [12, 6]
    assert dataset.folders["test"] == ("Korean/character01", "Korean/character02")
    write(tmp_path / "omniglot_evaluation.npz", drawings(2, seed=1))
    with pytest.raises(DataError, match="Latin/character01, which another file holds"):
        opening.open(tmp_path)


def test_several_parts_must_say_which_they_are(tmp_path: Path) -> None:
    write(tmp_path / "one.npz", drawings(4))
    write(tmp_path / "two.npz", drawings(2), alphabet=np.array([2, 2]))

    with pytest.raises(DataError, match="does not say which one it is") as caught:
        opening.open(tmp_path)
    assert caught.value.code == "ambiguous_layout"


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"width": np.array(25)}, "rows of 25 pixels"),
        ({"width": np.array([13, 13])}, "width is int64"),
        ({"images": np.zeros((4, 3, 11), np.uint8)}, "images are uint8"),
        ({"images": np.zeros((4, 3, 11, 2), np.float32)}, "images are float32"),
        ({"alphabet": np.array([0, 1])}, "not a number for each character"),
        ({"alphabet": np.array([0, 0, 1, 3])}, "beyond the 3 alphabet_names"),
        ({"alphabet_names": np.array(["a", "a", "b"])}, "there twice"),
        ({"alphabet_names": np.array([1, 2, 3])}, "not a list of names"),
    ],
)
def test_what_does_not_fit_together_is_refused(tmp_path: Path, changed, why: str) -> None:
    with pytest.raises(DataError, match=why) as caught:
        opening.open(write(tmp_path / "set.npz", drawings(4), **changed))
    assert caught.value.code == "bad_npz"


def test_an_archive_without_alphabets_is_read_as_before(tmp_path: Path) -> None:
    np.savez(tmp_path / "set.npz", images=np.zeros((4, 8, 8), np.uint8), labels=np.arange(4))

    assert opening.open(tmp_path).format == "npz"


def test_the_background_set_has_964_characters_of_30_alphabets(shared: Path) -> None:
    dataset = opening.open(shared / "data" / "omniglot" / "omniglot_background_964x20.npz")

    assert (len(dataset.classes), len(dataset)) == (964, 19280)
    assert len({name.rpartition("/")[0] for name in dataset.classes}) == 30
    first = dataset[0].picture.decode(1)
    assert first.shape == (105, 105, 1)
    assert 0.8 < (first == 255).mean() < 1
