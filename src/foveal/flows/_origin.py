"""Where a transfer starts: which network and whose weights a recipe means, and whether they fit."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from foveal import models
from foveal.core import catalog, runs
from foveal.core.errors import DataError, RecipeError, UsageError
from foveal.core.task import SCENE_TASKS
from foveal.data.preprocess import Preprocess
from foveal.models import Architecture, HasAuxiliary, Task
from foveal.models._head import answer_scale, without_expansion
from foveal.models.pretrained._fitting import channels_of, fit_to
from foveal.models.pretrained._weights import (
    Weights,
    architecture_in,
    normalization,
    packaged,
    read_weights,
    repeated,
)
from foveal.train.recipe import TRANSFERRED, Recipe

USUAL = 224  # pixels: side of the pictures of weights that do not say it

_STATED = {
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "half": ((0.5,) * 3, (0.5,) * 3),
    "none": ((0.0,) * 3, (1.0,) * 3),
}


def with_model(recipe: Recipe, *, task: Task | None = None) -> Recipe:
    """Return the recipe with what follows from it before any data are read, where nobody named it.

    For clips, and where something is, that is the usual model. Of a transfer it is the network of its
    weights: a run that it starts from says which; otherwise it is the usual one. Of pictures it is the model,
    of clips what looks at each frame.

    Args:
        recipe: What the user wants.
        task: What lies in the data; None: that is not known yet, and the recipe may say it.

    Raises:
        UsageError: `other_task`: it asks for something of objects, and none are looked for; it is for clips,
            and a part of it for pictures alone; `weights_of_clips`: it starts from a
            run that learned clips.
    """
    if task in SCENE_TASKS or recipe.for_scenes:
        said_task = task or (recipe.architecture.task if "model" in recipe.model_fields_set else recipe.task)
        recipe = recipe.for_task(said_task or "detect")
        if recipe.weights is None or recipe.backbone is not None or recipe.architecture.reads is not None:
            return recipe
        named = _named_in(recipe.weights)
        return recipe if named is None else recipe.changed(backbone=named)
    if task is not None:
        _check_finds(recipe)
    clips = recipe.for_clips(task)
    recipe = recipe.for_task("video") if clips else recipe
    said = None if recipe.weights is None else _named_in(recipe.weights)
    if not recipe.transfers or ("backbone" if clips else "model") in recipe.model_fields_set:
        return recipe
    named = said or TRANSFERRED
    return recipe.changed(backbone=named) if clips else recipe.changed(model=named)


def _check_finds(recipe: Recipe) -> None:
    """Refuse what is asked of objects where none are looked for."""
    asked = {"--objects": recipe.objects is not None, "--attributes": bool(recipe.attributes)}
    given = [name for name, one in asked.items() if one]
    if given:
        raise UsageError(
            f"{' and '.join(given)} is for data that say where objects are",
            code="other_task",
            hint=f"leave {' and '.join(given)} out",
        )


def _named_in(weights: str) -> str | None:
    """Return the model that a run learned pictures with, or None where weights do not say one."""
    said = architecture_in(runs.find(weights))
    if said is not None and models.is_known(said) and models.card(said).task == "video":
        raise UsageError(
            f"{weights} learned clips, with {catalog.spoken(said)}; a transfer starts from weights for "
            "pictures",
            code="weights_of_clips",
            hint="--weights of a run that learned pictures, or --transfer alone for those of a package",
        )
    return said


def origin_of(recipe: Recipe) -> Weights | None:
    """Return the weights that a recipe starts from, or None where it starts from scratch.

    Raises:
        NotFoundError: The file or folder is not there.
        MissingExtraError: The package with the weights is not installed.
        DataError: The weights cannot be read, or do not fit the model.
        UsageError: No package has weights of the model, and no file is given; or no other head can be fitted
            to it.
        RecipeError: The weights were trained on otherwise normalized pictures than the recipe says; or the
            model cannot be unfrozen.
    """
    if recipe.architecture.reads is not None:
        return _whole(recipe, recipe.architecture.reads)
    if not recipe.transfers:
        return None
    architecture = recipe.started
    name = architecture.name
    if recipe.weights is None:
        weights = packaged(name)
    else:
        weights = read_weights(runs.find(recipe.weights), model=name)
    weights = _as_stated(weights, recipe.normalization)
    size = recipe.size or weights.size or USUAL
    try:
        built = _built(architecture, weights, channels=3, size=size)
        channels = channels_of(built, weights)
        taken = 1 if channels == 1 else max(3, channels)  # who takes grey pictures takes no others
        built = _built(architecture, weights, channels=taken, size=size)
        fit_to(built, weights, apart=architecture.expansion)
    except DataError as error:
        raise _in_words(error, recipe, name) from error
    if recipe.unfreezes and isinstance(built, HasAuxiliary) and recipe.architecture.task == "classify":
        raise RecipeError(
            f"{catalog.spoken(name)} learns with auxiliary classifiers, and unfreezing has no loss for them",
            code="auxiliary",
            hint="leave --epochs and --time out: then its features stay as they are; or choose another model",
        )
    if recipe.architecture.task == "video":
        weights = _as_usual(architecture, weights, channels=taken, size=size)
    answer_scale(built.eval(), channels=taken, size=size)
    return replace(weights, channels=channels)


def _whole(recipe: Recipe, read: Callable[[Path], Weights]) -> Weights:
    """Return the weights that all of a network starts from."""
    if recipe.weights is None:
        raise UsageError(
            f"{catalog.spoken(recipe.architecture.name)} starts from weights, and no package holds any",
            code="no_weights",
            hint="give a folder with --weights",
        )
    return _as_stated(read(runs.find(recipe.weights)), recipe.normalization)


def _built(architecture: Architecture, weights: Weights, *, channels: int, size: int) -> nn.Module:
    """Return a network for two classes as a transfer builds it, without weights."""
    try:
        return transferred(architecture, weights)(channels=channels, classes=2, size=size)
    except (TypeError, RuntimeError) as error:
        if not weights.arguments:  # nothing that a file says
            raise
        raise DataError(
            f"the run of {weights.source} says that its network was built with {_built_with(weights)}, which "
            f"{catalog.spoken(architecture.name)} does not take",
            code="bad_weights",
            hint="it is of another version, or was changed: name the file with the weights alone",
        ) from error


def _as_usual(architecture: Architecture, weights: Weights, *, channels: int, size: int) -> Weights:
    """Return weights of a network of the form that clips are looked at with; others are refused."""
    usual = replace(weights, arguments={})
    forms = {str(_built(architecture, one, channels=channels, size=size)) for one in (weights, usual)}
    if len(forms) > 1:
        raise DataError(
            f"the network of {weights.source} was built with {_built_with(weights)}; what looks at frames of "
            "clips has its usual form",
            code="weights_mismatch",
            hint="train it with --epochs in place of --time, which gives it that form",
        )
    return usual


def _built_with(weights: Weights) -> str:
    return ", ".join(f"{name} {value}" for name, value in weights.arguments.items())


def _in_words(error: DataError, recipe: Recipe, name: str) -> DataError:
    """Return why weights do not fit: of a run that learned with another network that says most."""
    said = None if recipe.weights is None else architecture_in(runs.find(recipe.weights))
    if said is None or catalog.written(said) == catalog.written(name):
        return error
    option = "--model" if recipe.architecture.task == "classify" else "--backbone"
    return DataError(
        f"{recipe.weights} learned with {catalog.spoken(said)}, not with {catalog.spoken(name)}",
        code="weights_mismatch",
        hint=f"leave {option} out: the run says which network it is",
    )


def _as_stated(weights: Weights, stated: str | None) -> Weights:
    """Return weights with the normalization that somebody states, where the weights do not say it themselves.

    Raises:
        RecipeError: `other_normalization`: they do, and it is another one.
    """
    if stated is None:
        return weights
    mean, std = _STATED[stated]
    if weights.mean is None or weights.std is None or weights.assumed:
        return replace(weights, mean=mean, std=std, assumed=False)
    count = len(weights.mean)
    if np.allclose((weights.mean, weights.std), (repeated(mean, count), repeated(std, count)), atol=0.01):
        return weights  # theirs is the exact one
    raise RecipeError(
        f"{weights.source} was trained on pictures with mean {_listed(weights.mean)} and deviation "
        f"{_listed(weights.std)}; with normalization {stated!r} it would answer wrongly",
        code="other_normalization",
        hint="leave the normalization out: it belongs to the weights",
    )


def transferred(architecture: Architecture, weights: Weights) -> Architecture:
    """Return the architecture as a transfer builds it: without what only widens the input of its head.

    It has the one variant that the weights are for.
    """

    def build(*, channels: int, classes: int, size: int, **arguments: Any) -> nn.Module:
        network = architecture.build(channels=channels, classes=classes, size=size, **arguments)
        return without_expansion(network, architecture.expansion)

    return replace(architecture, build=build, variants=lambda size: ({},), arguments=weights.arguments)


def start_reasons(weights: Weights, preprocess: Preprocess) -> dict[str, str]:
    """Return where weights are from, and what their pictures, or frames, are like, for people."""
    _, _, who = normalization(weights, channels=preprocess.channels)
    mean, std = _listed(preprocess.mean), _listed(preprocess.std)
    return {
        "weights": f"{weights.source} (sha256 {weights.sha256[:12]}…)",
        "normalization": f"mean {mean}, deviation {std}: {who}",
    }


def _listed(values: tuple[float, ...]) -> str:
    return ", ".join(f"{value:.3g}" for value in values)
