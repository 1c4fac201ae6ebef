"""Transfer learning end to end, with a small network of our own as what was trained elsewhere."""

import json
import shutil
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from foveal.bundle import archive
from foveal.core.errors import DataError, FovealError, RecipeError, UsageError
from foveal.core.progress import silent
from foveal.data import opening
from foveal.data.dataset import Picture
from foveal.flows import _features as computed
from foveal.flows import _origin, _scratch
from foveal.flows import _transfer as transfer
from foveal.flows._prepare import Wishes, prepare
from foveal.flows.export import export
from foveal.flows.train import TrainResult, resume, train
from foveal.models._head import head_of
from foveal.tasks import recognizer as recognizers
from foveal.train.fit_plan import FitPlan
from foveal.train.plan import read_plan
from foveal.train.recipe import Recipe

BODY = ["whiten.", "stem.", "stages."]


def body(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: tensor for name, tensor in state.items() if not name.startswith("head.")}


@pytest.fixture(scope="module")
def source(trained: TrainResult) -> Path:
    """Return a finished run whose weights others start from."""
    return trained.run


@pytest.fixture(scope="module")
def recipe(source: Path) -> Recipe:
    return Recipe(weights=str(source), size=16, threads=1, baseline=False, scratch=False)


@pytest.fixture(scope="module")
def transferred(colors: Path, recipe: Recipe, tmp_path_factory: pytest.TempPathFactory) -> TrainResult:
    return train(colors, recipe=recipe, out=tmp_path_factory.mktemp("transfers") / "head")


def test_a_head_is_fitted_and_nothing_below_it_moves(transferred: TrainResult, source: Path) -> None:
    before = recognizers.load(source / "model").network.state_dict()
    after = recognizers.load(transferred.run / "model").network.state_dict()

    for name, tensor in body(before).items():
        assert torch.equal(after[name], tensor), f"{name} moved, batch-norm statistics included"
    assert not torch.equal(after["head.weight"], before["head.weight"])
    assert transferred.document["metrics"]["test"]["accuracy"]["value"] > 0.9


def test_exported_again_a_file_says_what_it_started_from(transferred: TrainResult, tmp_path: Path) -> None:
    made = export(transferred.run, tmp_path / "again.foveal").bundle

    assert transferred.bundle is not None
    assert made is not None
    before, after = (archive.read(path).manifest for path in (transferred.bundle, made))
    assert after.model.source == before.model.source != "scratch"
    assert after.licenses == before.licenses


def test_without_a_model_it_is_that_of_the_weights_that_pip_installs(colors: Path, tmp_path: Path) -> None:
    recipe = Recipe(transfer=True, size=32, threads=1, baseline=False, scratch=False)

    result = train(colors, recipe=recipe, out=tmp_path / "run")

    assert result.document["model"] == "efficientnet-lite0"
    assert result.document["metrics"]["test"]["accuracy"]["value"] > 0.9


def test_normalization_is_that_of_the_weights_and_not_of_the_new_data(
    transferred: TrainResult, source: Path
) -> None:
    theirs, ours = (recognizers.load(run / "model").preprocess for run in (source, transferred.run))

    assert (ours.mean, ours.std) == (theirs.mean, theirs.std)
    assert json.loads((transferred.run / "plan.json").read_text())["kind"] == "head"


def test_another_normalization_than_that_of_the_weights_is_refused_before_anything_starts(
    colors: Path, source: Path, tmp_path: Path
) -> None:
    recipe = Recipe(weights=str(source), normalization="none")

    with pytest.raises(RecipeError, match="answer wrongly"):
        train(colors, recipe=recipe, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"learning_rate": 0.1, "precision": "bf16"}, "a linear head .* it has no learning_rate, precision"),
        ({"label_smoothing": 0.1}, "it has no label_smoothing"),
        ({"head": "svm", "augment": "robust"}, "a svm head .* it has no augment"),
        ({"augment": {"mixup": 0.2}}, "one picture, without mixup"),
    ],
)
def test_what_a_frozen_transfer_has_no_use_for_is_refused(
    fields: dict[str, object], told: str, colors: Path, recipe: Recipe, tmp_path: Path
) -> None:
    with pytest.raises(RecipeError, match=told):
        train(colors, recipe=recipe.changed(**fields), out=tmp_path / "run")

    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("augment", ["none", "robust", {"noise": 0.1, "color": 0.0}])
def test_pictures_are_changed_as_asked(augment: object, colors: Path, recipe: Recipe, tmp_path: Path) -> None:
    result = train(colors, recipe=recipe.changed(augment=augment), out=tmp_path / "run")

    plan = read_plan(result.run / "plan.json")
    assert isinstance(plan, FitPlan)
    usual = {"crop": 0.75, "color": 0.4}
    expected = {"none": {}, "robust": {**usual, "corruption": 1.0, "noise": 0.2}}.get(
        str(augment), {"noise": 0.1}
    )
    assert {name: s for name, s in plan.augmentation.items() if name != "flip"} == expected
    assert plan.views == (4 if expected else 1)


def test_who_wants_pictures_changed_gets_a_changed_view_however_many_there_are(recipe: Recipe) -> None:
    for augment, expected in (("auto", 1), ({"flip": 1.0}, 2), ("robust", 2), ("none", 1)):
        count, changes = transfer.shown(recipe.changed(augment=augment), transfer.VIEWS, pictures=40_000)
        assert (count, bool(changes)) == (expected, expected > 1)


@pytest.mark.slow
def test_a_svm_head_ships_as_well(colors: Path, recipe: Recipe, tmp_path: Path) -> None:
    result = train(colors, recipe=recipe.changed(head="svm"), out=tmp_path / "svm")

    assert result.document["metrics"]["test"]["accuracy"]["value"] > 0.9
    again = recognizers.load(result.run / "model")
    assert "coefficients" in " ".join(again.network.state_dict())


def test_weights_of_another_network_are_refused_with_what_does_not_fit(source: Path, tmp_path: Path) -> None:
    file = tmp_path / "weights.safetensors"
    file.write_bytes((source / "model" / "weights.safetensors").read_bytes())

    with pytest.raises(DataError, match=r"missing: .*conv1\.weight") as caught:
        _origin.origin_of(Recipe(model="resnet18", weights=str(file)))
    assert caught.value.code == "weights_mismatch"


def test_a_run_of_another_network_is_refused_by_its_name(source: Path) -> None:
    with pytest.raises(DataError, match="learned with nano, not with resnet18") as caught:
        _origin.origin_of(Recipe(model="resnet18", weights=str(source)))
    assert caught.value.code == "weights_mismatch"


@pytest.mark.slow
def test_the_run_goes_on_without_the_source(
    colors: Path, source: Path, recipe: Recipe, tmp_path: Path, transferred: TrainResult, stopped_at
) -> None:
    copy = Path(shutil.copytree(source, tmp_path / "source"))
    told = recipe.changed(weights=str(copy))
    with pytest.raises((KeyboardInterrupt, FovealError)):
        train(colors, recipe=told, out=tmp_path / "run", progress=stopped_at("fit"))
    assert not list((tmp_path / "run").glob("checkpoints/*")), "no head is fitted yet"
    shutil.rmtree(copy)

    result = resume(tmp_path / "run", colors, threads=1)

    states = [recognizers.load(r.run / "model").network.state_dict() for r in (result, transferred)]
    for name, tensor in states[0].items():
        assert torch.equal(tensor, states[1][name]), name


@pytest.mark.parametrize("changes", [{"head": "svm", "epochs": 2.0}])
def test_only_a_linear_head_goes_on_learning(changes: dict[str, object]) -> None:
    with pytest.raises(RecipeError, match="only a linear head"):
        Recipe(transfer=True).changed(**changes)


def test_a_model_without_published_weights_says_which_have_some() -> None:
    with pytest.raises(UsageError, match="no package holds weights of nano") as caught:
        _origin.origin_of(Recipe(transfer=True))
    assert "efficientnet-lite0" in str(caught.value.hint)


def prepared(data: Path, folder: Path, recipe: Recipe):
    weights = _origin.origin_of(recipe)
    dataset = opening.open(data)
    like = transfer.preprocess_for(dataset, recipe, weights)
    folder.mkdir(exist_ok=True)
    return weights, prepare(dataset, folder, Wishes(None, 0, False, 1, None, like), progress=silent)


def test_features_come_from_the_cache_only_while_the_data_are_the_same(
    colors: Path, recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from PIL import Image

    data = shutil.copytree(colors, tmp_path / "data")
    weights, first = prepared(data, tmp_path / "a", recipe)
    plan = transfer.plan_head(recipe, weights, first, threads=1)
    fitted = [transfer.fit_head(plan, recipe.architecture, weights, first, progress=silent)]
    calls = []
    original = computed.extracted
    monkeypatch.setattr(computed, "extracted", lambda *a, **k: calls.append(1) or original(*a, **k))

    fitted.append(transfer.fit_head(plan, recipe.architecture, weights, first, progress=silent))
    assert not calls, "the same data are not looked at again"

    Image.fromarray(np.zeros((40, 40, 3), np.uint8)).save(data / "red" / "000.png")
    weights, second = prepared(data, tmp_path / "b", recipe)
    transfer.fit_head(plan, recipe.architecture, weights, second, progress=silent)
    assert len(calls) == plan.views, "a picture changed"
    for name, tensor in fitted[0].weights.items():
        assert torch.equal(tensor, fitted[1].weights[name])


def test_features_are_those_of_the_network(colors: Path, recipe: Recipe, tmp_path: Path) -> None:
    weights, data = prepared(colors, tmp_path / "a", recipe)
    plan = transfer.plan_head(recipe, weights, data, threads=1)
    network = transfer.fit_head(plan, recipe.architecture, weights, data, progress=silent).network
    _, head = head_of(network)
    rows = data.split.fit[:20]
    entered: list[torch.Tensor] = []
    head.register_forward_hook(lambda _m, given, _out: entered.append(given[0]))
    with torch.no_grad():
        recognizers.Recognizer(network, "nano", {}, data.preprocess, data.dataset.classes).logits(
            np.asarray(data.store.images[rows])
        )

    backbone = computed.Backbone(transfer.without_head(network), head.in_features, data.preprocess)
    found = computed.extracted(backbone, data, rows, view=computed.View(), threads=2, progress=silent)

    np.testing.assert_allclose(found * 8, torch.cat(entered).numpy(), rtol=1e-4, atol=1e-4)


@pytest.mark.slow
def test_unfreezing_starts_from_the_head_and_resumes_to_the_bit(
    colors: Path, recipe: Recipe, tmp_path: Path, stopped_at
) -> None:
    longer = recipe.changed(epochs=3.0)
    longer = longer.model_copy(update={"precision": "fp32"})
    whole = train(colors, recipe=longer, out=tmp_path / "whole")
    with pytest.raises((KeyboardInterrupt, FovealError)):
        train(colors, recipe=longer, out=tmp_path / "cut", progress=stopped_at("train", 0.5))

    again = resume(tmp_path / "cut", colors, threads=1)

    plan = read_plan(tmp_path / "whole" / "plan.json")
    assert (plan.objective, plan.optimizer) == ("unfreeze", "adam")
    assert plan.starts_from
    states = [recognizers.load(r.run / "model").network.state_dict() for r in (whole, again)]
    for name, tensor in states[0].items():
        assert torch.equal(tensor, states[1][name]), name
    assert again.document["resumed_from"] > 0


@pytest.mark.parametrize(("asked", "used"), [(None, 3), (2, 2)])
def test_what_learns_from_scratch_is_decoded_on_the_threads_of_the_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: int | None, used: int
) -> None:
    rng = np.random.default_rng(0)
    for number in range(4 * 64):  # large enough for several threads
        path = tmp_path / "data" / ("left" if number % 2 else "right") / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (110, 110, 3), dtype=np.uint8)).save(path)
    monkeypatch.setattr(_scratch.machine, "usable_cpus", lambda: 3)
    prepared = prepare(
        opening.open(tmp_path / "data"), tmp_path / "run", Wishes(16, 0, False, 1), progress=silent
    )
    threads = set()

    def read(index: int) -> Picture:
        threads.add(threading.get_ident())
        time.sleep(0.001)
        return prepared.dataset.read(index)

    watched = replace(prepared, dataset=replace(prepared.dataset, read=read))
    found = _scratch._at_its_size(tmp_path / "run", Recipe(threads=asked), watched, silent)

    assert found.preprocess.size != 16
    assert len(threads - {threading.get_ident()}) == used


@pytest.mark.slow
def test_the_report_says_what_pre_training_brought(
    colors: Path, recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_scratch, "LEAST_SECONDS", 10.0)

    result = train(colors, recipe=recipe.changed(scratch=True), out=tmp_path / "run")

    scratch = result.document["baseline"]["scratch"]
    assert scratch["name"] == "nano"
    assert scratch["paired"]["n"] > 0
    assert {"value", "low", "high"} <= set(scratch["paired"]["difference"])
    assert "From scratch, nano at 32 pixels" in result.report.read_text()
