"""What a plan trains on prepared data."""

from collections.abc import Mapping

from torch import Tensor

from foveal.flows._prepare import Prepared
from foveal.models import Architecture
from foveal.train.objectives.supervised import Supervised
from foveal.train.plan import Plan
from foveal.train.starting import start


def make_objective(
    plan: Plan,
    architecture: Architecture,
    prepared: Prepared,
    *,
    initial: Mapping[str, Tensor] | None = None,
) -> Supervised:
    """Return the objective of a plan with its initial weights: a pure function of its arguments.

    `initial` are the weights of the network where they do not follow from the seed.

    Raises:
        DataError: `other_network`: a user's builder makes another network than the one that was planned.
    """
    classes = len(prepared.dataset.classes)
    examples = prepared.examples("fit")
    return start(plan, architecture, examples, prepared.preprocess, classes=classes, initial=initial)
