"""What a plan trains on prepared data."""

from foveal.flows._prepare import Prepared
from foveal.train.loop import Examples
from foveal.train.objectives.supervised import Supervised
from foveal.train.plan import Plan
from foveal.train.starting import start


def make_objective(plan: Plan, prepared: Prepared) -> Supervised:
    """Return the objective of a plan with its initial weights: a pure function of plan and data."""
    examples = Examples(prepared.store.images, prepared.store.labels, prepared.split.fit)
    return start(plan, examples, prepared.preprocess, classes=len(prepared.dataset.classes))
