"""What all few-shot methods share: views of episodes, their loss, and answers about new classes."""

from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from foveal.core import catalog
from foveal.data.preprocess import Preprocess
from foveal.models._head import without_head
from foveal.tasks.classify import learn
from foveal.train import augment, optimizer
from foveal.train.episodic._episodes import Shape, divided, episodes
from foveal.train.episodic._normalization import with_episode_norms
from foveal.train.examples import Examples
from foveal.train.objective import Batch, Losses, Objective
from foveal.train.plan import Plan


class Episodic(Objective):
    """Cross-entropy of query pictures against the classes that a support set of their task shows.

    Attributes:
        backbone: Normalized images (N, C, H, W) to features (N, D).
        shape: Of the tasks that are learned from.
        preprocess: Gives the normalization.
    """

    def __init__(
        self,
        network: nn.Module,
        *,
        settings: Mapping[str, float],
        preprocess: Preprocess,
        augmentation: Mapping[str, float] | None = None,
    ) -> None:
        """Hold what is trained.

        Args:
            network: Normalized images (N, C, H, W) to logits (N, K); its head plays no part unless a method
                says so. It is left alone.
            settings: The shape of the tasks, and what the method's file states.
            preprocess: Gives the normalization.
            augmentation: Names of files in `train/augment` with their strength, in order.
        """
        super().__init__()
        self.backbone = with_episode_norms(without_head(network))
        self.shape = Shape.of(settings)
        self.preprocess = preprocess
        self.changes = [
            (catalog.find(augment, name), strength) for name, strength in (augmentation or {}).items()
        ]

    def draw(self, examples: Examples, plan: Plan, step: int) -> Batch:
        """Return the tasks of a step; see `episodes`."""
        return episodes(examples, plan, step)

    @abstractmethod
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
        """Return logits (T, Q, W) of query pictures, differentiable where gradients are on.

        Args:
            support: Normalized pictures (T, S, C, H, W).
            labels: Their places among the classes of the task, int64 (T, S), each of 0 to W - 1 present.
            query: Normalized pictures (T, Q, C, H, W).
            way: W.
            steps: Inner steps; None: as many as in training. A method without any takes no notice.
            transductive: Let batch norms see all queries at once. Otherwise what is said of one query does
                not depend on the others.
        """

    @torch.no_grad()
    def views(self, batch: Batch) -> Tensor:
        """Return network input (N, C, H, W), each picture changed by itself."""
        images = learn.normalize(batch.images, self.preprocess)
        unused = torch.zeros(len(images), 1)  # labels are places in a task; no change may mix pictures
        for change, strength in self.changes:
            images, _ = change(images, unused, strength=strength, batch=batch)
        return images.contiguous()

    def forward(self, batch: Batch) -> Losses:
        """Return the loss of the queries, and how many were right.

        Tasks are not divided among several processes: `batch.part` is all of it.
        """
        support, query = divided(self.views(batch), self.shape)
        labels, truth = divided(batch.labels, self.shape)
        logits = self.answers(support, labels, query, way=self.shape.way).flatten(0, 1).float()
        truth = truth.flatten()
        return Losses(F.cross_entropy(logits, truth), (logits.argmax(1) == truth).sum().detach(), len(truth))

    def parameter_groups(self, plan: Plan) -> list[dict[str, Any]]:
        """Return filters and vectors, each with its share of the learning rate."""
        return optimizer.parameter_groups(
            self.deployable(),
            weight_decay=plan.weight_decay,
            optimizer=plan.optimizer,
            head_rate=plan.head_rate,
        )

    def deployable(self) -> nn.Module:
        """Return what answers: `backbone` and, where the method has one, `head`."""
        return nn.ModuleDict(
            {name: part for name, part in self.named_children() if name in ("backbone", "head")}
        )

    def compared(self, way: int) -> Callable[[Tensor, Tensor, Tensor], Tensor] | None:
        """Return what makes logits (T, Q, W) of features (T, S, D), labels (T, S) and features (T, Q, D).

        A method that answers so need look at each picture only once. None: this one looks task by task.
        """
        return None

    @property
    def steps(self) -> int:
        """Inner steps that it learns with; 0 where it takes none."""
        return 0

    @property
    def first_order(self) -> bool:
        """Whether second derivatives of inner steps are left out."""
        return False
