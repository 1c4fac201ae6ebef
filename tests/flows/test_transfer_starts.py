"""What a transfer starts from: which model, what pictures, whose normalization, and nothing altered."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from foveal import models
from foveal.core.errors import DataError, FovealError, RecipeError, UsageError
from foveal.core.progress import silent
from foveal.data import opening
from foveal.data.preprocess import Preprocess
from foveal.flows import _features as computed
from foveal.flows import _kept_weights, _origin
from foveal.flows import _transfer as transfer
from foveal.flows._prepare import Prepared, Wishes, prepare
from foveal.flows._scratch import transfer_seconds
from foveal.flows.train import resume, train
from foveal.models._head import answer_scale, head_of, without_head
from foveal.models.pretrained._weights import Weights
from foveal.tasks import recognizer as recognizers
from foveal.tasks.recognizer import Recognizer
from foveal.train.objectives.unfreeze import parameters
from foveal.train.plan import Plan, read_plan
from foveal.train.planning import check_recipe
from foveal.train.recipe import Recipe, read_recipe

SIDE = 32


def as_run(folder: Path, model: str, *, channels: int = 3, size: int = SIDE) -> Path:
    """Write what a run keeps of its network, untrained, and return the run folder."""
    torch.manual_seed(0)
    arguments = {"channels": channels, "classes": 2, "size": size}
    network = models.architecture(model).build(**arguments)
    preprocess = Preprocess(size=size, channels=channels, mean=(0.4,) * channels, std=(0.2,) * channels)
    recognizers.save(Recognizer(network.eval(), model, arguments, preprocess, ("a", "b")), folder / "model")
    return folder


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return as_run(tmp_path / "secret" / "first", "nano")


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """Return 24 colour pictures in two folders."""
    rng = np.random.default_rng(0)
    for label in ("dark", "light"):
        (tmp_path / "small" / label).mkdir(parents=True)
        for number in range(12):
            pixels = rng.integers(0, 120, (SIDE, SIDE, 3), dtype=np.uint8) + (label == "light") * 100
            Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / "small" / label / f"{number}.png")
    return tmp_path / "small"


def prepared(data: Path, folder: Path, recipe: Recipe) -> tuple[Weights, Prepared]:
    weights = _origin.origin_of(recipe)
    assert weights is not None
    dataset = opening.open(data)
    folder.mkdir(exist_ok=True)
    like = transfer.preprocess_for(dataset, recipe, weights)
    return weights, prepare(dataset, folder, Wishes(None, 0, False, 1, None, like), progress=silent)


class Bent(nn.Module):
    """Two networks of equal weights that differ in a function without any."""

    def __init__(self, bend: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.layer, self.head, self.bend = nn.Conv2d(3, 8, 3), nn.Linear(8, 2), bend

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.bend(self.layer(images)).mean((2, 3)))


def test_features_of_another_network_with_the_same_weights_are_computed_anew(
    run: Path, small: Path, tmp_path: Path
) -> None:
    _, data = prepared(small, tmp_path / "a", Recipe(weights=str(run)))
    found = []
    for bend in (torch.relu, torch.sigmoid):
        torch.manual_seed(0)
        backbone = computed.Backbone(without_head(Bent(bend).eval()), 8, data.preprocess)
        rows = data.split.fit
        told = computed.features(
            backbone, data, rows, view=computed.View(), threads=1, progress=silent
        ).numbers
        plain = computed.extracted(backbone, data, rows, view=computed.View(), threads=1, progress=silent)
        np.testing.assert_array_equal(told, plain)
        found.append(told)

    assert not np.allclose(found[0], found[1])


@pytest.mark.parametrize("changed", ["foveal", "torch", "onnxruntime"])
def test_features_of_other_versions_are_computed_anew(
    changed: str, run: Path, small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from foveal.core import machine

    _, data = prepared(small, tmp_path / "a", Recipe(weights=str(run)))
    backbone = computed.Backbone(without_head(Bent(torch.relu).eval()), 8, data.preprocess)
    said: list[str] = []

    def look() -> float:
        said.clear()
        return computed.features(
            backbone,
            data,
            data.split.fit,
            view=computed.View(),
            threads=1,
            progress=lambda stage, done, total, note="": said.append(note),
        ).seconds

    seconds = look()
    assert look() == seconds, "what it took the first time is remembered"
    assert said == ["computed before"]
    real = machine.versions

    def other(*names: str) -> dict[str, str | None]:
        return {name: "0" if name == changed else version for name, version in real(*names).items()}

    monkeypatch.setattr(machine, "versions", other)
    look()
    assert "computed before" not in said


@pytest.mark.parametrize("model", ["vit_tiny", "row_gru", "nano", "resnet18"])
def test_a_run_of_any_network_that_ends_in_its_head_can_be_started_from(model: str, tmp_path: Path) -> None:
    source = as_run(tmp_path / "run", model)

    weights = _origin.origin_of(_origin.with_model(Recipe(weights=str(source))))

    assert weights is not None
    assert weights.size == SIDE


def test_a_network_that_goes_on_after_its_head_is_refused_before_any_picture_is_read(tmp_path: Path) -> None:
    source = as_run(tmp_path / "run", "v4_lif")

    with pytest.raises(UsageError, match="does not end in a linear layer") as caught:
        train(tmp_path / "nothing", recipe=Recipe(weights=str(source)), out=tmp_path / "new")
    assert (caught.value.code, (tmp_path / "new").exists()) == ("head_not_last", False)


class Ending(Bent):
    """A head, and something after it."""

    def __init__(self, end: Callable[[Tensor], Tensor]) -> None:
        super().__init__(torch.relu)
        self.end = end

    def forward(self, images: Tensor) -> Tensor:
        return self.end(super().forward(images))


def test_the_scale_of_a_head_is_exact_and_anything_else_after_it_is_refused() -> None:
    for scale in (1.0, 0.125):
        assert answer_scale(Ending(lambda x, s=scale: x * s), channels=3, size=8) == scale
    assert answer_scale(Ending(lambda x: x * -3), channels=3, size=8) == pytest.approx(-3, rel=1e-6)
    for end in (torch.tanh, torch.abs, lambda x: x + 1, lambda x: x * torch.tensor([1.0, 2.0])):
        with pytest.raises(UsageError, match="linear layer"):
            answer_scale(Ending(end), channels=3, size=8)


def test_weights_of_a_network_for_grey_pictures_get_grey_pictures(small: Path, tmp_path: Path) -> None:
    source = as_run(tmp_path / "run", "nano", channels=1)
    recipe = Recipe(weights=str(source))

    weights, data = prepared(small, tmp_path / "a", recipe)

    assert (data.preprocess.channels, data.preprocess.mean) == (1, (0.4,))
    plan = transfer.plan_head(recipe, weights, data, threads=1)
    fitted = transfer.fit_head(plan, recipe.architecture, weights, data, progress=silent)
    theirs = load_file(source / "model" / "weights.safetensors")
    assert all(torch.equal(fitted.weights[n], t) for n, t in theirs.items() if not n.startswith("head."))


def test_a_bare_file_is_checked_at_the_size_that_was_asked_for(run: Path, tmp_path: Path) -> None:
    bare = tmp_path / "nano.safetensors"
    shutil.copy(run / "model" / "weights.safetensors", bare)

    with pytest.raises(DataError, match="stem"):
        _origin.origin_of(Recipe(model="nano", weights=str(bare)))
    assert _origin.origin_of(Recipe(model="nano", weights=str(bare), size=SIDE)) is not None


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """Return weights of mobilenet-v2, of which nothing is said; the published ones take ImageNet's."""
    network = models.architecture("mobilenet_v2").build(channels=3, classes=2, size=SIDE)
    save_file(network.state_dict(), tmp_path / "bare.safetensors")
    return tmp_path / "bare.safetensors"


@pytest.mark.parametrize(("stated", "mean"), [(None, 0.485), ("imagenet", 0.485), ("half", 0.5), ("none", 0)])
def test_the_normalization_of_a_bare_file_can_be_stated(stated: str | None, mean: float, bare: Path) -> None:
    recipe = Recipe(model="mobilenet_v2", weights=str(bare), normalization=stated, transfer=True, size=SIDE)

    weights = _origin.origin_of(recipe)

    assert weights is not None
    assert weights.mean is not None
    assert weights.mean[0] == mean
    assert weights.assumed == (stated is None)


def test_what_is_known_exactly_is_not_replaced_by_what_is_close_to_it(bare: Path, tmp_path: Path) -> None:
    folder = tmp_path / "hub"
    folder.mkdir()
    shutil.copy(bare, folder / "model.safetensors")
    told = {"mean": [127 / 255] * 3, "std": [128 / 255] * 3, "input_size": [3, SIDE, SIDE]}
    (folder / "config.json").write_text(json.dumps({"pretrained_cfg": told}))

    found = _origin.origin_of(Recipe(model="mobilenet_v2", weights=str(folder), normalization="half"))

    assert found is not None
    assert found.mean == (127 / 255,) * 3
    with pytest.raises(RecipeError, match="answer wrongly"):
        _origin.origin_of(Recipe(model="mobilenet_v2", weights=str(folder), normalization="imagenet"))


@pytest.mark.parametrize("kind", ["run", "toml", "named"])
def test_the_model_is_that_of_the_run_unless_somebody_names_one(kind: str, tmp_path: Path) -> None:
    source = as_run(tmp_path / "run", "resnet18")
    recipe = Recipe(weights=str(source))
    if kind == "toml":
        (tmp_path / "recipe.toml").write_text("transfer = true\n")
        recipe = read_recipe(tmp_path / "recipe.toml")
    elif kind == "named":
        recipe = recipe.changed(model="nano")

    expected = {"run": "resnet18", "toml": "efficientnet_lite0", "named": "nano"}
    assert _origin.with_model(recipe).model == expected[kind]
    assert _origin.with_model(Recipe()).model == "nano"


def test_a_network_that_cannot_be_unfrozen_is_refused_at_once(tmp_path: Path) -> None:
    source = as_run(tmp_path / "run", "googlenet")
    recipe = _origin.with_model(Recipe(weights=str(source)))

    assert _origin.origin_of(recipe) is not None
    with pytest.raises(RecipeError, match="unfreezing has no loss") as caught:
        _origin.origin_of(recipe.changed(epochs=1.0))
    assert "--epochs" in str(caught.value.hint)


@pytest.mark.parametrize("model", ["vit_tiny", "convnext_atto", "nano", "resnet18", "swin_tiny"])
def test_every_parameter_is_part_of_one_stage(model: str) -> None:
    network = models.architecture(model).build(channels=3, classes=2, size=SIDE)

    parts = parameters(network)

    assert sorted(id(p) for part in parts for p in part) == sorted(map(id, network.parameters()))
    assert {id(p) for p in parts[0]} == {id(p) for p in head_of(network)[1].parameters()}
    assert {id(p) for p in network.parameters(recurse=False)} <= {id(p) for p in parts[-1]}


def test_unfreezing_from_scratch_is_refused(run: Path) -> None:
    for recipe in (Recipe(objective="unfreeze"), Recipe(objective="unfreeze", weights=str(run))):
        with pytest.raises(RecipeError, match="weights that are there"):
            check_recipe(recipe)
    check_recipe(Recipe(objective="unfreeze", weights=str(run), epochs=1.0))


def test_weights_are_named_without_the_folders_that_they_lie_in(run: Path, bare: Path) -> None:
    for recipe in (Recipe(weights=str(run)), Recipe(model="mobilenet_v2", weights=str(bare), size=SIDE)):
        found = _origin.origin_of(recipe)
        assert found is not None
        assert found.source == Path(str(recipe.weights)).name


def altered(path: Path) -> None:
    tensors = load_file(path)
    name = next(iter(tensors))
    save_file({**tensors, name: tensors[name] + 1}, path)


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:100])


@pytest.mark.parametrize("damage", [altered, truncated, Path.unlink])
def test_kept_weights_that_changed_are_refused(
    damage: Callable[[Path], None], run: Path, tmp_path: Path
) -> None:
    weights = _origin.origin_of(Recipe(weights=str(run)))
    assert weights is not None
    _kept_weights.keep(tmp_path, weights)
    again = _kept_weights.kept(tmp_path)
    assert {**vars(again), "tensors": 0} == {**vars(weights), "tensors": 0}

    damage(tmp_path / "pretrained" / "weights.safetensors")

    with pytest.raises(DataError) as caught:
        _kept_weights.kept(tmp_path)
    assert caught.value.code == "damaged"


def test_a_start_that_changed_since_it_was_planned_with_is_refused(
    run: Path, small: Path, tmp_path: Path, stopped_at
) -> None:
    recipe = Recipe(weights=str(run), epochs=2.0, threads=1, baseline=False, scratch=False, precision="fp32")
    new = tmp_path / "new"
    with pytest.raises((KeyboardInterrupt, FovealError)):
        train(small, recipe=recipe, out=new, progress=stopped_at("plan"))
    assert read_plan(new / "plan.json") is not None
    altered(new / "pretrained" / "start.safetensors")

    with pytest.raises(DataError, match="not those that it was planned with"):
        resume(new, small, threads=1)
    truncated(new / "pretrained" / "start.safetensors")
    with pytest.raises(DataError, match="damaged"):
        resume(new, small, threads=1)


def test_what_came_out_of_the_cache_counts_for_as_long_as_it_took(
    run: Path, small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = Recipe(weights=str(run))
    weights, data = prepared(small, tmp_path / "a", recipe)
    plan = transfer.plan_head(recipe, weights, data, threads=1)
    original = computed.feature_cache.remember

    def slow(name: str, features: np.ndarray, *, seconds: float) -> None:
        original(name, features, seconds=seconds + 100.0)

    monkeypatch.setattr(computed.feature_cache, "remember", slow)
    fitted = []
    for name in ("cold", "warm"):
        (tmp_path / name).mkdir()
        place, build = tmp_path / name, recipe.architecture
        fitted.append(transfer.fitted_head(place, plan, build, weights, data, progress=silent))

    least = 100.0 * plan.views
    assert fitted[1].seconds < least, "the budget is told what it really took"
    assert _kept_weights.head_seconds(tmp_path / "warm") >= least
    assert transfer_seconds(tmp_path / "warm", plan, fitted[1]) >= least
    longer = replace(fitted[1], seconds=7.0)
    assert transfer_seconds(tmp_path / "warm", step_by_step(), longer) >= least + 7.0
    assert transfer_seconds(tmp_path / "gone", plan, longer) == 7.0, "runs of before wrote none down"


def step_by_step() -> Plan:
    return Plan(
        model="nano",
        arguments={},
        images=1,
        steps=1,
        batch_size=1,
        learning_rate=1.0,
        weight_decay=0.0,
        label_smoothing=0.0,
        ema_share=0.1,
        augmentation={},
        precision="fp32",
        seed=0,
        threads=1,
        step_seconds=0.0,
    )


@pytest.mark.parametrize(("model", "size"), [("vit_tiny", 224), ("resnet18", 128)])
def test_small_pictures_are_shown_smaller_only_where_the_weights_fit_that(
    model: str, size: int, small: Path, tmp_path: Path
) -> None:
    source = as_run(tmp_path / "run", model, size=224)
    recipe = Recipe(weights=str(source), model=model)
    weights = _origin.origin_of(recipe)
    assert weights is not None

    assert transfer.preprocess_for(opening.open(small), recipe, weights).size == size
