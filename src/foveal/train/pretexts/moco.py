"""Tell the other view of a picture from many earlier ones, which a slowly moving network has answered.

Source: He et al., "Momentum Contrast for Unsupervised Visual Representation Learning", 2020, algorithm 1,
with projector and views of Chen et al., "Improved Baselines with Momentum Contrastive Learning", 2020.
"""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from foveal.data.preprocess import Preprocess
from foveal.train.objective import Batch, Losses
from foveal.train.pretexts._pretext import Pretext, projector
from foveal.train.pretexts._teacher import follow, follower
from foveal.train.pretexts._views import Changes, view
from foveal.train.setting import Setting

SETTINGS = {
    "temperature": Setting(0.2, 0.01, 10, "what similarities are divided by"),
    "outputs": Setting(128, 8, 4096, "numbers that are compared", whole=True),
    "queue": Setting(4096, 16, 1 << 20, "earlier pictures that are told apart", whole=True),
    "momentum": Setting(0.99, 0, 1, "of the network that answers for the other view"),
    "groups": Setting(4, 1, 256, "parts of a batch that batch norm knows apart", whole=True),
}


def info_nce(queries: Tensor, keys: Tensor, queue: Tensor, *, temperature: float) -> tuple[Tensor, Tensor]:
    """Return the mean loss of N queries, and how many found their key before all in the queue.

    -ln(exp(q·k / T) / (exp(q·k / T) + Σ exp(q·n / T))), n from the queue (He et al. 2020, eq. 1).

    Args:
        queries: Unit vectors (N, D).
        keys: Unit vectors (N, D), each the other view of the query beside it.
        queue: Unit vectors (M, D).
        temperature: T above 0.
    """
    right = (queries * keys).sum(dim=1, keepdim=True)
    logits = torch.cat([right, queries @ queue.T], dim=1) / temperature
    return F.cross_entropy(logits, torch.zeros(len(queries), dtype=torch.int64)), (
        logits.argmax(1) == 0
    ).sum()


class Moco(Pretext):
    """See the module.

    Query and key of a picture must not share statistics of batch norm, or those betray which belong together.
    The paper shuffles them over several devices; here keys are shuffled over groups of one batch.
    """

    def __init__(
        self, network: nn.Module, *, dimensions: int, preprocess: Preprocess, settings: Mapping[str, float]
    ) -> None:
        super().__init__(network, dimensions=dimensions, preprocess=preprocess, settings=settings)
        self.project = projector(dimensions, 2 * dimensions, int(settings["outputs"]))
        self.key_network, self.key_project = follower(network), follower(self.project)
        noise = torch.randn(int(settings["queue"]), int(settings["outputs"]))
        self.queue: Tensor
        self.place: Tensor
        self.register_buffer("queue", F.normalize(noise, dim=1))
        self.register_buffer("place", torch.zeros((), dtype=torch.int64))
        self._keys: Tensor | None = None  # of this step, between `forward` and `after_step`

    @classmethod
    def suited(cls, settings: Mapping[str, float], *, images: int) -> dict[str, float]:
        """Return settings whose queue holds no picture twice: it would stand there as another one."""
        least = int(SETTINGS["queue"].least)
        return {**settings, "queue": float(min(int(settings["queue"]), max(least, images // 2)))}

    def heads(self) -> list[nn.Module]:
        """Return the projector of the queries."""
        return [self.project]

    @torch.no_grad()
    def views(self, batch: Batch) -> list[Tensor]:
        """Return two views of each picture."""
        with torch.autocast("cpu", enabled=False):
            return [view(batch.images, self.preprocess, Changes(), batch.generator) for _ in range(2)]

    def forward(self, batch: Batch) -> Losses:
        """Return the loss of one view of each picture against another one and the queue."""
        views = self.views(batch)
        with torch.no_grad():
            keys = self._answered(views[1], batch.generator)
        queries = self.project(self.network(views[0]))
        with torch.autocast("cpu", enabled=False):
            queries = F.normalize(queries.float(), dim=1)
            loss, found = info_nce(queries, keys, self.queue, temperature=self.settings["temperature"])
        self._keys = keys
        return Losses(loss, found, len(queries))

    def _answered(self, views: Tensor, generator: torch.Generator) -> Tensor:
        """Return the keys of views, of which each group has statistics of its own."""
        count = len(views)
        groups = max(1, min(int(self.settings["groups"]), count // 2))
        order = torch.randperm(count, generator=generator)
        parts = [self.key_project(self.key_network(views[some])) for some in order.tensor_split(groups)]
        return F.normalize(torch.cat(parts).float(), dim=1)[order.argsort()]

    @torch.no_grad()
    def after_step(self, share: float) -> None:
        """Let the network of the keys follow, and the keys of this step take the place of the oldest."""
        for behind, ahead in ((self.key_network, self.network), (self.key_project, self.project)):
            follow(behind, ahead, momentum=self.settings["momentum"])
        if self._keys is None:
            return
        keys, self._keys = self._keys[-len(self.queue) :], None
        places = (self.place + torch.arange(len(keys))) % len(self.queue)
        self.queue[places] = keys
        self.place.copy_((self.place + len(keys)) % len(self.queue))
