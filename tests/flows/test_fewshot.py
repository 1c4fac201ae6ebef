"""flows.fewshot_train, fewshot_evaluate: the whole way on files, and what must not be measured."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from foveal.core.errors import DataError, NotFoundError, RecipeError, UsageError
from foveal.flows import fewshot_evaluate as evaluating
from foveal.flows import fewshot_train as training
from foveal.flows._fewshot_measure import Terms, draw, nearest
from foveal.flows._fewshot_run import read_model
from foveal.flows.fewshot_evaluate import Wanted
from foveal.flows.fewshot_train import FewshotResult
from foveal.flows.train import train
from foveal.train.episodic._recipe import FewshotRecipe, fewshot_recipe
from foveal.train.recipe import Recipe, write_recipe

FEW = Wanted(episodes=40, query=4)
RECIPE = {"steps": 25, "size": 16, "query": 2, "train_way": 8, "way": 4, "seed": 0, "threads": 1}


def write(folder: Path, *, first: int, classes: int, seed: int) -> Path:
    """Write class folders; each class is a pattern of its own, seen through noise."""
    rng = np.random.default_rng(seed)
    for k in range(first, first + classes):
        kind = rng.integers(0, 2, (4, 4)).repeat(4, 0).repeat(4, 1) * 160 + 40
        (folder / f"kind{k:02d}").mkdir(parents=True)
        for i in range(8):
            pixels = (kind + rng.normal(0, 20, (16, 16))).clip(0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / f"kind{k:02d}" / f"{i}.png")
    return folder


@pytest.fixture(scope="module")
def kinds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("kinds") / "learned", first=0, classes=30, seed=0)


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("kinds") / "others", first=50, classes=8, seed=1)


@pytest.fixture(scope="module")
def fewshot(kinds: Path, tmp_path_factory: pytest.TempPathFactory) -> FewshotResult:
    """Return a finished run; for reading only."""
    return training.train(
        kinds, recipe=FewshotRecipe(**RECIPE), out=tmp_path_factory.mktemp("runs") / "fewshot"
    )


def test_classes_never_seen_are_told_apart_better_than_without_learning(fewshot: FewshotResult) -> None:
    document = fewshot.document
    test = document["metrics"]["test"]

    assert document == json.loads((fewshot.run / "metrics.json").read_text())
    assert (document["schema"], document["action"]) == ("foveal.fewshot/1", "train")
    assert document["data"]["classes"] == {"fit": 22, "calib": 4, "test": 4}
    assert (test["way"], test["shot"], test["query"], test["episodes"]) == (4, 1, 7, 600)
    assert test["accuracy"]["value"] > 0.9
    assert test["accuracy"]["low"] <= test["accuracy"]["value"] <= test["accuracy"]["high"]
    assert test["inner_steps"] is test["before_adaptation"] is test["transductive"] is None
    assert test["baselines"]["chance"] == 0.25
    assert set(test["baselines"]) == {"pixels_nearest", "pixels_prototypes", "untrained", "chance"}


def test_no_class_is_both_learned_from_and_measured_on(fewshot: FewshotResult) -> None:
    saved = json.loads((fewshot.run / "split.json").read_text())
    sides = [set(saved["classes"][role]) for role in ("fit", "calib", "test")]

    assert sum(map(len, sides)) == len(set.union(*sides)) == 30
    for role, side in zip(("fit", "calib", "test"), sides, strict=True):
        assert {source.partition("/")[0] for source, _ in saved[role]} == side


def test_the_run_folder_holds_what_a_run_holds_and_a_page_with_a_task(fewshot: FewshotResult) -> None:
    there = {path.name for path in fewshot.run.iterdir()}
    page = (fewshot.run / "report.html").read_text()

    assert there >= {
        "recipe.toml",
        "env.json",
        "plan.json",
        "history.jsonl",
        "metrics.json",
        "model",
        "split.json",
    }
    assert "prototypical networks" in page.lower()
    assert page.count("data:image/png") >= 4 * (1 + 5)
    assert "<svg" in page


def test_it_is_measured_again_on_held_out_classes_and_on_others(
    fewshot: FewshotResult, kinds: Path, others: Path
) -> None:
    again = evaluating.evaluate(fewshot.run, kinds, wanted=Wanted(episodes=600))
    new = evaluating.evaluate(fewshot.run, others, wanted=FEW)
    other = evaluating.evaluate(
        fewshot.run, others, wanted=Wanted(episodes=40, query=4, way=3, shot=2, transductive=True)
    )

    assert again["data"]["unseen"] == "split"
    assert again["metrics"] == fewshot.document["metrics"]["test"], "the same classes, tasks and weights"
    assert (new["data"]["unseen"], new["metrics"]["classes"]) == ("content", 8)
    assert new["metrics"]["accuracy"]["value"] > 0.8
    assert (other["metrics"]["way"], other["metrics"]["shot"]) == (3, 2)
    assert other["metrics"]["transductive"]["n"] == 40


def test_pictures_and_classes_that_were_learned_from_are_refused(
    fewshot: FewshotResult, kinds: Path, others: Path, tmp_path: Path
) -> None:
    learned = sorted(json.loads((fewshot.run / "split.json").read_text())["classes"]["fit"])[0]
    copied, renamed, named = (tmp_path / name for name in ("copied", "renamed", "named"))
    for folder in (copied, renamed, named):
        for one in others.iterdir():
            (folder / one.name).mkdir(parents=True)
            for file in one.iterdir():
                (folder / one.name / file.name).write_bytes(file.read_bytes())
    (renamed / "unheard").mkdir()
    for file in (kinds / learned).iterdir():
        (renamed / "unheard" / file.name).write_bytes(file.read_bytes())
    (named / "kind50").rename(named / learned)

    for folder, said in (
        (renamed, "8 of 72 pictures"),
        (named, f"classes were learned from, the first is {learned}"),
    ):
        with pytest.raises(DataError, match=said) as caught:
            evaluating.evaluate(fewshot.run, folder, wanted=FEW)
        assert caught.value.code == "trained_on"
    assert evaluating.evaluate(fewshot.run, copied, wanted=FEW)["data"]["unseen"] == "content"
    with pytest.raises(UsageError, match="no split 'train'"):
        evaluating.evaluate(fewshot.run, kinds, wanted=Wanted(split="train"))
    with pytest.raises(UsageError, match="no split 'test'; it has: none"):
        evaluating.evaluate(fewshot.run, others, wanted=Wanted(split="test"))
    with pytest.raises(UsageError, match="no inner steps"):
        evaluating.evaluate(fewshot.run, others, wanted=Wanted(steps=3))
    with pytest.raises(NotFoundError, match="no few-shot run"):
        evaluating.evaluate(tmp_path, others)


def test_a_run_that_was_stopped_ends_in_the_same_file(
    fewshot: FewshotResult, kinds: Path, tmp_path: Path, stopped_at
) -> None:
    out = tmp_path / "stopped"
    with pytest.raises(KeyboardInterrupt):
        training.train(kinds, recipe=FewshotRecipe(**RECIPE), out=out, progress=stopped_at("train", 0.4))
    assert not (out / "metrics.json").exists()
    with pytest.raises(NotFoundError, match="not finished"):
        evaluating.evaluate(out, kinds)

    resumed = training.resume(out, kinds)

    for name in ("model/weights.safetensors", "history.jsonl", "plan.json", "split.json"):
        assert (out / name).read_bytes() == (fewshot.run / name).read_bytes()
    assert resumed.document["metrics"] == fewshot.document["metrics"]


def test_another_kind_of_run_is_not_gone_on_with(kinds: Path, tmp_path: Path) -> None:
    write_recipe(Recipe(epochs=3), tmp_path / "recipe.toml")

    with pytest.raises(RecipeError, match="is no few-shot run"):
        training.resume(tmp_path, kinds)


def test_a_training_with_labels_starts_from_what_was_learned(
    fewshot: FewshotResult, others: Path, tmp_path: Path
) -> None:
    recipe = Recipe(weights=str(fewshot.run), size=16, threads=1, baseline=False, scratch=False)
    result = train(others, recipe=recipe, out=tmp_path / "run")

    assert result.document["model"] == "conv4"


@pytest.mark.slow
def test_maml_says_what_it_is_and_how_often_it_steps(kinds: Path, tmp_path: Path) -> None:
    recipe = FewshotRecipe(
        **{
            **RECIPE,
            "method": "maml",
            "train_way": 4,
            "steps": 6,
            "first_order": True,
            "inner_steps": 2,
            "test_steps": 4,
        }
    )
    found = training.train(kinds, recipe=recipe, out=tmp_path / "maml")

    test = found.document["metrics"]["test"]
    assert (found.document["name"], found.document["first_order"]) == ("first-order MAML", True)
    assert found.document["learned"]["inner_steps"] == 2
    assert test["inner_steps"] == 4
    assert test["before_adaptation"]["value"] == pytest.approx(0.25)
    assert "First-order MAML" in (found.run / "report.html").read_text()
    objective, _ = read_model(found.run)
    assert objective.first_order


@pytest.mark.parametrize(
    ("wishes", "said"),
    [
        ({"steps": 3, "epochs": 1.0}, "not several"),
        ({"way": 1}, "way"),
        ({"held_out": 0.6}, "held_out"),
        ({"nonsense": 1}, "nonsense"),
        ({"inner_rate": 0.0}, "inner_rate"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_written(wishes, said: str) -> None:
    with pytest.raises(RecipeError, match=said):
        fewshot_recipe(wishes)


def test_a_setting_of_another_method_leaves_no_folder_behind(kinds: Path, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="no setting 'inner_steps'"):
        training.train(kinds, recipe=FewshotRecipe(**RECIPE, inner_steps=2), out=tmp_path / "run")
    with pytest.raises(RecipeError, match="prototypical networks: no inner steps are taken"):
        training.train(kinds, recipe=FewshotRecipe(**RECIPE, test_steps=2), out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_without_held_out_classes_nothing_is_measured_and_it_says_so(
    kinds: Path, others: Path, tmp_path: Path
) -> None:
    found = training.train(
        kinds, recipe=FewshotRecipe(**{**RECIPE, "steps": 2, "held_out": 0.0}), out=tmp_path / "run"
    )

    assert found.document["metrics"] == {"val": None, "test": None}
    assert "No classes were held out" in (found.run / "report.html").read_text()
    with pytest.raises(DataError, match="held no test classes"):
        evaluating.evaluate(found.run, kinds, wanted=FEW)
    assert evaluating.evaluate(found.run, others, wanted=FEW)["metrics"]["episodes"] == 40


def test_the_nearest_picture_decides_and_tasks_follow_from_the_seed() -> None:
    support = torch.tensor([[[0.0], [4.0], [10.0], [11.0]]])
    found = nearest(support, torch.tensor([[0, 1, 0, 1]]), torch.tensor([[[1.0], [10.4], [10.6]]]))

    assert found.argmax(2).tolist() == [[0, 0, 1]]
    assert found[0, 0].tolist() == [-1.0, -9.0]
    labels = np.arange(6).repeat(5)
    one, again, other = (draw(labels, Terms(3, 1, episodes=4, seed=seed)) for seed in (0, 0, 1))
    assert one.shape.query == 4, "as many as there are"
    assert np.array_equal(one.drawn.query, again.drawn.query)
    assert not np.array_equal(one.drawn.query, other.drawn.query)


@pytest.mark.parametrize(
    ("counts", "way", "query", "left_out"),
    [
        ([20] * 5 + [4] * 95, 5, 3, 0),  # not 15, of which the five large classes alone have enough
        ([20] * 60 + [4] * 40, 5, 15, 40),  # most have as many as are asked for
        ([9] * 3 + [2] * 7, 5, 1, 0),
        ([1] * 8 + [5] * 4, 4, 4, 8),  # one picture is never enough
        ([3, 3, 9], 3, 2, 0),  # every class is needed
    ],
)
def test_how_many_are_asked_about_follows_from_most_classes(
    counts: list[int], way: int, query: int, left_out: int
) -> None:
    labels = np.repeat(np.arange(len(counts)), counts)

    asked = draw(labels, Terms(way, 1, episodes=2))

    assert (asked.shape.query, asked.left_out) == (query, left_out)


def test_tasks_of_more_classes_than_have_pictures_are_refused() -> None:
    with pytest.raises(DataError, match="3 of 4 have that many") as caught:
        draw(np.repeat(np.arange(4), [1, 2, 2, 2]), Terms(4, 1, episodes=2))
    assert caught.value.code == "too_few_classes"
