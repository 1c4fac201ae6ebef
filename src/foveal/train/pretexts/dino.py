"""Answer about a part of a picture what a slowly moving network answers about more of it.

Source: Caron et al., "Emerging Properties in Self-Supervised Vision Transformers", 2021, algorithm 1.
"""

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from foveal.data.preprocess import Preprocess
from foveal.train.objective import Batch, Losses
from foveal.train.pretexts._pretext import Pretext, side_taken
from foveal.train.pretexts._teacher import follow, follower, rising
from foveal.train.pretexts._views import Changes, view
from foveal.train.setting import Setting

SETTINGS = {
    "outputs": Setting(256, 8, 65536, "kinds that answers are shared among", whole=True),
    "student_temperature": Setting(0.1, 0.01, 1, "of the network that learns"),
    "teacher_temperature": Setting(0.04, 0.01, 1, "of the network that is followed"),
    "momentum": Setting(0.97, 0, 1, "of the network that is followed, at first; it rises to 1"),
    "centre": Setting(0.9, 0, 1, "momentum of the mean answer that is taken off"),
    "local": Setting(0, 0, 16, "small parts that are seen by the network that learns alone", whole=True),
    "frozen": Setting(0.01, 0, 1, "share of the run in which the last layer stays as it is"),
}
_WIDE = Changes(least=0.4)
_LOCAL = Changes(least=0.05, most=0.4)


def cross_view(
    student: Sequence[Tensor],
    teacher: Sequence[Tensor],
    centre: Tensor,
    *,
    student_temperature: float,
    teacher_temperature: float,
) -> Tensor:
    """Return the mean cross-entropy between answers about different views of the same pictures.

    Args:
        student: Answers (N, K) about each view, those that the teacher saw first.
        teacher: Answers (N, K) about some of them, in the same order.
        centre: (K,); taken off the teacher's answers.
        student_temperature: What the student's answers are divided by, above 0.
        teacher_temperature: The same of the teacher's.
    """
    told = [F.softmax((one - centre) / teacher_temperature, dim=1).detach() for one in teacher]
    said = [F.log_softmax(one / student_temperature, dim=1) for one in student]
    losses = [
        -(right * answer).sum(dim=1).mean()
        for i, right in enumerate(told)
        for j, answer in enumerate(said)
        if i != j
    ]
    return torch.stack(losses).mean()


class _Head(nn.Module):
    """Features (N, D) to answers (N, K): three layers, a bottleneck of unit length, and K unit directions.

    Batch norm spreads what an untrained network hardly tells apart; without it all answers soon were alike.
    """

    def __init__(self, dimensions: int, outputs: int) -> None:
        super().__init__()
        hidden, narrow = 2 * dimensions, 128
        self.layers = nn.Sequential(
            nn.Linear(dimensions, hidden, bias=False),
            nn.BatchNorm1d(hidden),
            nn.GELU(),
            nn.Linear(hidden, hidden, bias=False),
            nn.BatchNorm1d(hidden),
            nn.GELU(),
            nn.Linear(hidden, narrow),
        )
        self.last = nn.Parameter(torch.randn(outputs, narrow))

    def forward(self, features: Tensor, *, fixed: bool = False) -> Tensor:
        """Return answers; `fixed` lets no gradient reach the last layer."""
        last = self.last.detach() if fixed else self.last
        return F.linear(F.normalize(self.layers(features), dim=1), F.normalize(last, dim=1))


class Dino(Pretext):
    """See the module."""

    def __init__(
        self, network: nn.Module, *, dimensions: int, preprocess: Preprocess, settings: Mapping[str, float]
    ) -> None:
        super().__init__(network, dimensions=dimensions, preprocess=preprocess, settings=settings)
        outputs, size = int(settings["outputs"]), preprocess.size
        self.local_side = side_taken(network, channels=preprocess.channels, size=size, side=size // 2)
        self.head = _Head(dimensions, outputs)
        self.teacher, self.teacher_head = follower(network), follower(self.head)
        self.centre: Tensor
        self.register_buffer("centre", torch.zeros(outputs))
        self._told: Tensor | None = None  # of this step, between `forward` and `after_step`

    def heads(self) -> list[nn.Module]:
        """Return the head of the network that learns."""
        return [self.head]

    @torch.no_grad()
    def views(self, batch: Batch) -> list[Tensor]:
        """Return two wide views of each picture, and as many small ones as are wanted."""
        with torch.autocast("cpu", enabled=False):
            wide = [view(batch.images, self.preprocess, _WIDE, batch.generator) for _ in range(2)]
            local = [
                view(batch.images, self.preprocess, _LOCAL, batch.generator, size=self.local_side)
                for _ in range(int(self.settings["local"]))
            ]
        return wide + local

    def forward(self, batch: Batch) -> Losses:
        """Return the loss of the answers about all views, of which the teacher sees the wide ones alone."""
        settings = self.settings
        fixed = batch.share < settings["frozen"]
        first, second, *local = self.views(batch)
        wide = torch.cat([first, second])
        with torch.no_grad():
            told = self.teacher_head(self.teacher(wide)).float()
        said = self.head(self.network(wide), fixed=fixed).float().chunk(2)
        if local:
            said += self.head(self.network(torch.cat(local)), fixed=fixed).float().chunk(len(local))
        loss = cross_view(
            said,
            told.chunk(2),
            self.centre,
            student_temperature=settings["student_temperature"],
            teacher_temperature=settings["teacher_temperature"],
        )
        self._told = told
        return Losses(loss, torch.zeros(()), 0)

    @torch.no_grad()
    def after_step(self, share: float) -> None:
        """Let the teacher follow, and the centre move towards what it answered in this step."""
        momentum = rising(share, start=self.settings["momentum"])
        follow(self.teacher, self.network, momentum=momentum)
        follow(self.teacher_head, self.head, momentum=momentum)
        if self._told is not None:
            self.centre.lerp_(self._told.mean(dim=0), 1 - self.settings["centre"])
            self._told = None
