"""ANIL: as MAML, but only the head takes inner steps; the backbone is learned for all tasks and stays.

Source: Raghu et al., "Rapid Learning or Feature Reuse? Towards Understanding the Effectiveness of MAML",
2020, §4.
"""

import torch.nn.functional as F
from torch import Tensor

from foveal.train.episodic import _adapting
from foveal.train.episodic._adapting import Adapting, Tensors, logits

SETTINGS = _adapting.SETTINGS
USUAL = _adapting.usual("ANIL")


class Anil(Adapting):
    """See the module; the support set goes through the backbone once, whatever the number of inner steps."""

    def adapted(self, start: Tensors, support: Tensor, labels: Tensor, *, steps: int) -> Tensors:
        """Return the parameters with the head after the inner steps; see `Adapting.adapted`."""
        features = self.features(start, support)

        def loss(head: Tensors) -> Tensor:
            return F.cross_entropy(logits(head, features), labels)

        head = {name: p for name, p in start.items() if name.startswith("head.")}
        for _ in range(steps):
            head = self.stepped(head, loss)
        return start | head
