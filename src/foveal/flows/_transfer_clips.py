"""Transfer learning of clips: weights for what looks at each frame; what reads the frames is learned.

Where the backbone stays as it is, it looks at each frame once, in a few views, before the first step; the
training loop then sees features. Where a length is given all learns, from the top down.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from foveal.core.progress import Progress
from foveal.core.random import seed_for
from foveal.flows._features import Backbone, View, features
from foveal.flows._kept_weights import keep_seconds
from foveal.flows._origin import start_reasons, transferred
from foveal.flows._prepare import Prepared
from foveal.flows._transfer import FINE, VIEWS, shown
from foveal.models import Architecture
from foveal.models._head import without_head
from foveal.models.cnn import Reading
from foveal.models.pretrained._fitting import fit_to
from foveal.models.pretrained._weights import Weights
from foveal.train.examples import Examples
from foveal.train.loop import Fitted, fit, settings
from foveal.train.objectives.frozen import Frozen
from foveal.train.plan import Plan
from foveal.train.planning import Facts, plan_training
from foveal.train.recipe import Recipe

_BATCH = 32  # clips a step: they cost next to nothing
_LEAST_DEVIATION = 1e-3  # of a feature: the same in all frames, it says nothing


def clips_start(recipe: Recipe, weights: Weights, prepared: Prepared) -> dict[str, Tensor]:
    """Return the state that a network for clips starts from; the seed decides what no weights are for."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_for(recipe.seed, "weights"))
        network = recipe.architecture.build(**_facts(prepared).arguments, **recipe.network)
    look = _look(recipe, weights, prepared)
    return {**network.state_dict(), **{f"backbone.{name}": t for name, t in look.state_dict().items()}}


def plan_reading(
    run: Path, recipe: Recipe, weights: Weights, prepared: Prepared, *, threads: int, progress: Progress
) -> Plan:
    """Return the plan of what reads the features of a frozen backbone; its speed is measured on features.

    Args:
        run: The run folder; it is written there what the features took.
        recipe: What the user wants.
        weights: Of the backbone.
        prepared: The data.
        threads: Of the plan.
        progress: Told about features and measurements.
    """
    facts = _facts(prepared)
    count, changes = shown(recipe, VIEWS, pictures=len(prepared.split.fit) * facts.frames)
    asked = recipe.model_copy(
        update={
            "model": replace(recipe.architecture, settings=FINE),
            "batch_size": recipe.batch_size or _BATCH,
            "augment": changes or "none",
            # Nothing is gained by measuring: what reads features takes next to no time.
            "precision": "fp32" if recipe.precision == "auto" else recipe.precision,
            "threads": threads,
        }
    )
    views = _views(count, changes, recipe.seed)
    seen = _seen(recipe, weights, prepared, views=views, threads=threads, progress=progress)
    keep_seconds(run, seen.seconds)
    start = clips_start(recipe, weights, prepared)
    plan = plan_training(
        asked,
        seen.examples,
        facts,
        lambda draft: _objective(draft, recipe.architecture, start, prepared),
        progress=progress,
    )
    looked = f"{count} {'views' if count > 1 else 'view'} of each of {len(seen.examples)} clips"
    looked += f", the first as it is, the others changed by {', '.join(changes)}" if changes else ""
    return plan.model_copy(
        update={
            "objective": "frozen",
            "views": count,
            "starts_from": weights.sha256,
            "reasons": {
                **start_reasons(weights, prepared.preprocess),
                "frozen": f"the backbone stays as it is and has looked once at {looked}",
                "length": plan.reasons["length"],
            },
        }
    )


def fitted_reading(
    run: Path, plan: Plan, recipe: Recipe, weights: Weights, prepared: Prepared, *, progress: Progress
) -> Fitted:
    """Train what reads the features as planned; the weights are those of the whole network."""
    views = _views(plan.views, plan.augmentation, plan.seed)
    seen = _seen(recipe, weights, prepared, views=views, threads=plan.threads, progress=progress)
    start = clips_start(recipe, weights, prepared)
    with settings(plan):
        objective = _objective(plan, recipe.architecture, start, prepared)
    fitted = fit(objective, seen.examples, plan, checkpoints=run / "checkpoints", progress=progress)
    with settings(plan):
        return replace(fitted, weights={**start, **seen.unscaled(fitted.weights)})


def _facts(prepared: Prepared) -> Facts:
    frames, size, _, channels = prepared.preprocess.shape
    return Facts(size, channels, len(prepared.dataset.classes), frames)


def _look(recipe: Recipe, weights: Weights, prepared: Prepared) -> nn.Module:
    """Return what looks at a frame, with the weights, in eval mode."""
    frame = transferred(recipe.started, weights)(**_facts(prepared).arguments).eval()
    frame.load_state_dict(fit_to(frame, weights, apart=recipe.started.expansion))
    return without_head(frame)


def _objective(
    plan: Plan, architecture: Architecture, start: dict[str, Tensor], prepared: Prepared
) -> Frozen:
    network: Any = architecture.build(**plan.arguments)
    network.load_state_dict(start)
    return Frozen.planned(
        plan, Reading(network), classes=plan.arguments["classes"], preprocess=prepared.preprocess
    )


@dataclass(frozen=True)
class _Seen:
    """What a backbone made of the fit clips, each feature with mean 0 and deviation 1.

    As they come features are all above 0 and differ in scale, which slows those that read them.

    Attributes:
        examples: float32 (N, V, T, B) in place of pictures.
        mean, std: Of the features as they come, (B,).
        seconds: That they took.
    """

    examples: Examples
    mean: Tensor
    std: Tensor
    seconds: float

    def unscaled(self, state: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return the state of what reads features as they come, from that of what reads these."""
        weight = state["project.weight"] / self.std
        bias = state["project.bias"] - weight @ self.mean
        return {**state, "project.weight": weight, "project.bias": bias}


def _seen(
    recipe: Recipe,
    weights: Weights,
    prepared: Prepared,
    *,
    views: list[View],
    threads: int,
    progress: Progress,
) -> _Seen:
    """Return the features of the fit clips, in some views."""
    network: Any = recipe.architecture.build(**_facts(prepared).arguments, **recipe.network)
    backbone = Backbone(_look(recipe, weights, prepared), network.project.in_features, prepared.preprocess)
    examples = prepared.examples("fit")
    rows, parts, seconds = examples.indices, [], 0.0
    for view in views:
        one = features(backbone, prepared, rows, view=view, threads=threads, progress=progress)
        parts.append(one.numbers)
        seconds += one.seconds
    units = None if examples.units is None else examples.units[rows]
    found = np.stack(parts, axis=1)  # in numpy: no number of threads decides a digit
    mean = found.mean((0, 1, 2), dtype=np.float64).astype(np.float32)
    std = found.std((0, 1, 2), dtype=np.float64).clip(_LEAST_DEVIATION).astype(np.float32)
    scaled: Any = (found - mean) / std  # in place of pixels
    standardized = Examples(scaled, examples.labels[rows], np.arange(len(rows)), units)
    return _Seen(standardized, torch.from_numpy(mean), torch.from_numpy(std), seconds)


def _views(count: int, changes: dict[str, float], seed: int) -> list[View]:
    """Return the clips as they are, and changed views of them."""
    return [View(number, seed, changes if number else {}) for number in range(count)]
