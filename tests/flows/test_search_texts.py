"""`foveal search` with texts: a trained network finds the pictures of captions, as clip measures it."""

import csv
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from foveal.core.errors import UsageError
from foveal.flows.clip_evaluate import clip_evaluate
from foveal.flows.pretrain_clip import pretrain_clip
from foveal.flows.search_evaluate import evaluate
from foveal.flows.search_index import Backbone, index
from foveal.flows.search_query import query
from foveal.search.file import IndexFile
from foveal.tasks import image_text
from foveal.train.recipe import Recipe

COLOURS = {"red": (220, 30, 30), "green": (30, 200, 40), "blue": (40, 60, 220), "yellow": (240, 220, 40)}
RECIPE = Recipe(
    size=16, epochs=30, precision="fp32", threads=1, settings={"dimensions": 16, "text_width": 32}
)
PAIRS = [(left, right) for left in COLOURS for right in COLOURS if left != right]


def said(left: str, right: str) -> str:
    return f"a {left} half left of a {right} half"


def scenes(folder: Path, pairs: list[tuple[str, str]], *, seed: int) -> Path:
    """Write a picture of two colours side by side for each pair, and a table with a caption each."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    with (folder / "pairs.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["path", "text"])
        for number, (left, right) in enumerate(pairs):
            halves = np.array([[COLOURS[left], COLOURS[right]]], np.float64).repeat(8, 1).repeat(16, 0)
            pixels = np.clip(halves + rng.normal(0, 15, halves.shape), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / f"{number:03}.png")
            table.writerow([f"{number:03}.png", said(left, right)])
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    folder = scenes(tmp_path_factory.mktemp("learned") / "pictures", PAIRS * 20, seed=0)
    return pretrain_clip(folder, recipe=RECIPE, out=folder.parent / "run").run


@pytest.fixture(scope="module")
def pictures(tmp_path_factory) -> Path:
    """One picture of each caption, none of them learned from."""
    return scenes(tmp_path_factory.mktemp("asked") / "pictures", PAIRS, seed=1)


@pytest.fixture(scope="module")
def shared_index(run, pictures) -> Path:
    path = pictures.parent / "a.index"
    document = index([pictures], path, backbone=Backbone(str(run)))
    assert document["texts"] is True
    assert document["pictures"] == len(PAIRS)
    return path


@pytest.fixture
def made(shared_index, tmp_path) -> Path:
    return Path(shutil.copy(shared_index, tmp_path / "a.index"))


def found(path: Path, text: str, *, top: int = 5) -> list[str]:
    return [Path(one["source"]).name for one in query(path, text, top=top)[0]["results"]]


def test_captions_find_their_pictures_as_often_as_clip_evaluate_says(made, run, pictures) -> None:
    ranked = [found(made, said(*pair)) for pair in PAIRS]
    shares = {k: np.mean([f"{n:03}.png" in names[:k] for n, names in enumerate(ranked)]) for k in (1, 5)}

    measured = clip_evaluate(run, pictures)["metrics"]["text_to_image"]

    assert shares[1] >= 0.75 > 9 * measured["chance_at_1"]
    assert shares[1] == pytest.approx(measured["recall_at_1"]["value"], abs=1e-6)
    assert shares[5] == pytest.approx(measured["recall_at_5"]["value"], abs=1e-6)


def test_scores_are_the_cosines_that_torch_gives(made, run, pictures) -> None:
    model = image_text.load(run / "model")
    images = np.stack([np.asarray(Image.open(pictures / f"{n:03}.png")) for n in range(len(PAIRS))])

    document, _ = query(made, said("red", "blue"), top=12)

    cosines = model.images(images) @ model.texts([said("red", "blue")])[0]
    scores = {int(Path(one["source"]).stem): one["score"] for one in document["results"]}
    np.testing.assert_allclose([scores[n] for n in range(len(PAIRS))], cosines, atol=1e-5)
    assert (document["kind"], document["query"]) == ("text", said("red", "blue"))
    assert document["text"] == {"unknown": [], "cut": False}
    assert document["warnings"] == []


def test_pictures_are_still_found_by_pictures(made, pictures) -> None:
    document, _ = query(made, (pictures / "003.png").read_bytes(), called="003.png")

    assert Path(document["results"][0]["source"]).name == "003.png"
    assert (document["kind"], document["text"], document["query"]) == ("picture", None, "003.png")


def test_it_grows_and_forgets_without_the_run_and_says_unknown_words(made, pictures, tmp_path) -> None:
    copied = tmp_path / "pictures"
    shutil.copytree(pictures, copied)
    same = index([copied], made)  # the same contents under other names
    assert (same["added"], same["pictures"]) == (0, 12)
    for number in range(6):
        (copied / f"{number:03}.png").unlink()
    more = scenes(tmp_path / "more", PAIRS[:2], seed=3)

    document = index([copied, more], made, prune=True)

    assert (document["added"], document["forgotten"], document["pictures"]) == (2, 6, 8)
    assert found(made, said(*PAIRS[0]), top=8).index("000.png") < 3  # of the two that are new
    assert query(made, "a red half xyzzy")[0]["text"]["unknown"] == ["xyzzy"]
    assert "xyzzy" in query(made, "a red half xyzzy")[0]["warnings"][0]


def test_another_index_gives_its_text_encoder_too_and_other_ones_are_refused(
    made, run, pictures, bundle, tmp_path
) -> None:
    index([pictures], tmp_path / "b.index", backbone=Backbone(str(made)))
    with IndexFile.open(made) as first, IndexFile.open(tmp_path / "b.index") as second:
        assert first.embedder == second.embedder
        assert first.gallery().digest == second.gallery().digest
    assert index([pictures], made, backbone=Backbone(str(run)))["added"] == 0  # the same, exported again
    with pytest.raises(UsageError, match="holds features of") as caught:
        index([pictures], made, backbone=Backbone(str(bundle)))
    assert caught.value.code == "other_backbone"
    with pytest.raises(UsageError, match="was trained on pictures of 16 pixels") as caught:
        index([pictures], tmp_path / "c.index", backbone=Backbone(str(run), size=32))
    assert caught.value.code == "size_of_run"
    with pytest.raises(UsageError, match="says itself"):
        index([pictures], tmp_path / "c.index", backbone=Backbone(str(run), model="nano"))


def test_labelled_pictures_are_measured_with_it(made, tmp_path) -> None:
    for name in ("red", "blue"):
        for number in range(3):
            (tmp_path / "data" / name).mkdir(parents=True, exist_ok=True)
            noise = np.random.default_rng(number).integers(0, 30, (16, 16, 3))
            pixels = np.clip(np.array(COLOURS[name]) + noise, 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(tmp_path / "data" / name / f"{number}.png")

    document = evaluate(Backbone(str(made)), tmp_path / "data", threads=1)

    assert document["dimensions"] == 16
    assert document["metrics"]["recall_at_1"]["value"] == 1


def test_an_index_of_pictures_alone_refuses_a_text_and_a_text_leaves_nothing_out(
    made, bundle, pictures, tmp_path
) -> None:
    index([pictures], tmp_path / "plain.index", backbone=Backbone(str(bundle)))

    with pytest.raises(UsageError, match="cannot be asked with a text") as caught:
        query(tmp_path / "plain.index", "a red half")
    assert caught.value.code == "no_text"
    with pytest.raises(UsageError, match="a text is none"):
        query(made, "a red half", others=True)


PROGRAM = """
import sys
from foveal.flows.search_index import Backbone, index
from pathlib import Path
def tell(stage, done, total, note=""):
    if stage == "embedding pictures":
        print(done, flush=True)
index([sys.argv[1]], Path(sys.argv[2]), backbone=Backbone(sys.argv[3]), threads=1, progress=tell)
"""


def test_a_killed_index_can_be_asked_and_goes_on(made, tmp_path) -> None:
    many = scenes(tmp_path / "many", PAIRS * 18, seed=4)
    command = [sys.executable, "-c", PROGRAM, str(many), str(tmp_path / "b.index"), str(made)]
    running = subprocess.Popen(command, stdout=subprocess.PIPE)
    running.stdout.readline()
    running.stdout.readline()
    os.kill(running.pid, signal.SIGKILL)
    running.wait()
    running.stdout.close()
    with IndexFile.open(tmp_path / "b.index") as opened:
        assert 0 < len(opened.gallery()) < 216
    assert len(found(tmp_path / "b.index", said("red", "blue"))) == 5

    finished = index([many], tmp_path / "b.index")

    assert finished["pictures"] == 216
    right = PAIRS.index(("red", "blue"))
    best = [int(Path(name).stem) % 12 for name in found(tmp_path / "b.index", said("red", "blue"), top=10)]
    assert best.count(right) >= 7
