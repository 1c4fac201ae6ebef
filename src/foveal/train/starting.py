"""Where a plan's training starts: the network with its initial weights, inside its objective."""

import hashlib
import inspect
import json
import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from foveal import models
from foveal.core import catalog
from foveal.core.errors import DataError, RecipeError
from foveal.core.random import seed_for
from foveal.data.preprocess import Preprocess
from foveal.data.sizing import evenly_spaced
from foveal.models import Architecture
from foveal.tasks.classify import learn
from foveal.train import chosen
from foveal.train.examples import Examples
from foveal.train.objectives.supervised import Supervised
from foveal.train.plan import Plan

_SHOWN_PIXELS = 512 * 32**2  # of training images, before the first step; at most 512 images


def start(
    plan: Plan,
    architecture: Architecture,
    examples: Examples,
    preprocess: Preprocess,
    *,
    classes: int,
    initial: Mapping[str, Tensor] | None = None,
) -> Supervised:
    """Return the objective of a plan with its initial weights: a pure function of plan and data.

    Args:
        plan: All choices.
        architecture: Builds the network.
        examples: What is trained on; the network may look at a few of the pictures before the first step.
        preprocess: Gives the normalization.
        classes: K.
        initial: The network's weights; None: they follow from the seed.

    Raises:
        DataError: `other_network`: a user's builder makes another network than the one that was planned.
        RecipeError: `auxiliary`: the network has auxiliary classifiers, and the objective no loss for them.
        UnknownNameError: The plan names an objective that is not there.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_for(plan.seed, "weights"))
        network = architecture.build(**plan.arguments)
    if plan.structure not in (None, structure(network)):
        raise DataError(
            f"{architecture.name} makes another network now than the one that this run was started with",
            code="other_network",
            hint="go on with the builder as it was, or train anew",
        )
    kind = chosen.kind(plan.objective)
    if initial is not None:
        network.load_state_dict(initial)
    else:
        show(network, examples, preprocess, reach=kind.reach(plan, preprocess))
    if isinstance(network, models.HasAuxiliary) and kind is not Supervised:
        raise RecipeError(
            f"{catalog.spoken(architecture.name)} learns with auxiliary classifiers, "
            f"and the objective {plan.objective} has no loss for them",
            code="auxiliary",
            hint="leave the objective out, or choose another model",
        )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_for(plan.seed, "auxiliary"))
        return kind.planned(plan, network, classes=classes, preprocess=preprocess)


def show(network: nn.Module, examples: Examples, preprocess: Preprocess, *, reach: float = 0.0) -> None:
    """Show a network some training images before the first step, where it wants to see any.

    Args:
        network: With its initial weights.
        examples: What is trained on; a few of the pictures, evenly spread, are shown.
        preprocess: Gives the normalization.
        reach: By how much an adversary will change each value, for those that want to know.
    """
    if not isinstance(network, models.LearnsFromImages):
        return
    count = max(32, min(512, _SHOWN_PIXELS // math.prod(preprocess.shape[:-1])))
    shown = examples.images[examples.indices[evenly_spaced(len(examples), at_most=count)]]
    images = learn.normalize(torch.from_numpy(shown), preprocess)
    if reach > 0 and "reach" in inspect.signature(network.learn_from).parameters:
        network.learn_from(images, reach=reach)  # type: ignore[call-arg]  # not all have it
    else:
        network.learn_from(images)


def structure(network: nn.Module) -> str:
    """Return a digest of names, shapes and types of a network's weights and buffers."""
    told = {name: [str(t.dtype), *t.shape] for name, t in network.state_dict().items()}
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()
