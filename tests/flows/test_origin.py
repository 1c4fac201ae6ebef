"""A run that others start from: its network is built as it was, or refused."""

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from foveal import models
from foveal.core.errors import DataError, UsageError
from foveal.core.progress import silent
from foveal.data import opening
from foveal.data.preprocess import Preprocess
from foveal.flows._job import Job, planned_for
from foveal.flows._origin import origin_of, transferred, with_model
from foveal.flows._prepare import Prepared, Wishes, prepare
from foveal.flows._run_folder import Command
from foveal.flows._transfer import fit_head, plan_head, preprocess_for
from foveal.models._head import without_head
from foveal.models.pretrained._weights import Weights
from foveal.tasks import recognizer as recognizers
from foveal.tasks.recognizer import Recognizer
from foveal.train.plan import Plan
from foveal.train.recipe import Recipe

OTHER_THAN_USUAL = [
    ("nano", {"widths": [16, 48, 128]}, 32),
    ("resnet20", {"stem_stride": 4}, 64),
    ("mobilenet_v2", {"stem_stride": 4}, 32),
]


def ran(folder: Path, model: str, arguments: dict[str, Any], *, size: int, channels: int = 3) -> nn.Module:
    """Write what a run keeps of its network, untrained, and return the network."""
    torch.manual_seed(0)
    arguments = {"channels": channels, "classes": 3, "size": size, **arguments}
    network = models.architecture(model).build(**arguments).eval()
    preprocess = Preprocess(size=size, channels=channels, mean=(0.4,) * channels, std=(0.2,) * channels)
    recognizer = Recognizer(network, model, arguments, preprocess, ("a", "b", "c"))
    recognizers.save(recognizer, folder / "model")
    return network


def folder_of(path: Path, *, side: int, count: int = 12) -> Path:
    """Write colour pictures of two classes."""
    rng = np.random.default_rng(0)
    for label in ("dark", "light"):
        (path / label).mkdir(parents=True)
        for number in range(count):
            pixels = rng.integers(0, 120, (side, side, 3), dtype=np.uint8) + (label == "light") * 100
            Image.fromarray(pixels.astype(np.uint8)).save(path / label / f"{number}.png")
    return path


def made_ready(folder: Path, recipe: Recipe, *, side: int) -> tuple[Weights, Prepared]:
    """Return the weights of a recipe, and pictures made ready for them."""
    weights = origin_of(recipe)
    assert weights is not None
    dataset = opening.open(folder_of(folder / "data", side=side))
    like = preprocess_for(dataset, recipe, weights)
    (folder / "new").mkdir()
    return weights, prepare(dataset, folder / "new", Wishes(None, 0, False, 1, None, like), progress=silent)


@pytest.mark.parametrize(("model", "arguments", "size"), OTHER_THAN_USUAL)
def test_a_network_of_another_form_than_the_usual_one_sees_what_it_saw(
    model: str, arguments: dict[str, Any], size: int, tmp_path: Path
) -> None:
    source = ran(tmp_path / "run", model, arguments, size=size)
    recipe = with_model(Recipe(weights=str(tmp_path / "run"), size=size, threads=1))
    weights, data = made_ready(tmp_path, recipe, side=size)
    plan = plan_head(recipe, weights, data, threads=1)

    started = fit_head(plan, transferred(recipe.architecture, weights), weights, data, progress=silent)

    noise = torch.randn(2, 3, size, size)
    apart = models.architecture(model).expansion
    with torch.no_grad():
        seen = without_head(started.network)(noise)
        if not apart:  # what widened the input of the old head is left out, and nothing else
            torch.testing.assert_close(seen, without_head(source)(noise))
    built = models.architecture(plan.model).build(**plan.arguments)
    usual = models.architecture(plan.model)(channels=3, classes=2, size=size)
    assert str(built) != str(usual)


@pytest.mark.parametrize(("model", "arguments", "size"), OTHER_THAN_USUAL)
def test_with_a_budget_of_time_it_is_the_network_that_the_weights_are_for(
    model: str, arguments: dict[str, Any], size: int, tmp_path: Path
) -> None:
    ran(tmp_path / "run", model, arguments, size=size)
    recipe = with_model(Recipe(weights=str(tmp_path / "run"), size=size, threads=1, time_seconds=3600))
    weights, data = made_ready(tmp_path, recipe, side=size)
    job = Job(recipe, Command("new", False, "data", None), silent, time.monotonic(), weights=weights)
    initial = job.architecture(channels=3, classes=2, size=size).state_dict()

    plan = planned_for(job, data, initial)

    assert isinstance(plan, Plan)
    assert plan.arguments == {"channels": 3, "classes": 2, "size": size, **arguments}


@pytest.mark.parametrize("epochs", [None, 1.0])
def test_what_looks_at_frames_has_its_usual_form(epochs: float | None, tmp_path: Path) -> None:
    ran(tmp_path / "coarse", "resnet20", {"stem_stride": 4}, size=64)
    ran(tmp_path / "usual", "resnet20", {"stem_stride": 1}, size=64)
    recipe = Recipe(model="cnn_gru", epochs=epochs)

    with pytest.raises(DataError, match="built with stem_stride 4") as caught:
        origin_of(with_model(recipe.changed(weights=str(tmp_path / "coarse"))))
    assert caught.value.code == "weights_mismatch"
    assert origin_of(with_model(recipe.changed(weights=str(tmp_path / "usual")))) is not None


@pytest.mark.parametrize(
    ("model", "written", "said"),
    [("resnet20", '"fins": 2', "fins 2"), ("nano", '"widths": [-4, 8, 8]', r"widths \[-4, 8, 8\]")],
)
def test_arguments_that_a_network_does_not_take_are_no_traceback(
    model: str, written: str, said: str, tmp_path: Path
) -> None:
    ran(tmp_path / "run", model, {}, size=32)
    structure = tmp_path / "run" / "model" / "structure.json"
    structure.write_text(structure.read_text().replace('"size": 32\n', f'"size": 32, {written}\n', 1))

    with pytest.raises(DataError, match=f"built with {said}, which {model} does not take") as caught:
        origin_of(with_model(Recipe(weights=str(tmp_path / "run"))))
    assert caught.value.code == "bad_weights"


def broken(*, channels: int, classes: int, size: int) -> nn.Module:
    """Fail as a builder does that has a mistake."""
    raise TypeError("a mistake of the builder's own")


def test_what_a_builder_of_ones_own_does_wrong_is_not_blamed_on_the_weights(tmp_path: Path) -> None:
    torch.save({"a": torch.ones(2)}, tmp_path / "w.pth")

    with pytest.raises(TypeError, match="a mistake of the builder's own"):
        origin_of(Recipe(model=broken, weights=str(tmp_path / "w.pth")))


def test_weights_of_more_channels_than_the_pictures_have_are_refused(tmp_path: Path) -> None:
    ran(tmp_path / "run", "resnet20", {}, size=32, channels=5)
    recipe = with_model(Recipe(weights=str(tmp_path / "run")))
    weights = origin_of(recipe)
    assert weights is not None

    with pytest.raises(DataError, match=r"5 channels; those of .* have 3") as caught:
        preprocess_for(opening.open(folder_of(tmp_path / "data", side=32)), recipe, weights)
    assert caught.value.code == "weights_mismatch"


@pytest.mark.parametrize(("model", "side", "size"), [("resnet20", 200, 32), ("nano", 200, 32)])
def test_larger_pictures_are_not_shown_through_a_coarser_stem_than_the_one_that_learned(
    model: str, side: int, size: int, tmp_path: Path
) -> None:
    ran(tmp_path / "run", model, {}, size=32)
    recipe = with_model(Recipe(weights=str(tmp_path / "run")))
    weights = origin_of(recipe)
    assert weights is not None

    like = preprocess_for(opening.open(folder_of(tmp_path / "data", side=side, count=3)), recipe, weights)

    assert like.size == size


@pytest.mark.parametrize(
    ("wanted", "said"), [({"objects": 5}, "--objects"), ({"attributes": ("colour",)}, "--attributes")]
)
def test_of_data_without_objects_nothing_is_asked_about_them(wanted, said) -> None:
    for task in ("classify", "video"):
        with pytest.raises(UsageError, match=f"{said} is for data") as caught:
            with_model(Recipe(**wanted), task=task)
        assert caught.value.code == "other_task"
    assert with_model(Recipe(**wanted), task="detect").model == "point"
