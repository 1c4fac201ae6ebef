"""What a plan trains: the network with its initial weights, inside its objective."""

import torch

from foveal import models
from foveal.core.random import seed_for
from foveal.flows._prepare import Prepared
from foveal.tasks import recognizer as recognizers
from foveal.tasks.classify import learn
from foveal.train.objectives.supervised import Supervised
from foveal.train.plan import Plan

_SHOWN = 512  # training images that a network is shown before the first step


def make_objective(plan: Plan, prepared: Prepared) -> Supervised:
    """Return the objective of a plan with its initial weights: a pure function of plan and data."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_for(plan.seed, "weights"))
        network = recognizers.build(plan.model, plan.arguments)
    if isinstance(network, models.LearnsFromImages):
        shown = prepared.store.images[prepared.split.fit[:: max(1, len(prepared.split.fit) // _SHOWN)]]
        network.learn_from(learn.normalize(torch.from_numpy(shown), prepared.preprocess))
    return Supervised(
        network,
        classes=len(prepared.dataset.classes),
        preprocess=prepared.preprocess,
        augmentation=plan.augmentation,
        label_smoothing=plan.label_smoothing,
    )
