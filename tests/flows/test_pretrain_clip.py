"""flows.pretrain_clip and what is done with its runs: learned, resumed to the bit, asked, measured."""

import csv
import json
import re
import shutil
import signal

import numpy as np
import pytest
from PIL import Image

import foveal
from foveal.bundle import archive
from foveal.core.errors import DataError, NotFoundError, RecipeError, UsageError, WriteError
from foveal.flows.clip_classify import clip_classify
from foveal.flows.clip_evaluate import clip_evaluate
from foveal.flows.clip_export import clip_export
from foveal.flows.evaluate import evaluate
from foveal.flows.pretrain_clip import pretrain_clip, resume_clip
from foveal.tasks import image_text
from foveal.train.recipe import Recipe

COLOURS = {"red": (220, 30, 30), "green": (30, 200, 40), "blue": (40, 60, 220), "yellow": (240, 220, 40)}
RECIPE = Recipe(size=16, epochs=6, precision="fp32", threads=1, settings={"dimensions": 16, "text_width": 32})


def picture(left, right, rng):
    """Two halves of one colour each."""
    pixels = np.repeat(np.array([[COLOURS[left], COLOURS[right]]], np.float64), 8, axis=1).repeat(16, axis=0)
    return Image.fromarray(np.clip(pixels + rng.normal(0, 15, pixels.shape), 0, 255).astype(np.uint8))


def write(folder, count, *, seed, splits=False):
    """Write pictures of two colours side by side, and `pairs.csv`."""
    rng = np.random.default_rng(seed)
    rows = []
    for number in range(count):
        left, right = rng.choice(list(COLOURS), 2, replace=False)
        picture(left, right, rng).save(folder / f"{seed}-{number:04}.png")
        text = f"a {left} half left of a {right} half"
        rows.append([f"{seed}-{number:04}.png", text, *(["train"] if splits else [])])
    with (folder / "pairs.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["path", "text", *(["split"] if splits else [])], *rows])
    return folder / "pairs.csv"


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    return write(tmp_path_factory.mktemp("pairs"), 240, seed=0)


@pytest.fixture(scope="module")
def labelled(tmp_path_factory):
    """One colour over the whole picture, in a folder each."""
    folder, rng = tmp_path_factory.mktemp("labelled"), np.random.default_rng(5)
    for name in COLOURS:
        (folder / name).mkdir()
        for number in range(30):
            picture(name, name, rng).save(folder / name / f"{number}.png")
    return folder


@pytest.fixture(scope="module")
def run(pairs, tmp_path_factory):
    return pretrain_clip(pairs, recipe=RECIPE.changed(epochs=30), out=tmp_path_factory.mktemp("clip") / "run")


def weights(run):
    return (run / "model" / image_text.WEIGHTS).read_bytes()


def test_pictures_and_texts_that_were_kept_apart_find_each_other(run, pairs):
    test = run.document["metrics"]["test"]

    assert run.document["pairs"] == {"fit": 204, "test": 36}
    assert (test["texts"], test["texts_learned"], test["pictures"]) == (10, 10, 36)
    found = test["image_to_text"]["recall_at_1"]
    assert found["low"] > 3 * test["image_to_text"]["chance_at_1"]
    assert found["n"] == 36
    assert test["image_to_text"]["chance_at_1"] == pytest.approx(1 / 10)
    again = clip_evaluate(run.run, pairs)
    assert again["part"] == "test"
    assert again["metrics"] == test
    assert "by chance" in run.report.read_text("utf-8")
    assert not (run.run / "store").exists()


def test_the_order_of_words_is_heard(run, tmp_path):
    model = image_text.load(run.run / "model")
    rng = np.random.default_rng(11)
    asked = [rng.choice(list(COLOURS), 2, replace=False) for _ in range(200)]
    images = np.stack([np.asarray(picture(left, right, rng)) for left, right in asked])

    vectors = model.images(images)
    as_is = model.texts([f"a {left} half left of a {right} half" for left, right in asked])
    turned = model.texts([f"a {right} half left of a {left} half" for left, right in asked])

    assert np.abs(as_is - turned).max() > 0.1
    assert ((vectors * as_is).sum(1) > (vectors * turned).sum(1)).mean() > 0.85


def test_classes_are_recognized_by_texts_alone(run, labelled):
    document = clip_evaluate(run.run, labelled, templates=["a {} half left of a {} half"])
    metrics = document["metrics"]

    assert document["kind"] == "zero_shot"
    assert metrics["accuracy"]["n"] == 120
    assert metrics["accuracy"]["low"] > 2 * metrics["chance"] == 0.5
    asked = clip_classify(
        run.run, [str(labelled / "red")], classes=["red", "blue"], templates=["a {} half left of a {} half"]
    )
    assert len(asked["predictions"]) == 30
    first = asked["predictions"][0]
    assert sum(first["scores"].values()) == pytest.approx(1, abs=1e-5)
    assert first["label"] == max(first["scores"], key=first["scores"].get)
    swapped = clip_classify(
        run.run, [str(labelled / "red")], classes=["blue", "red"], templates=["a {} half left of a {} half"]
    )
    assert [one["label"] for one in swapped["predictions"]] == [one["label"] for one in asked["predictions"]]


def test_sealed_it_answers_as_it_did(run, labelled, tmp_path):
    templates = ["a {} half left of a {} half"]
    document = clip_export(run.run, labelled, out=tmp_path / "colours.foveal", templates=templates, threads=1)

    assert document["ok"]
    predictor = foveal.load(tmp_path / "colours.foveal")
    files = sorted(labelled.rglob("*.png"))
    answers = [one.label for one in predictor.predict(files)]
    asked = clip_classify(run.run, [str(labelled)], classes=predictor.classes, templates=templates)
    by_text = {one["source"]: one["label"] for one in asked["predictions"]}
    assert answers == [by_text[str(path)] for path in files]
    with pytest.raises(WriteError, match="is there already"):
        clip_export(run.run, labelled, out=tmp_path / "colours.foveal")
    with pytest.raises(DataError, match="classes that were not named: green, yellow"):
        clip_export(run.run, labelled, out=tmp_path / "other.foveal", classes=["red", "blue"])


def test_what_was_learned_from_calibrates_nothing_and_a_copy_proves_no_more(run, pairs, labelled, tmp_path):
    saved = json.loads((run.run / "split.json").read_text("utf-8"))
    (tmp_path / "known" / "red").mkdir(parents=True)
    (tmp_path / "known" / "blue").mkdir()
    (tmp_path / "known" / "red" / "0.png").write_bytes((pairs.parent / saved["fit"][0][0]).read_bytes())
    shutil.copy(next((labelled / "blue").iterdir()), tmp_path / "known" / "blue")
    with pytest.raises(DataError, match="1 of 2 pictures were learned from") as error:
        clip_export(run.run, tmp_path / "known", out=tmp_path / "known.foveal")
    assert error.value.code == "trained_on"

    double = shutil.copytree(labelled, tmp_path / "double")
    for path in sorted(double.rglob("*.png")):
        shutil.copy(path, path.with_name(f"again-{path.name}"))
    proving = []
    for data, name in ((labelled, "one.foveal"), (double, "two.foveal")):
        clip_export(run.run, data, out=tmp_path / name, threads=1)
        proving.append(archive.read(tmp_path / name).manifest.decision.conformal.n)
    assert proving[0] == proving[1] > 0
    with pytest.raises(DataError, match="is not the one that the bundle was trained with"):
        evaluate(tmp_path / "one.foveal", labelled)  # what calibrated it does not measure it


def test_stopped_and_resumed_it_ends_in_the_same_bits(pairs, tmp_path):
    def stop(stage, done, total, note=""):
        if stage == "train" and done == 5:
            signal.raise_signal(signal.SIGINT)

    undisturbed = pretrain_clip(pairs, recipe=RECIPE, out=tmp_path / "one")
    with pytest.raises(KeyboardInterrupt):
        pretrain_clip(pairs, recipe=RECIPE, out=tmp_path / "two", progress=stop)

    resumed = resume_clip(tmp_path / "two", pairs)

    assert resumed.document["resumed_from"] == 5
    assert weights(resumed.run) == weights(undisturbed.run)
    assert resumed.document["metrics"] == undisturbed.document["metrics"]
    with pytest.raises(UsageError, match="threads"):
        resume_clip(tmp_path / "two", pairs, threads=2)


def test_what_was_learned_from_measures_nothing(run, pairs, tmp_path):
    saved = json.loads((run.run / "split.json").read_text("utf-8"))
    name = saved["fit"][0][0]
    (tmp_path / "again.png").write_bytes((pairs.parent / name).read_bytes())
    (tmp_path / "pairs.csv").write_text("path,text\nagain.png,red\n", "utf-8")

    with pytest.raises(
        DataError, match=r"1 of 1 pictures were learned from, the first is again\.png"
    ) as error:
        clip_evaluate(run.run, tmp_path / "pairs.csv")

    assert error.value.code == "trained_on"
    (tmp_path / "other").mkdir()
    found = clip_evaluate(run.run, write(tmp_path / "other", 6, seed=9))
    assert found["metrics"]["texts_learned"] is None, "the run does not keep its texts: none may be claimed"


def test_copies_of_a_picture_may_not_be_in_both_parts(tmp_path):
    write(tmp_path, 2, seed=3)
    (tmp_path / "copy.png").write_bytes((tmp_path / "3-0000.png").read_bytes())
    (tmp_path / "pairs.csv").write_text(
        "path,text,split\n3-0000.png,red,train\ncopy.png,blue,test\n", "utf-8"
    )

    with pytest.raises(DataError, match=r"copy\.png is the same as 3-0000\.png"):
        pretrain_clip(tmp_path / "pairs.csv", recipe=RECIPE, out=tmp_path.with_name("torn"))
    assert not tmp_path.with_name("torn").exists()


def test_unreadable_pictures_are_named_and_left_out(tmp_path):
    table = write(tmp_path, 40, seed=4, splits=True)
    (tmp_path / "4-0003.png").write_bytes(b"no picture")

    result = pretrain_clip(table, recipe=RECIPE.changed(epochs=1), out=tmp_path.with_name("left-out"))

    assert result.document["pairs"] == {"fit": 39, "test": 0}
    assert result.document["metrics"] == {}
    (finding,) = result.document["findings"]
    assert (finding["code"], finding["examples"]) == ("unreadable", ("4-0003.png",))


def test_changed_texts_are_not_resumed(tmp_path):
    table = write(tmp_path, 40, seed=6)
    done = pretrain_clip(table, recipe=RECIPE.changed(epochs=1), out=tmp_path.with_name("changed"))
    table.write_text(table.read_text("utf-8").replace("red", "crimson"), "utf-8")

    with pytest.raises(DataError, match=r"is not what .* was started with"):
        resume_clip(done.run, table)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"model": "svm_hog"}, "svm-hog is no image encoder"),
        ({"model": "cnn_gru"}, "cnn-gru is no image encoder"),
        ({"augment": {"mixup": 0.2}}, "mixup blends two pictures"),
        ({"settings": {"dimension": 5}}, "clip has no setting 'dimension'"),
        ({"settings": {"dimensions": 5.5}}, "a whole number from 8"),
        ({"settings": {"text_width": 100}}, "text_width: a multiple of 32; got 100"),
        ({"transfer": True}, "learning from texts has no transfer"),
        ({"unlabelled": "more", "suggest": 5}, "learning from texts has no unlabelled, suggest"),
        ({"baseline": False, "scratch": False}, "learning from texts has no baseline, scratch"),
        ({"objective": "trades"}, "the objective is clip, not trades"),
    ],
)
def test_what_has_no_meaning_is_refused_before_anything_is_read(pairs, tmp_path, changes, told):
    with pytest.raises(RecipeError, match=told):
        pretrain_clip(pairs, recipe=Recipe(**changes), out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_prompts_and_names_that_make_no_sense_are_refused(run, labelled, tmp_path):
    for classes, templates, told in (
        (["red", "blue"], ["a photo"], "a prompt needs {} where the class goes"),
        (["red"], ["{}"], "need two or more classes"),
        (["red", "red"], ["{}"], "need two or more classes"),
        (["red", ""], ["{}"], "need two or more classes"),
        (["red", "-"], ["{}"], "need two or more classes"),
        (["dark-red", "dark_red"], ["{}"], "need two or more classes"),
    ):
        with pytest.raises(UsageError, match=re.escape(told)):
            clip_classify(run.run, [str(labelled)], classes=classes, templates=templates)
    with pytest.raises(NotFoundError, match="no picture in"):
        clip_classify(run.run, [str(tmp_path)], classes=["red", "blue"])
    gone = clip_classify(run.run, [str(labelled / "none.png")], classes=["red", "blue"])
    assert gone["ok"] is False
    assert gone["predictions"][0]["error"]["code"] == "not_found"
    with pytest.raises(NotFoundError, match="no finished run of foveal clip"):
        clip_classify(labelled, [str(labelled)], classes=["red", "blue"])


def test_a_damaged_run_is_told_from_a_good_one(run, tmp_path):
    copy = shutil.copytree(run.run, tmp_path / "copy")
    (copy / "model" / image_text.WEIGHTS).write_bytes(weights(run.run)[:-8])
    with pytest.raises(DataError, match="holds no readable model"):
        image_text.load(copy / "model")
    (copy / "model" / image_text.STRUCTURE).write_text("{}", "utf-8")
    with pytest.raises(DataError, match=r"structure\.json is damaged"):
        image_text.load(copy / "model")
