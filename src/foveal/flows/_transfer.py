"""Transfer learning: weights that are there, features that stay as they are, and a head fitted to them."""

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from foveal import models
from foveal.core import catalog, runs
from foveal.core.errors import DataError, RecipeError, UsageError
from foveal.core.progress import Progress
from foveal.data.dataset import Dataset
from foveal.data.preprocess import Preprocess
from foveal.data.sizing import median_side, suggest_channels, suggest_size
from foveal.flows._features import Backbone, View, features
from foveal.flows._kept_weights import has_start, keep_seconds, keep_start, kept_start
from foveal.flows._prepare import Prepared, decoders
from foveal.models import Architecture, HasAuxiliary, Settings, Task
from foveal.models._head import answer_scale, head_of, with_head, without_expansion, without_head
from foveal.models._machines import KernelHead
from foveal.models.pretrained._fitting import channels_of, fit_to
from foveal.models.pretrained._weights import (
    Weights,
    architecture_in,
    normalization,
    packaged,
    read_weights,
    repeated,
)
from foveal.train import checkpoint, classical
from foveal.train.classical import Effort, Sample
from foveal.train.fit_plan import FitPlan
from foveal.train.fit_planning import FINENESS, FOLDS
from foveal.train.flip_probe import flip_probe
from foveal.train.loop import Fitted, settings
from foveal.train.plan import Plan
from foveal.train.planning import ROBUST
from foveal.train.recipe import TRANSFERRED, Recipe
from foveal.train.starting import structure

METHODS = {"linear": "discriminant", "svm": "kernel"}
_STATED = {
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "half": ((0.5,) * 3, (0.5,) * 3),
    "none": ((0.0,) * 3, (1.0,) * 3),
}
# Few pictures are shown again, changed; of many, what they bring is not worth the time.
VIEWS = {"crop": 0.75, "color": 0.4}
_MOST_VIEWS, _SEEN = 4, 4000
FINE = Settings(optimizer="adam", learning_rate=1e-3, weight_decay=0.05, batch_size=256, warm_up_share=0.1)
_SMALL, _LEAST = 64, 128  # pictures of up to 64 pixels are shown at 128: more would only blow them up further
_USUAL, _MOST, _GRID = 224, 384, 32  # a network halves pictures five times
# Networks learn from crops, in which things are larger than in whole pictures: shown larger, they look alike
# again (Touvron et al., "Fixing the train-test resolution discrepancy", 2019).
_CLOSER = 1.125


def with_model(recipe: Recipe, *, task: Task | None = None) -> Recipe:
    """Return the recipe with what follows from it before any data are read, where nobody named it.

    For clips that is the usual model. Of a transfer it is the network of its weights: a run that it starts
    from says which; otherwise it is the usual one. Of pictures it is the model, of clips what looks at each
    frame.

    Args:
        recipe: What the user wants.
        task: What lies in the data; None: that is not known yet, and the recipe may say it.

    Raises:
        UsageError: It is for clips, and a part of it for pictures alone; `weights_of_clips`: it starts from a
            run that learned clips.
    """
    clips = recipe.for_clips(task)
    recipe = recipe.for_task("video") if clips else recipe
    said = None if recipe.weights is None else _named_in(recipe.weights)
    if not recipe.transfers or ("backbone" if clips else "model") in recipe.model_fields_set:
        return recipe
    named = said or TRANSFERRED
    return recipe.changed(backbone=named) if clips else recipe.changed(model=named)


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
    if not recipe.transfers:
        return None
    architecture = recipe.started
    name = architecture.name
    if recipe.weights is None:
        weights = packaged(name)
    else:
        weights = read_weights(runs.find(recipe.weights), model=name)
    weights = _as_stated(weights, recipe.normalization)
    size = recipe.size or weights.size or _USUAL
    built = transferred(architecture)(channels=3, classes=2, size=size)
    if recipe.unfreezes and isinstance(built, HasAuxiliary) and recipe.architecture.task == "classify":
        raise RecipeError(
            f"{catalog.spoken(name)} learns with auxiliary classifiers, and unfreezing has no loss for them",
            code="auxiliary",
            hint="leave --epochs and --time out: then its features stay as they are; or choose another model",
        )
    channels = channels_of(built, weights)
    if channels == 1:  # it takes grey pictures and no others
        built = transferred(architecture)(channels=1, classes=2, size=size)
    try:
        fit_to(built, weights, apart=architecture.expansion)
    except DataError as error:
        raise _in_words(error, recipe, name) from error
    answer_scale(built.eval(), channels=min(channels, 3), size=size)
    return replace(weights, channels=channels)


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
        f"{weights.source} was trained on pictures with mean {_shown(weights.mean)} and deviation "
        f"{_shown(weights.std)}; with normalization {stated!r} it would answer wrongly",
        code="other_normalization",
        hint="leave the normalization out: it belongs to the weights",
    )


def transferred(architecture: Architecture) -> Architecture:
    """Return the architecture as a transfer builds it: without what only widens the input of its head."""

    def build(*, channels: int, classes: int, size: int) -> nn.Module:
        network = architecture(channels=channels, classes=classes, size=size)
        return without_expansion(network, architecture.expansion)

    return replace(architecture, build=build)


def _shown(values: tuple[float, ...] | None) -> str:
    return ", ".join(f"{value:.3g}" for value in values or ())


def preprocess_for(dataset: Dataset, recipe: Recipe, weights: Weights) -> Preprocess:
    """Return how pictures, or the frames of clips, become what the weights were trained on.

    Grey ones get three equal channels, unless the weights are of a network for grey pictures.
    """
    channels = 1 if weights.channels == 1 else max(3, suggest_channels(dataset))
    mean, std, _ = normalization(weights, channels=channels)
    size = recipe.size or _usual_size(dataset, recipe.started, weights)
    clip = dataset.clip
    if clip is None:
        return Preprocess(size=size, channels=channels, mean=mean, std=std)
    if recipe.frames is not None:
        clip = clip.model_copy(update={"frames": recipe.frames})
    return Preprocess(size=size, channels=channels, mean=mean, std=std, decoder=decoders(clip), clip=clip)


def _usual_size(dataset: Dataset, architecture: Architecture, weights: Weights) -> int:
    """Return the size of the weights, or that of smaller or larger pictures where the weights fit it, too.

    A network that was taught on whole things sees their details in a larger picture. A clip costs as much as
    all of its frames: those are not enlarged.
    """
    own, side = weights.size or _USUAL, median_side(dataset)
    wanted = own
    if suggest_size(dataset) <= _SMALL:
        wanted = min(own, _LEAST)
    elif side > own and dataset.clip is None:
        wanted = max(own, min(_MOST, _GRID * math.ceil(_CLOSER * side / _GRID)))
    made = {structure(architecture(channels=3, classes=2, size=size)) for size in (own, wanted)}
    return wanted if len(made) == 1 else own


def shown(recipe: Recipe, usual: Mapping[str, float], *, pictures: int) -> tuple[int, dict[str, float]]:
    """Return in how many views pictures are shown, and what makes all but the first, by file and strength.

    Args:
        recipe: What the user wants.
        usual: What they are changed by where the recipe does not say.
        pictures: That each view shows: of clips their frames.
    """
    wanted = {"none": {}, "auto": usual, "robust": {**usual, **ROBUST}}
    asked = recipe.augment if isinstance(recipe.augment, dict) else wanted[recipe.augment]
    changes = {name: strength for name, strength in asked.items() if strength}
    count = max(1, min(_MOST_VIEWS, _SEEN // pictures))
    if recipe.augment != "auto":  # however many there are: somebody wants them changed
        count = max(2, count)
    return (count, changes) if changes and count > 1 else (1, {})


def plan_head(recipe: Recipe, weights: Weights, prepared: Prepared, *, threads: int) -> FitPlan:
    """Return the plan of a head: which views it sees, and how its settings are chosen."""
    preprocess, classes = prepared.preprocess, len(prepared.dataset.classes)
    examples = prepared.examples("fit")
    probe = flip_probe(
        examples.images, examples.labels, indices=examples.indices, classes=classes, seed=recipe.seed
    )
    usual = {"flip": float(probe.allowed), **VIEWS}
    views, changes = shown(recipe, usual, pictures=len(examples)) if recipe.head == "linear" else (1, {})
    arguments = {"channels": preprocess.channels, "classes": classes, "size": preprocess.size}
    _, last = head_of(transferred(recipe.architecture)(**arguments))
    used, dimensions, method = len(examples) * views, last.in_features, METHODS[recipe.head]
    landmarks, tuning = FINENESS[0]
    effort = Effort(dimensions, classes, used, min(used, tuning), landmarks)
    shape = import_module(f"{classical.__name__}.{method}").shape(effort)
    head = {"dimensions": dimensions, **shape} if shape else {}
    _, _, who = normalization(weights, channels=preprocess.channels)
    return FitPlan(
        kind="head",
        model=recipe.architecture.name,
        arguments=arguments,
        images=len(examples),
        of=len(examples),
        tuning_images=effort.tuning_images,
        folds=FOLDS,
        seed=recipe.seed,
        threads=threads,
        seconds=0.0,
        head=method,
        weights=weights.sha256,
        features=head,
        views=views,
        augmentation=changes,
        reasons={
            "weights": f"{weights.source} (sha256 {weights.sha256[:12]}…)",
            "normalization": f"mean {_shown(preprocess.mean)}, deviation {_shown(preprocess.std)}: {who}",
            "flip": probe.reason,
            "length": f"a head on {dimensions} features that stay as they are, its settings chosen by "
            f"{FOLDS}-fold cross-validation on {effort.tuning_images:,} of {used:,} views of training images",
        },
    )


@dataclass(frozen=True)
class Started:
    """A network with weights from elsewhere and a fitted head.

    Attributes:
        network: Normalized images (N, C, H, W) to logits (N, K), in eval mode.
        rows: One per setting that was tried for the head.
        seconds: That features and head take where nothing was computed before.
    """

    network: nn.Module
    rows: list[dict[str, float]]
    seconds: float

    @property
    def weights(self) -> dict[str, Tensor]:
        """Its state."""
        return self.network.state_dict()


def network_of(plan: Plan | FitPlan, architecture: Architecture) -> nn.Module:
    """Return the network of a plan, its head of the right kind; no weights are set."""
    network = architecture.build(**plan.arguments)
    if not isinstance(plan, FitPlan) or not plan.features:
        return network
    return with_head(network, _kernel_head(plan)).eval()


def _kernel_head(plan: FitPlan) -> KernelHead:
    found = plan.features
    return KernelHead(
        found["dimensions"], found["coordinates"], found["landmarks"], plan.arguments["classes"]
    )


def fit_head(
    plan: FitPlan, architecture: Architecture, weights: Weights, prepared: Prepared, *, progress: Progress
) -> Started:
    """Return the network with its head fitted to the features of the fit pictures.

    Args:
        plan: All choices.
        architecture: Builds the network.
        weights: What it starts from.
        prepared: The data; settings are chosen among the fit pictures alone.
        progress: Told about features and fits.
    """
    network = network_of(plan, architecture).eval()
    plain = architecture.build(**plan.arguments).eval()
    plain.load_state_dict(fit_to(plain, weights, apart=architecture.expansion))
    scale = answer_scale(plain, channels=plan.arguments["channels"], size=plan.arguments["size"])
    backbone = Backbone(without_head(plain), head_of(plain)[1].in_features, prepared.preprocess)
    examples = prepared.examples("fit")
    seen, seconds = [], 0.0
    for number in range(plan.views):
        view = View(number, plan.seed, plan.augmentation if number else {})
        found = features(
            backbone, prepared, examples.indices, view=view, threads=plan.threads, progress=progress
        )
        seen.append(found.numbers)
        seconds += found.seconds
    labels = torch.from_numpy(examples.labels[examples.indices])
    units = examples.indices if examples.units is None else examples.units[examples.indices]
    sample = Sample(
        features=torch.from_numpy(np.concatenate(seen)),
        labels=labels.repeat(plan.views),
        units=np.tile(units, plan.views),  # views of one picture are never torn apart
        classes=plan.arguments["classes"],
    )
    begun = time.monotonic()
    with settings(plan), torch.no_grad():
        shaped = plan.model_copy(update={"arguments": {**plan.arguments, **plan.features}})
        fit = catalog.find(classical, str(plan.head))(sample, shaped, progress=progress)
    seconds += time.monotonic() - begun
    own, body = _state(network, plan, fit.tensors, scale=scale), plain.state_dict()
    network.load_state_dict({name: own.get(name, body.get(name)) for name in network.state_dict()})
    return Started(network, fit.rows, seconds)


def fitted_head(
    run: Path,
    plan: FitPlan,
    architecture: Architecture,
    weights: Weights,
    prepared: Prepared,
    *,
    progress: Progress,
) -> Fitted:
    """Return what `fit_head` fits, as training gives it; what is in the checkpoints is not fitted again."""
    folder = run / "checkpoints"
    saved = checkpoint.latest(folder, plan=plan.digest)
    if saved is not None:
        about = saved.about
        return Fitted(
            saved.part("fitted"), about["history"], about["seconds"], 0.0, 0.0, 1, saved.passed_over
        )
    begun = time.monotonic()
    started = fit_head(plan, architecture, weights, prepared, progress=progress)
    seconds = time.monotonic() - begun
    keep_seconds(run, started.seconds)
    tensors = {f"fitted.{name}": tensor for name, tensor in started.weights.items()}
    about = {"step": 1, "seconds": seconds, "history": started.rows}
    checkpoint.save(folder, tensors=tensors, about=about, plan=plan.digest)
    return Fitted(started.weights, started.rows, seconds, seconds, 0.0, resumed_from=0)


def _state(
    network: nn.Module, plan: FitPlan, tensors: dict[str, Tensor], *, scale: float
) -> dict[str, Tensor]:
    """Return what was fitted under the names of the network; planes become its last layer.

    The features that it was fitted to are multiplied by `scale`, and so will its answers be.
    """
    mean, basis = tensors["projection.mean"], tensors["projection.basis"]
    if plan.features:
        head = next(name for name, module in network.named_modules() if isinstance(module, KernelHead))
        changed = {
            "projection.mean": mean / scale,
            "projection.basis": basis * scale,
            "coefficients": tensors["coefficients"] / scale,
            "bias": tensors["bias"] / scale,
        }
        return {f"{head}.{name}": tensor for name, tensor in {**tensors, **changed}.items()}
    head, _ = head_of(network)
    bias = tensors["bias"] - mean @ basis
    return {f"{head}.weight": basis.T.contiguous(), f"{head}.bias": bias / scale}


def unfrozen_from(
    run: Path,
    recipe: Recipe,
    weights: Weights,
    prepared: Prepared,
    *,
    threads: int,
    progress: Progress,
) -> tuple[dict[str, Tensor], str]:
    """Return what unfreezing starts from, the weights and a head fitted to their features, and its sha256.

    It is kept in the run folder; what is there already is not fitted again.

    Raises:
        DataError: `damaged`: what is there cannot be read.
    """
    if not has_start(run):
        head = plan_head(recipe, weights, prepared, threads=threads)
        architecture = transferred(recipe.architecture)
        started = fit_head(head, architecture, weights, prepared, progress=progress)
        keep_seconds(run, started.seconds)
        keep_start(run, started.weights)
    return kept_start(run)


def fine_tuning(recipe: Recipe, architecture: Architecture) -> Recipe:
    """Return the recipe with what suits weights that are good already: small steps, from the top down."""
    objective = "unfreeze" if recipe.objective == "supervised" else recipe.objective
    return recipe.model_copy(update={"model": replace(architecture, settings=FINE), "objective": objective})
