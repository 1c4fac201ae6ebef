"""Learning without labels from files to a run that others start from."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from foveal import models
from foveal.bundle.locate import locate
from foveal.core.errors import DataError, NotFoundError, RecipeError, UsageError, WriteError
from foveal.data import opening
from foveal.flows import pretrain as flow
from foveal.flows._backbone import embedder_of
from foveal.flows._transfer import fine_tuning
from foveal.flows.pretrain import PretrainResult, pretrain, resume
from foveal.flows.train import train
from foveal.models.pretrained._weights import Weights, read_weights
from foveal.tasks import recognizer as recognizers
from foveal.train.pretext_recipe import PretextRecipe
from foveal.train.recipe import Recipe

FAST = {"size": 16, "precision": "fp32", "threads": 1, "epochs": 2.0, "batch_size": 32, "probes": 2}

OF_LOOSE = {
    "labelled": False,
    "classes": 0,
    "found": 42,
    "images": 40,
    "copies": 1,
    "unusable": 1,
    "measured_on": 0,
}


@pytest.fixture(scope="module")
def pretrained(colors: Path, tmp_path_factory: pytest.TempPathFactory) -> PretrainResult:
    """Return a finished run on the coloured pictures, whose labels only probe; for reading only."""
    recipe = PretextRecipe(method="simclr", **FAST)
    return pretrain(colors, recipe=recipe, out=tmp_path_factory.mktemp("runs") / "pretrain")


@pytest.fixture
def loose(tmp_path: Path) -> Path:
    """40 pictures in a folder without classes, one of them twice, and one that is none."""
    folder = tmp_path / "loose"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(40):
        Image.fromarray(rng.integers(0, 255, (20, 20, 3), dtype=np.uint8)).save(folder / f"{number:02}.png")
    shutil.copy(folder / "00.png", folder / "copy.png")
    (folder / "broken.jpg").write_bytes(b"no picture")
    return folder


@pytest.fixture
def scenes(tmp_path: Path) -> Path:
    """Two classes of 40 pictures each that look like nothing else: smoothed noise."""
    rng = np.random.default_rng(1)
    for name in ("a", "b"):
        (tmp_path / "scenes" / name).mkdir(parents=True)
        for number in range(40):
            small = Image.fromarray(rng.integers(0, 255, (7, 7, 3), dtype=np.uint8))
            small.resize((64, 64), Image.Resampling.BICUBIC).save(
                tmp_path / "scenes" / name / f"{number:02}.png"
            )
    return tmp_path / "scenes"


def test_the_document_has_what_the_contract_and_people_need(pretrained: PretrainResult) -> None:
    document = pretrained.document
    assert document["schema"] == "foveal.pretrain/1"
    assert document["ok"] is True
    assert document["method"] == "simclr"
    assert document["pictures"] == {
        "labelled": True,
        "classes": 3,
        "found": 180,
        "images": 126,
        "copies": 0,
        "unusable": 0,
        "unusable_examples": [],
        "measured_on": 0,
    }
    for key, verdict in document["against_before"].items():
        now, before = document["probe"][key], document["baseline"]["untrained"][key]
        assert (verdict == "better") == (now["low"] > before["high"])
        assert (verdict == "worse") == (now["high"] < before["low"])
    assert [row["step"] for row in document["probes"]] == [0, 4, 8]
    assert document["baseline"]["untrained"]["knn"]["n"] == document["probe"]["knn"]["n"] == 27
    assert document["baseline"]["pixels"]["linear"]["n"] == 27
    assert json.loads((pretrained.run / "metrics.json").read_text()) == document
    page = pretrained.report.read_text()
    assert "What it finds alike" in page
    assert "This page contains your pictures" in page
    assert str(pretrained.run) in page


def test_no_test_picture_was_seen(pretrained: PretrainResult, colors: Path, tmp_path: Path) -> None:
    """What training holds out, with the same seed, was held out here."""
    split = json.loads((pretrained.run / "split.json").read_text())
    later = train(
        colors,
        recipe=Recipe(weights=str(pretrained.run), baseline=False, scratch=False),
        out=tmp_path / "run",
    )
    assert json.loads((later.run / "split.json").read_text()) == split
    assert later.document["start"]["source"] == "pretrain"
    assert later.document["model"] == "nano"


def test_features_can_be_fine_tuned_and_embedded(
    pretrained: PretrainResult, colors: Path, tmp_path: Path
) -> None:
    features = recognizers.load(pretrained.run / "model")
    images = np.random.default_rng(0).integers(0, 256, (5, 16, 16, 3), dtype=np.uint8)
    told = features.logits(images)
    embedder = embedder_of(str(pretrained.run), opening.open(colors))
    assert embedder.dimensions == told.shape[1]
    np.testing.assert_allclose(embedder.features(images), told, rtol=1e-3, atol=1e-4)

    recipe = Recipe(weights=str(pretrained.run), epochs=2, baseline=False, scratch=False, size=16, threads=1)
    tuned = train(colors, recipe=recipe, out=tmp_path / "tuned")
    assert tuned.document["ok"]
    assert tuned.document["start"]["frozen"] is False
    plan = tuned.document["plan"]
    assert (plan["objective"], plan["optimizer"], plan["learning_rate"]) == ("supervised", "adam", 3e-3)


@pytest.mark.parametrize(
    ("headless", "images", "wanted"),
    [
        (True, 2000, ("supervised", "muon", 0.24)),
        (True, 1999, ("supervised", "adam", 3e-3)),
        (False, 2000, ("unfreeze", "adam", 1e-3)),
    ],
)
def test_what_was_learned_without_labels_is_a_start_and_no_more(
    headless: bool, images: int, wanted: tuple[str, str, float]
) -> None:
    """Weights that are good already move in small steps from the top down; such features all at once."""
    weights = Weights({}, "0" * 64, "run", headless=headless)
    recipe = fine_tuning(Recipe(epochs=1), models.architecture("nano"), weights, images=images)

    settings = recipe.architecture.settings
    assert (recipe.objective, settings.optimizer, settings.learning_rate) == wanted


def test_only_a_run_without_labels_says_so(pretrained: PretrainResult, trained) -> None:
    assert read_weights(pretrained.run, model="nano").headless is True
    assert read_weights(trained.run, model="nano").headless is False


def test_a_killed_run_ends_in_the_same_bits(
    pretrained: PretrainResult, colors: Path, tmp_path: Path, stopped_at
) -> None:
    recipe = PretextRecipe(method="simclr", **FAST)
    with pytest.raises(KeyboardInterrupt):
        pretrain(colors, recipe=recipe, out=tmp_path / "run", progress=stopped_at("train", 0.5))
    assert not (tmp_path / "run" / "metrics.json").exists()

    rest = resume(tmp_path / "run")

    assert 0 < rest.document["resumed_from"] < 8
    assert rest.document["probes"][-1]["knn"] == pretrained.document["probes"][-1]["knn"]
    names = [recognizers.load(one.run / "model").network.state_dict() for one in (rest, pretrained)]
    assert all(torch.equal(tensor, names[1][name]) for name, tensor in names[0].items())


def test_pictures_without_any_label_are_enough(loose: Path, tmp_path: Path) -> None:
    result = pretrain(loose, recipe=PretextRecipe(method="rotation", **FAST), out=tmp_path / "run")
    broken = [str(loose / "broken.jpg")]
    assert result.document["pictures"] == {**OF_LOOSE, "unusable_examples": broken}
    assert broken[0] in result.report.read_text()
    assert result.document["probe"]["knn"] is None
    assert set(result.document["against_before"].values()) == {None}
    assert result.document["probe"]["rank"] > 1
    assert not (tmp_path / "run" / "store").exists()


def test_pictures_in_one_folder_of_a_folder_are_no_class(loose: Path, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    loose.rename(tmp_path / "data" / "camera")
    recipe = PretextRecipe(method="rotation", **{**FAST, "epochs": 1.0})
    result = pretrain(tmp_path / "data", recipe=recipe, out=tmp_path / "run")
    broken = [str(tmp_path / "data" / "camera" / "broken.jpg")]
    assert result.document["pictures"] == {**OF_LOOSE, "unusable_examples": broken}


def test_folders_that_are_no_classes_can_be_taken_whole(colors: Path, tmp_path: Path) -> None:
    recipe = PretextRecipe(method="rotation", labels=False, **{**FAST, "epochs": 1.0})
    result = pretrain(colors, recipe=recipe, out=tmp_path / "run")
    told = result.document["pictures"]
    assert (told["labelled"], told["images"], told["found"]) == (False, 180, 180)


def test_near_copies_of_what_is_measured_on_are_not_learned_from(scenes: Path, tmp_path: Path) -> None:
    """Saved once more in another coding: other bytes, the same picture."""
    pool = tmp_path / "pool"
    pool.mkdir()
    for path in scenes.glob("*/*.png"):
        Image.open(path).resize((40, 40)).save(pool / f"{path.parent.name}-{path.stem}.jpg", quality=90)
    recipe = PretextRecipe(method="rotation", probe=str(scenes), **{**FAST, "size": 32, "epochs": 1.0})
    result = pretrain(pool, recipe=recipe, out=tmp_path / "run")
    split = json.loads((tmp_path / "run" / "probe" / "split.json").read_text())
    held_out = len(split["calib"]) + len(split["test"])
    assert result.document["pictures"]["measured_on"] == held_out > 10
    assert result.document["pictures"]["images"] == 80 - held_out


def test_labelled_pictures_from_elsewhere_probe(loose: Path, colors: Path, tmp_path: Path) -> None:
    recipe = PretextRecipe(method="rotation", probe=str(colors), **FAST)
    result = pretrain(loose, recipe=recipe, out=tmp_path / "run")
    assert result.document["pictures"]["labelled"] is False
    assert result.document["probe"]["knn"]["n"] == 27


def test_what_probes_is_not_learned_from_where_it_lies_among_the_pictures(
    colors: Path, tmp_path: Path
) -> None:
    """Who labels some of the pictures probes, and later tests, with pictures that were never seen."""
    everything = tmp_path / "loose"
    everything.mkdir()
    for path in colors.glob("*/*.png"):
        shutil.copy(path, everything / f"{path.parent.name}-{path.name}")
    recipe = PretextRecipe(method="rotation", probe=str(colors), **{**FAST, "epochs": 1.0})
    result = pretrain(everything, recipe=recipe, out=tmp_path / "run")
    assert result.document["pictures"]["measured_on"] == 27 + 27  # of 180; what calibrates, and what tests
    assert result.document["pictures"]["images"] == 126 == result.document["plan"]["images"]
    assert result.document["probe"]["knn"]["n"] == 27


def test_labelled_pictures_are_left_out_where_others_probe_with_them(colors: Path, tmp_path: Path) -> None:
    some = tmp_path / "some"
    for name in ("red", "green"):
        (some / name).mkdir(parents=True)
        for number in range(40):  # other roles are drawn among fewer
            shutil.copy(colors / name / f"{number:03}.png", some / name)
    recipe = PretextRecipe(method="rotation", probe=str(some), **{**FAST, "epochs": 1.0})
    result = pretrain(colors, recipe=recipe, out=tmp_path / "run")
    learned = {content for _, content in json.loads((tmp_path / "run" / "split.json").read_text())["fit"]}
    split = json.loads((tmp_path / "run" / "probe" / "split.json").read_text())
    asked = {content for role in ("calib", "test") for _, content in split[role]}
    assert result.document["pictures"]["measured_on"] == len(learned & asked) > 0
    assert result.document["plan"]["images"] == len(learned - asked)


def test_a_collapsed_network_fails_the_gate(loose: Path, tmp_path: Path) -> None:
    """Pictures that are all the same cannot be told apart: that is said, and the run is written."""
    for path in loose.glob("*.png"):
        pixels = np.full((20, 20, 3), 100, np.uint8)
        pixels[0, 0] = int(path.stem) if path.stem.isdigit() else 99  # another file, hardly another picture
        Image.fromarray(pixels).save(path)
    result = pretrain(loose, recipe=PretextRecipe(method="mae", **FAST), out=tmp_path / "run")
    assert result.document["ok"] is False
    assert result.document["probe"]["collapsed"] is True
    assert {gate["id"]: gate["verdict"] for gate in result.document["gates"]}["spread"] == "fail"
    assert "collapsed" in result.report.read_text()


def test_it_goes_on_from_another_run(pretrained: PretrainResult, loose: Path, tmp_path: Path) -> None:
    recipe = PretextRecipe(method="simclr", weights=str(pretrained.run), **{**FAST, "epochs": 1.0})
    result = pretrain(loose, recipe=recipe, out=tmp_path / "run")
    first = recognizers.load(pretrained.run / "model")
    assert result.document["plan"]["starts_from"] is not None
    assert result.document["model"] == "nano"
    assert recognizers.load(result.run / "model").preprocess.mean == first.preprocess.mean


def test_it_goes_on_from_what_it_started_from_whatever_became_of_that(
    pretrained: PretrainResult, loose: Path, tmp_path: Path, stopped_at, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run keeps the weights it starts from: `runs/last` is the run itself as soon as it has begun."""
    weights = tmp_path / "weights"
    shutil.copytree(pretrained.run, weights)
    fields = {"method": "rotation", **FAST}
    with pytest.raises(WriteError):
        pretrain(loose, recipe=PretextRecipe(weights=str(weights), **fields), out=weights, force=True)
    straight = pretrain(
        loose, recipe=PretextRecipe(weights=str(weights), **fields), out=tmp_path / "straight"
    )
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "last").symlink_to(weights)
    monkeypatch.chdir(tmp_path)
    recipe = PretextRecipe(weights="runs/last", **fields)
    with pytest.raises(KeyboardInterrupt):
        pretrain(loose, recipe=recipe, progress=stopped_at("probe"))
    shutil.rmtree(weights)
    result = resume("runs/last")
    assert (result.run / "model" / "weights.safetensors").read_bytes() == (
        straight.run / "model" / "weights.safetensors"
    ).read_bytes()


def test_other_pictures_are_refused_when_it_goes_on(loose: Path, tmp_path: Path, stopped_at) -> None:
    recipe = PretextRecipe(method="rotation", **FAST)
    with pytest.raises(KeyboardInterrupt):
        pretrain(loose, recipe=recipe, out=tmp_path / "run", progress=stopped_at("train", 0.5))
    (loose / "03.png").unlink()
    with pytest.raises(DataError, match="not those that the run started with"):
        resume(tmp_path / "run")


def test_a_budget_is_kept_and_bounds_the_probes(colors: Path, tmp_path: Path) -> None:
    recipe = PretextRecipe(method="simclr", size=16, time_seconds=20, threads=1, probes=50)
    result = pretrain(colors, recipe=recipe, out=tmp_path / "run")
    rows = result.document["probes"]
    assert result.document["budget"]["seconds"] == 20
    assert sum(row["seconds"] for row in rows[1:]) < 0.25 * 20
    assert rows[-1]["step"] == result.document["plan"]["steps"]


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"model": "svm_hog"}, "no_pretext"),
        ({"model": "cnn_gru"}, "no_pretext"),
        ({"method": "clip"}, "no_pretext"),
        ({"settings": {"temperature": 0.0}}, None),
    ],
)
def test_what_cannot_be_learned_so_is_refused_before_a_folder_is_made(
    colors: Path, tmp_path: Path, fields: dict[str, object], code: str | None
) -> None:
    with pytest.raises(RecipeError) as raised:
        pretrain(colors, recipe=PretextRecipe(**fields), out=tmp_path / "run")
    assert code in (None, raised.value.code)
    if fields.get("method") == "clip":
        assert "foveal clip train" in str(raised.value.hint)
    assert not (tmp_path / "run").exists()


def test_few_pictures_and_a_run_in_the_data_are_refused(tmp_path: Path, colors: Path) -> None:
    few = tmp_path / "few"
    few.mkdir()
    for number in range(5):
        Image.fromarray(np.full((16, 16, 3), 40 * number, np.uint8)).save(few / f"{number}.png")
    with pytest.raises(DataError, match="fewer than 8") as raised:
        pretrain(few, recipe=PretextRecipe(**FAST), out=tmp_path / "run")
    assert raised.value.code == "too_few_images"
    assert not (tmp_path / "run").exists()
    with pytest.raises(WriteError):
        pretrain(colors, recipe=PretextRecipe(**FAST), out=colors / "run")
    with pytest.raises(WriteError):
        pretrain(few, recipe=PretextRecipe(probe=str(colors), **FAST), out=colors / "run")


def test_a_probe_that_is_not_there_is_noticed_before_anything_is_read(loose: Path, tmp_path: Path) -> None:
    recipe = PretextRecipe(probe=str(tmp_path / "nowhere"), **FAST)
    with pytest.raises(NotFoundError):
        pretrain(loose, recipe=recipe, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_network_without_maps_cannot_restore(colors: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no maps"):
        pretrain(colors, recipe=PretextRecipe(method="mae", model="row_gru", **FAST), out=tmp_path / "run")


def test_who_takes_it_for_a_recognizer_is_told_what_it_is(pretrained: PretrainResult) -> None:
    with pytest.raises(NotFoundError, match=r"holds no \.foveal file") as raised:
        locate(pretrained.run)
    assert "foveal train DATA --from" in str(raised.value.hint)


def test_recipes_of_other_commands_are_told_apart(pretrained: PretrainResult, colors: Path, trained) -> None:
    from foveal.flows import train as training

    with pytest.raises(RecipeError, match="recipe of pretrain"):
        training.resume(pretrained.run, colors)
    with pytest.raises(RecipeError, match="no recipe of pretrain"):
        flow.resume(trained.run, colors)
