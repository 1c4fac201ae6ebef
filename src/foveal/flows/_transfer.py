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

from foveal.core import catalog
from foveal.core.errors import DataError
from foveal.core.progress import Progress
from foveal.data.dataset import Dataset
from foveal.data.preprocess import Preprocess
from foveal.data.sizing import median_side, suggest_channels, suggest_size
from foveal.flows._features import Backbone, View, features
from foveal.flows._kept_weights import has_start, keep_seconds, keep_start, kept_start
from foveal.flows._origin import USUAL, start_reasons, transferred
from foveal.flows._prepare import Prepared, decoders
from foveal.models import Architecture, Settings
from foveal.models._head import answer_scale, head_of, with_head, without_head
from foveal.models._machines import KernelHead
from foveal.models.pretrained._fitting import fit_to
from foveal.models.pretrained._weights import (
    Weights,
    normalization,
)
from foveal.train import checkpoint, classical
from foveal.train.classical import Effort, Sample
from foveal.train.fit_plan import FitPlan
from foveal.train.fit_planning import FINENESS, FOLDS
from foveal.train.flip_probe import flip_probe
from foveal.train.loop import Fitted, settings
from foveal.train.plan import Plan
from foveal.train.planning import ROBUST
from foveal.train.recipe import Recipe
from foveal.train.starting import structure

METHODS = {"linear": "discriminant", "svm": "kernel"}
# Few pictures are shown again, changed; of many, what they bring is not worth the time.
VIEWS = {"crop": 0.75, "color": 0.4}
_MOST_VIEWS, _SEEN = 4, 4000
_MANY, _QUICKER = 2000, 3e-3  # labelled pictures; a rate: see `fine_tuning`
FINE = Settings(optimizer="adam", learning_rate=1e-3, weight_decay=0.05, batch_size=256, warm_up_share=0.1)
_SMALL, _LEAST = 64, 128  # pictures of up to 64 pixels are shown at 128: more would only blow them up further
_MOST, _GRID = 384, 32  # a network halves pictures five times
# Networks learn from crops, in which things are larger than in whole pictures: shown larger, they look alike
# again (Touvron et al., "Fixing the train-test resolution discrepancy", 2019).
_CLOSER = 1.125


def preprocess_for(dataset: Dataset, recipe: Recipe, weights: Weights) -> Preprocess:
    """Return how pictures, or the frames of clips, become what the weights were trained on.

    Grey ones get three equal channels, unless the weights are of a network for grey pictures.
    """
    channels = 1 if weights.channels == 1 else max(3, suggest_channels(dataset))
    if channels < (weights.channels or 0):
        raise DataError(
            f"{weights.source} learned from pictures of {weights.channels} channels; those of "
            f"{dataset.path} have {suggest_channels(dataset)}",
            code="weights_mismatch",
            hint="give weights of pictures like yours",
            path=dataset.path,
        )
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
    own, side = weights.size or USUAL, median_side(dataset)
    wanted = own
    if suggest_size(dataset) <= _SMALL:
        wanted = min(own, _LEAST)
    elif side > own and dataset.clip is None:
        wanted = max(own, min(_MOST, _GRID * math.ceil(_CLOSER * side / _GRID)))
    made = [transferred(architecture, weights)(channels=3, classes=2, size=size) for size in (own, wanted)]
    same = structure(made[0]) == structure(made[1])
    # Larger pictures are skipped through by a coarser stem, of which the weights have not seen the like.
    return wanted if same and (wanted < own or str(made[0]) == str(made[1])) else own


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
    arguments = {
        "channels": preprocess.channels,
        "classes": classes,
        "size": preprocess.size,
        **weights.arguments,
    }
    _, last = head_of(transferred(recipe.architecture, weights).build(**arguments))
    used, dimensions, method = len(examples) * views, last.in_features, METHODS[recipe.head]
    landmarks, tuning = FINENESS[0]
    effort = Effort(dimensions, classes, used, min(used, tuning), landmarks)
    shape = import_module(f"{classical.__name__}.{method}").shape(effort)
    head = {"dimensions": dimensions, **shape} if shape else {}
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
            **start_reasons(weights, preprocess),
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
        architecture = transferred(recipe.architecture, weights)
        started = fit_head(head, architecture, weights, prepared, progress=progress)
        keep_seconds(run, started.seconds)
        keep_start(run, started.weights)
    return kept_start(run)


def fine_tuning(recipe: Recipe, architecture: Architecture, weights: Weights, *, images: int) -> Recipe:
    """Return the recipe with what suits weights that are good already: small steps, from the top down.

    Features of a run that names nothing are a start and no more: all layers learn at once, from many
    pictures as the network would from scratch, from few in small steps. On CIFAR-10, after a pass of SimCLR
    over 42,500 pictures, 5,020 labels gave 0.745 so, 0.703 in small steps and 0.631 from the top down; 510
    labels 0.537, 0.565 and 0.554 (n=3,000 each, one seed; between 510 and 5,020 nothing was measured, and
    nothing of what `fewshot train` learned).

    Args:
        recipe: What the user wants.
        architecture: The network.
        weights: What it starts from.
        images: Labelled pictures that are learned from.
    """
    objective, settings = recipe.objective, FINE
    if not weights.headless:
        objective = "unfreeze" if objective == "supervised" else objective
    elif objective != "unfreeze":
        settings = architecture.settings if images >= _MANY else replace(FINE, learning_rate=_QUICKER)
    return recipe.model_copy(
        update={"model": replace(architecture, settings=settings), "objective": objective}
    )
