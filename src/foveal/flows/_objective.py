"""What a plan trains: the network with its initial weights, inside its objective."""

import torch

from foveal import models
from foveal.core.random import seed_for
from foveal.data.sizing import evenly_spaced
from foveal.flows._prepare import Prepared
from foveal.tasks import recognizer as recognizers
from foveal.tasks.classify import learn
from foveal.train.objectives.supervised import Supervised
from foveal.train.plan import Plan

_SHOWN_PIXELS = 512 * 32**2  # of training images, before the first step; at most 512 images


def make_objective(plan: Plan, prepared: Prepared) -> Supervised:
    """Return the objective of a plan with its initial weights: a pure function of plan and data."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_for(plan.seed, "weights"))
        network = recognizers.build(plan.model, plan.arguments)
    if isinstance(network, models.LearnsFromImages):
        count = max(32, min(512, _SHOWN_PIXELS // prepared.preprocess.size**2))
        fit = prepared.split.fit
        shown = prepared.store.images[fit[evenly_spaced(len(fit), at_most=count)]]
        network.learn_from(learn.normalize(torch.from_numpy(shown), prepared.preprocess))
    return Supervised(
        network,
        classes=len(prepared.dataset.classes),
        preprocess=prepared.preprocess,
        augmentation=plan.augmentation,
        label_smoothing=plan.label_smoothing,
    )
