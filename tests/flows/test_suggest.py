"""Suggestions of a training: which of a folder's pictures to label next, never those that are known."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from foveal.cli._main import run
from foveal.core.errors import DataError, NotFoundError, UsageError, WriteError
from foveal.flows.evaluate import evaluate
from foveal.flows.train import resume, train
from foveal.train.recipe import Recipe

FAST = {"epochs": 4.0, "size": 16, "precision": "fp32", "threads": 1, "baseline": False}


@pytest.fixture
def pool(colors: Path, tmp_path: Path) -> Path:
    """20 new pictures, 3 that the run knows under other names, one twice, one unreadable."""
    folder = tmp_path / "pool"
    folder.mkdir()
    rng = np.random.default_rng(7)
    for number in range(20):
        pixels = rng.integers(0, 150, (40, 40, 3), dtype=np.uint8)
        pixels[..., number % 3] += 70
        Image.fromarray(pixels).save(folder / f"new-{number:02}.png")
    for number, name in enumerate(("red", "green", "blue")):
        shutil.copy(colors / name / "007.png", folder / f"known-{number}.png")
    shutil.copy(folder / "new-00.png", folder / "twice.png")
    (folder / "broken.png").write_bytes(b"no picture")
    return folder


def labelled(pool: Path, folder: Path) -> Path:
    """Return the new pictures of the pool in class folders."""
    for path in pool.glob("new-*.png"):
        place = folder / "labelled" / ("red", "green", "blue")[int(path.stem[-2:]) % 3] / path.name
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, place)
    return folder / "labelled"


def test_a_training_names_what_to_label_next(colors: Path, pool: Path, tmp_path: Path) -> None:
    recipe = Recipe(unlabelled=str(pool), suggest=6, **FAST)
    result = train(colors, recipe=recipe, out=tmp_path / "run")

    suggested = result.document["suggested"]
    assert suggested["pictures"] == 20
    assert suggested["known"] == 3
    names = [Path(row["picture"]).name for row in suggested["images"]]
    assert len(set(names)) == 6
    assert all(name.startswith(("new-", "twice")) for name in names)
    with (tmp_path / "run" / "suggested.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["picture"] for row in rows] == [row["picture"] for row in suggested["images"]]
    assert all(0 < float(row["second_confidence"]) <= float(row["confidence"]) <= 1 for row in rows)
    page = (tmp_path / "run" / "suggested.html").read_text()
    assert page.count("<img") == 6
    assert "This page contains your pictures" in page
    assert "The first tell most" not in page
    # The network was shown none of them.
    assert result.document["unlabelled"] is None
    assert evaluate(result.run, labelled(pool, tmp_path)).report.provenance["unseen"] == "content"


def test_a_baseline_suggests_too(colors: Path, pool: Path, tmp_path: Path) -> None:
    recipe = Recipe(model="knn", unlabelled=str(pool), suggest=3, size=16, threads=1)
    assert len(train(colors, recipe=recipe, out=tmp_path / "run").document["suggested"]["images"]) == 3


def test_where_all_are_known_nothing_is_suggested(colors: Path, tmp_path: Path) -> None:
    recipe = Recipe(unlabelled=str(colors / "red"), suggest=3, **{**FAST, "epochs": 1.0})
    suggested = train(colors, recipe=recipe, out=tmp_path / "run").document["suggested"]
    assert suggested["images"] == []
    assert suggested["known"] == 60


def test_fixmatch_learns_from_them_and_never_from_what_is_held_out(
    colors: Path, pool: Path, tmp_path: Path, stopped_at
) -> None:
    recipe = Recipe(unlabelled=str(pool), objective="fixmatch", images=12, **FAST)
    whole = train(colors, recipe=recipe, out=tmp_path / "whole")
    assert whole.document["plan"]["unlabelled"] == 3 * whole.document["plan"]["batch_size"]
    with pytest.raises(KeyboardInterrupt):
        train(colors, recipe=recipe, out=tmp_path / "run", progress=stopped_at("train", 0.5))

    (pool / "later.png").write_bytes((pool / "new-01.png").read_bytes()[:-1] + b"x")
    with pytest.raises(DataError, match="not those that the run started with"):
        resume(tmp_path / "run", colors)
    (pool / "later.png").unlink()
    assert resume(tmp_path / "run", colors).document["digest"] == whole.document["digest"]

    with pytest.raises(DataError, match="not among the labelled"):
        train(colors, recipe=recipe.changed(unlabelled=str(colors), images=126), out=tmp_path / "none")


def test_what_was_learned_from_without_labels_is_told(
    colors: Path, pool: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = Recipe(unlabelled=str(pool), objective="fixmatch", **FAST)
    result = train(colors, recipe=recipe, out=tmp_path / "run")

    told = result.document["unlabelled"]
    assert told["path"] == str(pool)
    assert (told["images"], told["known"] + told["held_out"], told["copies"], told["unusable"]) == (
        20, 3, 1, 1,
    )  # fmt: skip
    page = " ".join(result.report.read_text().split())
    assert "20 pictures without labels" in page
    assert evaluate(result.run, labelled(pool, tmp_path)).report.provenance["unseen"] == "unlabelled"
    assert evaluate(result.run, colors).report.provenance["unseen"] == "split"
    assert run(["evaluate", str(result.run), str(tmp_path / "labelled"), "-q"]) == 0
    assert "not proven That these images are new to it" in " ".join(capsys.readouterr().out.split())


def test_near_copies_of_what_is_held_out_are_neither_learned_from_nor_suggested(
    colors: Path, pool: Path, tmp_path: Path
) -> None:
    plain = train(colors, recipe=Recipe(**{**FAST, "epochs": 1.0}), out=tmp_path / "plain")
    split = json.loads((plain.run / "split.json").read_text())
    for number, (source, _) in enumerate(split["calib"][:4] + split["test"][:4]):
        with Image.open(colors / source) as image:
            image.save(pool / f"again-{number}.jpg", quality=95)

    recipe = Recipe(unlabelled=str(pool), objective="fixmatch", suggest=28, **{**FAST, "epochs": 1.0})
    document = train(colors, recipe=recipe, out=tmp_path / "run").document

    assert document["unlabelled"]["images"] == 20
    assert document["unlabelled"]["known"] + document["unlabelled"]["held_out"] == 3 + 8
    names = [Path(row["picture"]).name for row in document["suggested"]["images"]]
    assert len(names) == 20
    assert not [name for name in names if name.startswith("again")]


def test_what_cannot_be_suggested_is_refused_first(colors: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="which pictures"):
        train(colors, recipe=Recipe(suggest=3, **FAST), out=tmp_path / "run")
    with pytest.raises(NotFoundError):
        train(colors, recipe=Recipe(suggest=3, unlabelled=str(tmp_path / "no"), **FAST), out=tmp_path / "run")
    with pytest.raises(UsageError, match="recognizers of pictures"):
        train(
            colors,
            recipe=Recipe(suggest=3, unlabelled=str(colors), task="video"),
            out=tmp_path / "run",
        )
    with pytest.raises(UsageError, match="nothing is learned") as raised:
        train(colors, recipe=Recipe(unlabelled=str(colors), **FAST), out=tmp_path / "run")
    assert "fixmatch" in str(raised.value.hint)
    assert not (tmp_path / "run").exists()


def test_no_run_is_written_among_the_pictures_without_labels(colors: Path, pool: Path) -> None:
    with pytest.raises(WriteError) as raised:
        train(colors, recipe=Recipe(suggest=3, unlabelled=str(pool), **FAST), out=pool / "run")
    assert raised.value.code == "inside_data"
    assert not (pool / "run").exists()
