"""Learning to adapt: steps of gradient descent on a support set, through which training differentiates."""

from abc import abstractmethod
from collections.abc import Callable, Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap

from foveal.data.preprocess import Preprocess
from foveal.models._head import head_of
from foveal.train.episodic._episodic import Episodic
from foveal.train.episodic._normalization import statistics_of
from foveal.train.episodic._usual import Usual
from foveal.train.setting import Setting

Tensors = dict[str, Tensor]
Loss = Callable[[Tensors], Tensor]
SETTINGS = {
    "inner_steps": Setting(3, 1, 20, "steps of gradient descent on the support set", whole=True),
    "inner_rate": Setting(0.4, 0.0001, 10, "learning rate of those steps"),
    "first_order": Setting(0, 0, 1, "1: leave the second derivatives of those steps out", whole=True),
}
_HEAD = ("head.weight", "head.bias")


def usual(name: str) -> Usual:
    """Return what methods that adapt learn with where nobody says otherwise.

    Args:
        name: Of the method, for people.
    """
    return Usual(
        name=name,
        model="conv4_strided",
        way=20,
        tasks=2,
        query=5,
        steps=800,
        optimizer="muon",
        learning_rate=0.05,
    )


class Adapting(Episodic):
    """A head, and maybe a backbone, that take a few steps on a support set before they answer.

    The head that a task starts from is one row, the same for each of its classes. So there is nothing about a
    task that the order of its classes could tell, permuting them permutes the answers, before the first step
    all classes are equally probable, and a task may have any number of classes. The first step moves the head
    alone, so a backbone needs two to be adapted. Source: Ye & Chao, "How to Train Your MAML to Excel in
    Few-Shot Classification", 2022, §5 (UNICORN-MAML).

    Batch norms use the statistics of the support set, in training as afterwards.
    """

    def __init__(
        self,
        network: nn.Module,
        *,
        settings: Mapping[str, float],
        preprocess: Preprocess,
        augmentation: Mapping[str, float] | None = None,
    ) -> None:
        """Hold what is trained; as `Episodic`; settings also give `SETTINGS`."""
        super().__init__(network, settings=settings, preprocess=preprocess, augmentation=augmentation)
        self.head = nn.Linear(head_of(network)[1].in_features, 1)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)
        self._steps, self.rate = int(settings["inner_steps"]), settings["inner_rate"]
        self._first_order = bool(settings["first_order"])

    @property
    def steps(self) -> int:
        """Inner steps that it learns with."""
        return self._steps

    @property
    def first_order(self) -> bool:
        """Whether second derivatives of inner steps are left out."""
        return self._first_order

    @abstractmethod
    def adapted(self, start: Tensors, support: Tensor, labels: Tensor, *, steps: int) -> Tensors:
        """Return what a task's parameters are after `steps` inner steps.

        Args:
            start: By name: those of the backbone as `backbone.…`, and the head, (W, D) and (W,).
            support: Normalized pictures (S, C, H, W).
            labels: int64 (S,).
            steps: How many.
        """

    def answers(
        self,
        support: Tensor,
        labels: Tensor,
        query: Tensor,
        *,
        way: int,
        steps: int | None = None,
        transductive: bool = False,
    ) -> Tensor:
        """Return logits (T, Q, W) of queries after the inner steps; see `Episodic.answers`."""
        shared = {f"backbone.{name}": p for name, p in self.backbone.named_parameters()}
        row = dict(zip(_HEAD, (self.head.weight, self.head.bias), strict=True))
        count = self.steps if steps is None else steps

        def answer(support: Tensor, labels: Tensor, query: Tensor) -> Tensor:
            start = shared | {name: p.expand(way, *p.shape[1:]) for name, p in row.items()}
            with statistics_of(self.backbone, len(support)):
                own = self.adapted(start, support, labels, steps=count)
            pictures = torch.cat([support, query])
            with statistics_of(self.backbone, len(pictures) if transductive else len(support)):
                return logits(own, self.features(own, pictures)[len(support) :])

        found: Tensor = vmap(answer)(support, labels, query)
        return found

    def features(self, parameters: Tensors, pictures: Tensor) -> Tensor:
        """Return what a backbone with these parameters makes of pictures (N, C, H, W): (N, D)."""
        own = {n.removeprefix("backbone."): p for n, p in parameters.items() if n.startswith("backbone.")}
        found: Tensor = functional_call(self.backbone, own, (pictures,))
        return found

    def stepped(self, moved: Tensors, loss: Loss) -> Tensors:
        """Return parameters after one step down a loss; of first order the step counts as a constant."""
        if self.first_order:
            slope = grad(loss)({name: p.detach() for name, p in moved.items()})
            # The loss may rest on features that are learned, too: of them nothing may come through the step.
            slope = {name: p.detach() for name, p in slope.items()}
        else:
            slope = grad(loss)(moved)
        return {name: p - self.rate * slope[name] for name, p in moved.items()}


def logits(parameters: Tensors, features: Tensor) -> Tensor:
    """Return what the head among the parameters says of features (N, D): (N, W)."""
    return F.linear(features, *(parameters[name] for name in _HEAD))
