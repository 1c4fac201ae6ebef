"""What a plan trains on prepared data."""

from foveal.flows._prepare import Prepared
from foveal.models import Architecture
from foveal.train.loop import Examples
from foveal.train.objectives.supervised import Supervised
from foveal.train.plan import Plan
from foveal.train.starting import start


def make_objective(plan: Plan, architecture: Architecture, prepared: Prepared) -> Supervised:
    """Return the objective of a plan with its initial weights: a pure function of its arguments.

    Raises:
        DataError: `other_network`: a user's builder makes another network than the one that was planned.
    """
    examples = Examples(prepared.store.images, prepared.store.labels, prepared.split.fit)
    classes = len(prepared.dataset.classes)
    return start(plan, architecture, examples, prepared.preprocess, classes=classes)
