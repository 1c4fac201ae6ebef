"""What a plan trains on prepared data."""

from foveal.flows._prepare import Prepared
from foveal.models import Architecture
from foveal.train.objectives.supervised import Supervised
from foveal.train.plan import Plan
from foveal.train.starting import start


def make_objective(plan: Plan, architecture: Architecture, prepared: Prepared) -> Supervised:
    """Return the objective of a plan with its initial weights: a pure function of its arguments.

    Raises:
        DataError: `other_network`: a user's builder makes another network than the one that was planned.
    """
    classes = len(prepared.dataset.classes)
    return start(plan, architecture, prepared.examples("fit"), prepared.preprocess, classes=classes)
