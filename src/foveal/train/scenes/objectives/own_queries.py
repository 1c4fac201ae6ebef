"""Learn to say what is where with queries by the loss that a network brings along: that of transformers."""

from typing import Any

from foveal.train.plan import Plan
from foveal.train.scenes._groups import body_groups
from foveal.train.scenes.objectives.own_loss import OwnLoss


class OwnQueries(OwnLoss):
    """What `OwnLoss` learns, of a network in which one query means each object.

    The layers that answer move as all others do: they correct each other step by step, and the faster rates
    of layers that are new would undo what weights that are there know.
    """

    names = ("own_queries",)
    alone = frozenset(names)

    def parameter_groups(self, plan: Plan) -> list[dict[str, Any]]:
        """Return all parameters as the plan wants them moved, those of the backbone more slowly."""
        return body_groups(self.network, plan)


own_queries = OwnQueries
