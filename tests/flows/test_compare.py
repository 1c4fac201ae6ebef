"""flows.compare: the same pictures for all, the exact test on them, honest refusals, the page, the curve."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from foveal.core.errors import DataError, UsageError, WriteError
from foveal.data import opening
from foveal.flows._contestants import contestants
from foveal.flows.compare import Terms, compare, write_page
from foveal.flows.evaluate import Terms as Running
from foveal.flows.evaluate import evaluate
from foveal.flows.train import TrainResult, train
from foveal.metrics.mcnemar import mcnemar
from foveal.metrics.paired_difference import paired_difference
from foveal.report import comparison_words as says
from foveal.report.comparison_page import comparison_page
from foveal.train.recipe import Recipe, read_recipe, write_recipe

ONE = Terms(threads=1)
ONE_THREAD = Running(threads=1)
WEAK = Recipe(epochs=1, size=16, precision="fp32", threads=1, images=6)


@pytest.fixture(scope="module")
def rival(colors: Path, tmp_path_factory: pytest.TempPathFactory) -> TrainResult:
    """Return a run that has seen six of the coloured pictures, once."""
    return train(colors, recipe=WEAK, out=tmp_path_factory.mktemp("rival") / "rival")


@pytest.fixture(scope="module")
def found(trained: TrainResult, rival: TrainResult, colors: Path):
    return compare([trained.run, rival.run], colors, ONE)


def curve(models, data, images, folder):
    return compare(models, data, Terms(curve=images, folder=folder, threads=1)).document["curve"]


def test_numbers_of_each_are_those_of_its_evaluation(found, trained, rival, colors) -> None:
    for row, run in zip(found.document["models"], (trained, rival), strict=True):
        alone = evaluate(run.run, colors, terms=ONE_THREAD).report.as_json()

        assert row["accuracy"] == alone["metrics"]["accuracy"]
        assert row["worst_class"] == alone["metrics"]["worst_class"]
        assert row["robustness"] == alone["robustness"]
        learned = json.loads((run.run / "split.json").read_text())["fit"]
        assert row["on_training_images"]["n"] == len(learned) == row["trained_on"]
        assert row["digest"] == alone["digest"]
        assert row["size_bytes"] == run.bundle.stat().st_size
        assert 0 < row["latency_ms"] <= row["latency_p99_ms"]
    assert json.loads(json.dumps(found.document, allow_nan=False)) == found.document


def test_pair_is_tested_on_the_answers_to_the_same_pictures(found, trained, rival, colors) -> None:
    both, _ = contestants(
        [trained.run, rival.run], opening.open(colors), split=None, threads=1, progress=lambda *_: None
    )
    assert both[0].held_out.sources == both[1].held_out.sources
    expected = mcnemar(both[0].right, both[1].right)

    [pair] = found.document["pairs"]

    assert (pair["only_a"], pair["only_b"]) == (expected.only_a, expected.only_b)

    assert pair["p_value"] == pair["p_adjusted"] == expected.p_value
    assert (pair["a"], pair["b"]) == tuple(row["name"] for row in found.document["models"])


def test_what_was_learned_by_heart_is_not_known_without_the_run(trained, rival, colors, tmp_path) -> None:
    bundle = Path(shutil.copy(trained.bundle, tmp_path))

    alone, beside = compare([bundle, rival.run], colors, ONE).document["models"]

    assert alone["on_training_images"] is None
    assert beside["on_training_images"]["n"] == 6
    assert len(says.gap_sentences({"models": [alone, beside]})) == 1


def test_the_slower_one_of_a_pair_is_the_one_with_the_longer_time(found) -> None:
    [pair] = found.document["pairs"]
    times = {row["name"]: row["latency_ms"] for row in found.document["models"]}
    slower, longer = pair["latency"]["slower"], pair["latency"]["longer"]
    faster = next(name for name in times if name != slower)

    assert times[slower] >= times[faster]
    assert 1 + longer["value"] == pytest.approx(times[slower] / times[faster], rel=0.2)
    assert longer["real"] == (longer["low"] > 0 and longer["value"] > longer["noise_share"])


def test_pictures_where_they_differ_are_shown_with_what_was_answered(found) -> None:
    rows = found.document["disagreements"]

    assert rows
    assert all(row["truth"] != row["label"] for row in rows)
    assert {row["source"] for row in rows} == set(found.pictures)


def test_models_with_other_splits_are_compared_on_what_both_held_out(trained, colors, tmp_path) -> None:
    other = train(colors, recipe=WEAK.changed(seed=1), out=tmp_path / "other")
    sources = [
        {source for source, _ in json.loads((run / "split.json").read_text())["test"]}
        for run in (trained.run, other.run)
    ]

    document = compare([trained.run, other.run], colors, ONE).document

    assert sources[0] != sources[1]
    assert document["images"] == len(sources[0] & sources[1])


def test_a_picture_that_one_has_learned_from_is_refused(trained, rival, colors, tmp_path) -> None:
    learned = json.loads((rival.run / "split.json").read_text())["fit"][0][0]
    for name in ("blue", "green", "red"):
        (tmp_path / "new" / name).mkdir(parents=True)
    shutil.copy(colors / learned, tmp_path / "new" / learned)

    with pytest.raises(DataError, match="learned from") as caught:
        compare([trained.run, rival.run], tmp_path / "new", ONE)

    assert caught.value.code == "trained_on"


def test_a_picture_that_cannot_be_read_counts_in_no_number(trained, rival, tmp_path) -> None:
    rng = np.random.default_rng(0)
    for name in ("blue", "green", "red"):
        (tmp_path / "new" / name).mkdir(parents=True)
        Image.fromarray(rng.integers(0, 255, (20, 20, 3), dtype=np.uint8)).save(
            tmp_path / "new" / name / "a.png"
        )
    (tmp_path / "new" / "red" / "b.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")

    document = compare([trained.run, rival.run], tmp_path / "new", ONE).document

    assert document["images"] == 3
    assert [row["source"] for row in document["unreadable"]] == ["red/b.png"]
    assert any("could not be read" in sentence for sentence in says.not_shown(document))


def test_one_model_or_the_same_twice_is_refused(trained, colors) -> None:
    with pytest.raises(UsageError, match="two models or more"):
        compare([trained.run], colors)
    with pytest.raises(UsageError, match="named twice"):
        compare([trained.run, trained.bundle], colors)


def test_bundles_whose_run_is_unknown_are_said_to_be_so(trained, rival, colors, tmp_path) -> None:
    shutil.copy(trained.bundle, tmp_path / "first.foveal")
    shutil.copy(rival.bundle, tmp_path / "second.foveal")
    rng = np.random.default_rng(1)
    for name in ("blue", "green", "red"):
        (tmp_path / "new" / name).mkdir(parents=True)
        Image.fromarray(rng.integers(0, 255, (20, 20, 3), dtype=np.uint8)).save(
            tmp_path / "new" / name / "a.png"
        )

    document = compare([tmp_path / "first.foveal", tmp_path / "second.foveal"], tmp_path / "new").document

    assert [row["name"] for row in document["models"]] == ["first", "second"]
    assert any("is not known" in sentence for sentence in says.not_shown(document))


def test_robustness_is_measured_on_the_same_pictures_and_said(found) -> None:
    told, document = says.resistance_sentences(found.document), found.document["resistance"]

    assert [row["name"] for row in document["models"]] == [row["name"] for row in found.document["models"]]
    assert document["images"] == found.document["independent_images"]
    assert (document["level"], document["attack"]["queries"]) == ("quick", 100)
    for row in document["models"]:
        assert [one["ball"] for one in row["attacked"]] == document["attack"]["balls"]
        values = [row["clean"]["value"], *(one["value"] for one in row["attacked"])]
        assert values == sorted(values, reverse=True)
        assert {one["kind"] for one in row["attacked"]} == {"upper_bound"}
    assert len(told) == 2 + len(document["pairs"])
    assert {pair["stress"] for pair in document["pairs"]} == {"mean_corruption", *document["attack"]["balls"]}


def test_without_robustness_nothing_is_attacked_and_another_level_is_refused(trained, rival, colors) -> None:
    document = compare([trained.run, rival.run], colors, Terms(threads=1, robustness="none")).document

    assert document["resistance"] is None
    assert says.resistance_sentences(document) == []
    assert "Which is more robust" not in comparison_page(document, pictures={})
    with pytest.raises(UsageError, match="none, quick or full"):
        compare([trained.run, rival.run], colors, Terms(robustness="some"))


def test_page_shows_verdict_pictures_and_charts_and_loads_nothing(found, tmp_path) -> None:
    write_page(found, tmp_path / "page.html")

    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert says.pair_sentence(found.document["pairs"][0]).split(":")[0].replace("“", "“") in page
    assert page.count("<svg") == 4
    assert "Which is more robust" in page
    assert page.count('src="data:image/') == len(found.document["disagreements"])
    assert "http" not in page.replace("http-equiv", "")


def test_names_of_files_and_classes_are_text_and_no_markup(found) -> None:
    document = {**found.document, "data": "<b>x</b>"}
    document["models"] = [{**row, "name": f"<i>{row['name']}"} for row in document["models"]]

    page = comparison_page(document, pictures={})

    assert "<b>x</b>" not in page
    assert "<i>train" not in page


def test_curve_trains_on_nested_subsets_and_measures_on_the_same_pictures(
    trained, rival, colors, tmp_path
) -> None:
    full = train(colors, recipe=Recipe(epochs=2, size=16, precision="fp32", threads=1), out=tmp_path / "full")

    rows = curve([trained.run, full.run], colors, (20, 9), tmp_path / "curve")

    full_count = len(json.loads((full.run / "split.json").read_text())["fit"])
    assert [row["images"] for row in rows] == [9, 21, full_count] * 2
    assert {row["accuracy"]["n"] for row in rows} == {27}
    fits = [
        {source for source, _ in json.loads((Path(row["run"]) / "split.json").read_text())["fit"]}
        for row in rows
    ]
    assert fits[0] < fits[1] < fits[2]
    before = weights(tmp_path / "curve")
    again = curve([trained.run, full.run], colors, (9,), tmp_path / "curve")

    assert [row for row in again if row["images"] == 9] == [row for row in rows if row["images"] == 9]
    assert weights(tmp_path / "curve") == before, "nothing is trained again"


def weights(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.glob("*/checkpoints/*")}


def test_curve_is_not_made_of_trainings_by_another_recipe(trained, rival, colors, tmp_path) -> None:
    train(
        colors, recipe=Recipe(epochs=1, size=16, threads=1, images=5), out=tmp_path / f"{trained.run.name}-3"
    )

    with pytest.raises(UsageError, match="was trained by another recipe") as caught:
        curve([trained.run, rival.run], colors, (3,), tmp_path)

    assert caught.value.code == "other_training"


def test_curve_of_a_bundle_alone_or_with_too_many_pictures_is_refused(
    trained, rival, colors, tmp_path
) -> None:
    shutil.copy(trained.bundle, tmp_path / "alone.foveal")
    with pytest.raises(UsageError, match="no run folder"):
        curve([rival.run, tmp_path / "alone.foveal"], colors, (3,), tmp_path / "x")
    with pytest.raises(UsageError, match="a curve takes fewer"):
        curve([trained.run, rival.run], colors, (6,), tmp_path / "x")
    with pytest.raises(WriteError, match="only read"):
        curve([trained.run, rival.run], colors, (5,), colors / "x")
    assert not (tmp_path / "x").exists()


@pytest.fixture(scope="module")
def bursts(trained, rival, tmp_path_factory) -> Path:
    """Return 24 new pictures of 6 things, which a groups.csv tells; both runs know the key it is under."""
    folder = tmp_path_factory.mktemp("bursts") / "new"
    rng = np.random.default_rng(2)
    for place in range(24):
        name = ("blue", "green", "red")[place % 3]
        (folder / name).mkdir(parents=True, exist_ok=True)
        pixels = rng.integers(0, 255, (20, 20, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / name / f"track{place % 6}_{place}.png")
    return folder


@pytest.mark.parametrize("order", [1, -1])
def test_pictures_of_one_thing_count_once_whichever_model_is_named_first(
    trained, rival, bursts, order
) -> None:
    dataset = opening.open(bursts, group=r"(track\d)")

    document = compare([trained.run, rival.run][::order], dataset, ONE).document

    assert (document["images"], document["independent_images"]) == (24, 6)
    assert document["pairs"][0]["n"] == 6
    assert evaluate(trained.run, dataset, terms=ONE_THREAD).report.provenance["independent_images"] == 6
    assert any("belong together" in sentence for sentence in says.not_shown(document))


def test_what_only_one_run_was_told_belongs_together_counts_for_both(
    trained, rival, bursts, tmp_path
) -> None:
    told = Path(shutil.copytree(trained.run, tmp_path / "told"))
    recipe = read_recipe(told / "recipe.toml").changed(group=r"(track\d)")
    write_recipe(recipe, told / "recipe.toml")

    counts = [
        compare(models, bursts, ONE).document["independent_images"]
        for models in ([told, rival.run], [rival.run, told])
    ]

    assert counts == [6, 6]
    other = Path(shutil.copytree(rival.run, tmp_path / "other"))
    write_recipe(recipe.changed(group=r"(\d)"), other / "recipe.toml")
    with pytest.raises(UsageError, match="told different groups") as caught:
        compare([told, other], bursts, ONE)
    assert caught.value.code == "other_groups"


def test_with_three_models_the_intervals_hold_for_all_pairs_together(
    trained, rival, colors, tmp_path
) -> None:
    third = train(colors, recipe=WEAK.changed(images=9), out=tmp_path / "third")

    pairs = compare([trained.run, rival.run, third.run], colors, ONE).document["pairs"]

    for pair in pairs:
        assert pair["confidence"] == pytest.approx(1 - 0.05 / 3)
        expected = paired_difference(pair["only_a"], pair["only_b"], pair["n"], 1 - 0.05 / 3)
        assert pair["difference"] == expected.as_json()
        assert "98.3%" in says.pair_sentence(pair)


def test_an_interval_that_seems_to_contradict_the_test_is_explained() -> None:
    found = {"a": "one", "b": "two", "n": 5, "only_a": 4, "only_b": 0, "verdict": "no_difference_shown"}
    found |= {"p_value": 0.125, "p_adjusted": 0.125, "confidence": 0.95}
    for low, explained in ((0.018, True), (-0.1, False)):
        sentence = says.pair_sentence({**found, "difference": {"value": 0.8, "low": low, "high": 0.96}})
        assert ("approximate" in sentence) is explained
