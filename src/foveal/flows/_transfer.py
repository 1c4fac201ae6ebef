"""Transfer learning: weights that are there, features that stay as they are, and a head fitted to them."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load as read_tensors
from safetensors.torch import save as tensor_bytes
from torch import Tensor, nn

from foveal.core import catalog, files, runs
from foveal.core.errors import RecipeError
from foveal.core.progress import Progress
from foveal.core.steps import file_hash
from foveal.data.dataset import Dataset
from foveal.data.preprocess import Preprocess
from foveal.data.sizing import suggest_channels, suggest_size
from foveal.flows._features import Backbone, View, features
from foveal.flows._prepare import Prepared
from foveal.models import Architecture, Settings
from foveal.models._head import head_of, with_head, without_expansion, without_head
from foveal.models._machines import KernelHead
from foveal.models.pretrained._fitting import fit_to
from foveal.models.pretrained._weights import Weights, normalization, packaged, read_weights
from foveal.train import checkpoint, classical
from foveal.train.classical import Effort, Sample
from foveal.train.fit_plan import FitPlan
from foveal.train.fit_planning import FINENESS, FOLDS
from foveal.train.flip_probe import flip_probe
from foveal.train.loop import Fitted, settings
from foveal.train.plan import Plan
from foveal.train.recipe import Recipe

FOLDER = "pretrained"
METHODS = {"linear": "discriminant", "svm": "kernel"}
_WEIGHTS, _ABOUT, _START = "weights.safetensors", "about.json", "start.safetensors"
_ANEW = "train anew: the run lost the weights that it started from"
_STATED = {
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "half": ((0.5,) * 3, (0.5,) * 3),
    "none": ((0.0,) * 3, (1.0,) * 3),
}
# Few pictures are shown again, changed; of many, what they bring is not worth the time.
VIEWS = {"crop": 0.75, "color": 0.4}
MOST_VIEWS, SEEN = 8, 4000
_FINE = Settings(optimizer="adam", learning_rate=1e-3, weight_decay=0.05, batch_size=256, warm_up_share=0.1)
_SMALL, _LEAST = 64, 128  # pictures of up to 64 pixels are shown at 128: more would only blow them up further
_USUAL = 224


def origin_of(recipe: Recipe) -> Weights | None:
    """Return the weights that a recipe starts from, or None where it starts from scratch.

    Raises:
        NotFoundError: The file or folder is not there.
        MissingExtraError: The package with the weights is not installed.
        DataError: The weights cannot be read, or do not fit the model.
        UsageError: No package has weights of the model, and no file is given.
        RecipeError: The weights were trained on otherwise normalized pictures than the recipe says.
    """
    if not recipe.transfers:
        return None
    name = recipe.architecture.name
    if recipe.weights is None:
        weights = packaged(name)
    else:
        weights = read_weights(runs.find(recipe.weights), model=name)
    if recipe.normalization is not None:
        mean, std = _STATED[recipe.normalization]
        known = (weights.mean or mean, weights.std or std)
        if not np.allclose(known, (mean, std), atol=0.01):
            raise RecipeError(
                f"{weights.source} was trained on pictures with mean {_shown(weights.mean)} and deviation "
                f"{_shown(weights.std)}; with normalization {recipe.normalization!r} it would answer wrongly",
                code="other_normalization",
                hint="leave the normalization out: it belongs to the weights",
            )
        weights = replace(weights, mean=mean, std=std)
    architecture = recipe.architecture
    built = transferred(architecture)(channels=3, classes=2, size=weights.size or _USUAL)
    fit_to(built, weights, apart=architecture.expansion)
    return weights


def transferred(architecture: Architecture) -> Architecture:
    """Return the architecture as a transfer builds it: without what only widens the input of its head."""

    def build(*, channels: int, classes: int, size: int) -> nn.Module:
        network = architecture(channels=channels, classes=classes, size=size)
        return without_expansion(network, architecture.expansion)

    return replace(architecture, build=build)


def _shown(values: tuple[float, ...] | None) -> str:
    return ", ".join(f"{value:.3g}" for value in values or ())


def keep(run: Path, weights: Weights) -> None:
    """Write the weights into a run folder, so that it goes on without the package or the file."""
    files.make_folder(run / FOLDER)
    files.write_bytes(
        run / FOLDER / _WEIGHTS, tensor_bytes({k: t.contiguous() for k, t in weights.tensors.items()})
    )
    about = {key: value for key, value in vars(weights).items() if key != "tensors"}
    files.write_json(run / FOLDER / _ABOUT, about)


def _bytes(tensors: Mapping[str, Tensor]) -> bytes:
    return tensor_bytes({name: tensor.contiguous() for name, tensor in tensors.items()})


def kept(run: Path) -> Weights:
    """Return what `keep` wrote.

    Raises:
        DataError: It is damaged or gone.
    """

    def weights(about: dict[str, Any]) -> Weights:
        pairs = {key: tuple(about[key]) if about[key] is not None else None for key in ("mean", "std")}
        return Weights(read_tensors((run / FOLDER / _WEIGHTS).read_bytes()), **{**about, **pairs})

    return files.read_json(run / FOLDER / _ABOUT, weights, hint=_ANEW)


def preprocess_for(dataset: Dataset, recipe: Recipe, weights: Weights) -> Preprocess:
    """Return how pictures become what the weights were trained on; grey ones get three equal channels."""
    channels = max(3, suggest_channels(dataset))
    mean, std, _ = normalization(weights, channels=channels)
    size = recipe.size
    if size is None:
        own = weights.size or _USUAL
        size = min(own, _LEAST) if suggest_size(dataset) <= _SMALL else own
    return Preprocess(size=size, channels=channels, mean=mean, std=std)


def plan_head(recipe: Recipe, weights: Weights, prepared: Prepared, *, threads: int) -> FitPlan:
    """Return the plan of a head: which views it sees, and how its settings are chosen."""
    preprocess, classes = prepared.preprocess, len(prepared.dataset.classes)
    examples = prepared.examples("fit")
    probe = flip_probe(
        examples.images, examples.labels, indices=examples.indices, classes=classes, seed=recipe.seed
    )
    views = max(1, min(MOST_VIEWS, SEEN // len(examples))) if recipe.head == "linear" else 1
    changes = {"flip": float(probe.allowed), **VIEWS}
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
        augmentation={name: strength for name, strength in changes.items() if strength and views > 1},
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
    """

    network: nn.Module
    rows: list[dict[str, float]]

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
    told = (weights.sha256, plan.model, *(str(plan.arguments[name]) for name in ("channels", "size")))
    backbone = Backbone(
        without_head(plain), " ".join(told), head_of(plain)[1].in_features, prepared.preprocess
    )
    examples = prepared.examples("fit")
    seen = []
    for number in range(plan.views):
        view = View(number, plan.seed, plan.augmentation if number else {})
        seen.append(
            features(backbone, prepared, examples.indices, view=view, threads=plan.threads, progress=progress)
        )
    labels = torch.from_numpy(examples.labels[examples.indices])
    units = examples.indices if examples.units is None else examples.units[examples.indices]
    sample = Sample(
        features=torch.from_numpy(np.concatenate(seen)),
        labels=labels.repeat(plan.views),
        units=np.tile(units, plan.views),  # views of one picture are never torn apart
        classes=plan.arguments["classes"],
    )
    with settings(plan), torch.no_grad():
        shaped = plan.model_copy(update={"arguments": {**plan.arguments, **plan.features}})
        fit = catalog.find(classical, str(plan.head))(sample, shaped, progress=progress)
    own, body = _state(network, plan, fit.tensors, scale=_scale(plain)), plain.state_dict()
    network.load_state_dict({name: own.get(name, body.get(name)) for name in network.state_dict()})
    return Started(network, fit.rows)


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
    tensors = {f"fitted.{name}": tensor for name, tensor in started.weights.items()}
    about = {"step": 1, "seconds": seconds, "history": started.rows}
    checkpoint.save(folder, tensors=tensors, about=about, plan=plan.digest)
    return Fitted(started.weights, started.rows, seconds, seconds, 0.0, resumed_from=0)


@torch.no_grad()
def _scale(network: nn.Module) -> float:
    """Return what a network multiplies the answers of its head with; of most it is 1, of nano 1/8."""
    head = head_of(network)[1]
    constant = nn.Linear(head.in_features, 1)
    constant.weight.zero_()
    constant.bias.fill_(1.0)
    first = next(module for module in network.modules() if isinstance(module, nn.Conv2d))
    blank = torch.zeros(1, first.in_channels, _USUAL, _USUAL)
    return float(with_head(network, constant)(blank))


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
    run: Path, recipe: Recipe, weights: Weights, prepared: Prepared, *, threads: int, progress: Progress
) -> dict[str, Tensor]:
    """Return what unfreezing starts from: the weights, and a head fitted to their features.

    It is kept in the run folder; what is there already is not fitted again.
    """
    path = run / FOLDER / _START
    if not path.is_file():
        plan = plan_head(recipe, weights, prepared, threads=threads)
        architecture = transferred(recipe.architecture)
        started = fit_head(plan, architecture, weights, prepared, progress=progress)
        files.write_bytes(path, _bytes(started.weights))
    return read_tensors(path.read_bytes())


def starts_from(run: Path) -> str:
    """Return the sha256 of what `unfrozen_from` keeps."""
    return file_hash(run / FOLDER / _START)


def fine_tuning(recipe: Recipe, architecture: Architecture) -> Recipe:
    """Return the recipe with what suits weights that are good already: small steps, from the top down."""
    objective = "unfreeze" if recipe.objective == "supervised" else recipe.objective
    return recipe.model_copy(update={"model": replace(architecture, settings=_FINE), "objective": objective})
