"""flows.demo: real data without a download, left alone when it is there, never over something else."""

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from foveal import data
from foveal.core.errors import NotFoundError, UnknownNameError, WriteError
from foveal.flows import _sample_sets
from foveal.flows import demo as flow
from foveal.flows._sample_sets import lay_out
from foveal.flows.demo import demo
from foveal.train.recipe import Recipe


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A made-up Fashion-MNIST where the real one would be installed: 40 and 20 images."""
    folder = tmp_path / "installed"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for split, n in (("train", 40), ("t10k", 20)):
        images = rng.integers(0, 256, (n, 28, 28), dtype=np.uint8)
        labels = (np.arange(n) % 10).astype(np.uint8)
        for name, array in ((f"{split}-images-idx3-ubyte", images), (f"{split}-labels-idx1-ubyte", labels)):
            head = struct.pack(f">2xBB{array.ndim}I", 8, array.ndim, *array.shape)
            (folder / f"{name}.gz").write_bytes(gzip.compress(head + array.tobytes(), mtime=0))
    monkeypatch.setattr(_sample_sets, "FASHION_MNIST", folder)
    return folder


def content(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_digits_become_one_folder_of_pictures_per_class(tmp_path: Path) -> None:
    folder = lay_out("digits", tmp_path / "a" / "digits")

    dataset, digits = data.open(folder), load_digits()
    assert dataset.classes == tuple("0123456789")
    assert len(dataset) == 1797
    assert np.bincount(dataset.labels).tolist() == np.bincount(digits.target).tolist()
    with Image.open(folder / str(digits.target[7]) / "0007.png") as picture:
        pixels = np.asarray(picture)
    assert (pixels.min(), pixels.max()) == (0, 255)
    assert np.array_equal(np.round(pixels * (16 / 255)), digits.images[7])


def test_fashion_mnist_is_used_where_it_lies_with_names_for_its_classes(
    tmp_path: Path, installed: Path
) -> None:
    folder = lay_out("fashion-mnist", tmp_path / "fashion")

    dataset = data.open(folder)
    assert dataset.format == "idx"
    assert dataset.classes[0] == "T-shirt"
    assert dataset.classes[9] == "ankle boot"
    assert dataset.splits.count("test") == 20
    assert all(path.is_symlink() for path in folder.glob("*.gz"))


def test_data_that_is_there_is_left_alone(tmp_path: Path) -> None:
    folder = lay_out("digits", tmp_path / "digits")
    (folder / "0" / "0000.png").write_bytes(b"touched by its owner")
    before = content(folder)

    assert lay_out("digits", folder) == folder
    assert content(folder) == before
    assert [p.name for p in tmp_path.iterdir()] == ["digits"], "nothing temporary stays"


def test_empty_folder_is_filled(tmp_path: Path, installed: Path) -> None:
    (tmp_path / "here").mkdir()

    assert (lay_out("fashion-mnist", tmp_path / "here") / "classes.txt").is_file()


def test_folder_with_something_else_is_refused_and_kept(tmp_path: Path, installed: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work", encoding="utf-8")

    with pytest.raises(WriteError, match=r"mine holds something else than fashion-mnist"):
        lay_out("fashion-mnist", tmp_path / "mine")
    assert content(tmp_path / "mine") == {"thesis.txt": b"years of work"}


def test_file_in_the_way_is_refused(tmp_path: Path, installed: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")

    with pytest.raises(WriteError, match=r"cannot write fashion-mnist to .*file"):
        lay_out("fashion-mnist", tmp_path / "file")


def test_unknown_name_is_refused_with_a_guess(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match=r"data has no 'digit'; did you mean 'digits'\?"):
        lay_out("digit", tmp_path / "x")


def test_missing_fashion_mnist_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_sample_sets, "FASHION_MNIST", tmp_path / "nowhere")

    with pytest.raises(NotFoundError, match="Fashion-MNIST is not installed at") as caught:
        lay_out("fashion-mnist", tmp_path / "x")
    assert "--data digits" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("has_fashion", "expected", "length"),
    [(True, "fashion-mnist", Recipe(time_seconds=120)), (False, "digits", Recipe(epochs=12))],
)
def test_default_is_the_first_that_is_here_and_short(
    tmp_path: Path,
    installed: Path,
    monkeypatch: pytest.MonkeyPatch,
    has_fashion: bool,
    expected: str,
    length: Recipe,
) -> None:
    asked: dict[str, object] = {}

    def train(path: Path, *, recipe: Recipe, **rest: object) -> flow.TrainResult:
        asked.update(path=path, recipe=recipe)
        return flow.TrainResult(tmp_path, None, None, {"schema": "foveal.train/1", "ok": True}, None)

    if not has_fashion:
        monkeypatch.setattr(_sample_sets, "FASHION_MNIST", tmp_path / "nowhere")
    monkeypatch.setattr(flow, "train", train)
    monkeypatch.chdir(tmp_path)

    result = demo()

    assert asked["path"] == Path("demo") / expected
    assert asked["recipe"] == length
    assert result.document == {"schema": "foveal.demo/1", "ok": True, "data": f"demo/{expected}"}


def test_demo_ends_with_a_bundle_that_is_better_than_guessing(tmp_path: Path) -> None:
    recipe = Recipe(epochs=3, size=16, threads=1)

    result = demo("digits", folder=tmp_path / "digits", recipe=recipe, out=tmp_path / "run")

    assert result.bundle is not None
    assert result.report is not None
    assert result.evaluation is not None
    assert result.evaluation["metrics"]["accuracy"]["low"] > 0.2
    assert result.document["schema"] == "foveal.demo/1"
    assert "http" not in result.report.read_text(encoding="utf-8").replace("http-equiv", "")
    assert (tmp_path / "run" / "figures" / "confusion.svg").is_file()
