"""Fine-tune a network whose weights are there: from the top down, the lower the more slowly.

The head moves from the first step; every stage below joins later, the one at the bottom last, and at a
lower rate. Until then a stage is as good as not there for the optimizer, and its batch norm keeps the
statistics that it came with. What is frozen is a function of the share of the run alone, so nothing of it has
to be remembered.
Source: Howard & Ruder, "Universal Language Model Fine-tuning for Text Classification", 2018, §3.3.
"""

from typing import Any, Self

from torch import nn

from foveal.data.preprocess import Preprocess
from foveal.models._head import head_of
from foveal.models.cnn import Cnn, Reading
from foveal.train.objective import Batch, Losses
from foveal.train.objectives.supervised import Supervised
from foveal.train.plan import Plan
from foveal.train.setting import Setting

SETTINGS = {
    "until": Setting(0.4, 0, 1, "share of the run after which all stages learn"),
    "lowest": Setting(0.1, 0.001, 1, "rate of the lowest stage as a multiple of that of the head"),
}
LABEL_SMOOTHING = 0.1


class Unfreeze(Supervised):
    """Cross-entropy on augmented pictures, for the stages that are not frozen."""

    until, lowest = 0.4, 0.1
    able: frozenset[str] | set[str] = frozenset()  # parameters that the network itself does not keep fixed

    @classmethod
    def planned(cls, plan: Plan, network: nn.Module, *, classes: int, preprocess: Preprocess) -> Self:
        """Return the objective of a plan around a network; see `Supervised.planned`."""
        objective = super().planned(plan, network, classes=classes, preprocess=preprocess)
        objective.until, objective.lowest = plan.settings["until"], plan.settings["lowest"]
        objective.able = {name for name, p in network.named_parameters() if p.requires_grad}
        return objective

    def train(self, mode: bool = True) -> Self:
        """Set the mode of what learns; where that is, `forward` says."""
        super().train(mode)
        if mode:
            self._thaw(0.0)
        return self

    def forward(self, batch: Batch) -> Losses:
        """Return the loss, and how many pictures were right."""
        if self.training:
            self._thaw(batch.share)
        return super().forward(batch)

    def _thaw(self, share: float) -> None:
        """Let the stages learn whose time has come; the batch norm of the others answers as in evaluation."""
        parts = stages(self.network)
        names = {id(p): name for name, p in self.network.named_parameters()}
        for depth, (part, learned) in enumerate(zip(parts, parameters(self.network), strict=True)):
            learns = share >= self.until * depth / len(parts)
            for module in part:
                module.train(learns)
            for p in learned:
                p.requires_grad_(learns and names[id(p)] in self.able)

    def parameter_groups(self, plan: Plan) -> list[dict[str, Any]]:
        """Return two groups a stage, matrices and vectors; the rate falls evenly on a logarithmic scale."""
        groups: list[dict[str, Any]] = []
        parts = parameters(self.network)
        for depth, part in enumerate(parts):
            rate = self.lowest ** (depth / max(1, len(parts) - 1))
            learned = [p for p in part if p.requires_grad]
            for decay, some in (
                (plan.weight_decay, [p for p in learned if p.ndim > 1]),
                (0.0, [p for p in learned if p.ndim <= 1]),
            ):
                moving = {"kind": "adam", "momentum": 0.9, "rate": rate, "weight_decay": decay}
                groups += [{"params": some, **moving}] if some else []
        return groups


def stages(network: nn.Module) -> list[list[nn.Module]]:
    """Return the layers of a network by depth, the head first and alone.

    A sequence at the top level is as many stages as it has members. A layer without weights is part of none.
    Of a network for clips the head is all that reads what its backbone makes of the frames.
    """
    body = network.backbone if isinstance(network, Cnn) else network
    top: list[nn.Module] = [head_of(network)[1]]
    if isinstance(network, Cnn):
        top = list(Reading(network).children())
    parts: list[nn.Module] = []
    for child in body.children():
        parts += list(child.children()) if type(child) is nn.Sequential else [child]
    below = [part for part in parts if part not in top and any(True for _ in part.parameters())]
    return [top, *([part] for part in reversed(below))]


def parameters(network: nn.Module) -> list[list[nn.Parameter]]:
    """Return the parameters of each stage, every one of the network once.

    What belongs to the network itself and to no layer of it, such as the positions of a transformer, is near
    the input: it is part of the lowest stage. Of two stages that share one, it is part of the upper.
    """
    parts, seen = [], set()
    modules = stages(network)
    modules[-1] = [*modules[-1], network]  # whatever is left
    for part in modules:
        found = {id(p): p for module in part for p in module.parameters() if id(p) not in seen}
        seen |= set(found)
        parts.append(list(found.values()))
    return parts


def unfrozen(plan: Plan) -> Plan:
    """Return the plan with all stages learning from the start: what its slowest steps are timed with."""
    if "until" not in plan.settings:
        return plan
    return plan.model_copy(update={"settings": {**plan.settings, "until": 0.0}})
