"""MAML: weights from which a few steps of gradient descent on a support set lead to good answers.

Source: Finn, Abbeel & Levine, "Model-Agnostic Meta-Learning for Fast Adaptation of Deep Networks", 2017,
algorithm 2 for classification. Training differentiates through the inner steps, which takes second
derivatives; with `first_order` those are left out (§5.2 there), and whatever tells of such a run says
"first-order MAML".
"""

import torch.nn.functional as F
from torch import Tensor

from foveal.train.episodic import _adapting
from foveal.train.episodic._adapting import Adapting, Tensors, logits

SETTINGS = _adapting.SETTINGS
USUAL = _adapting.usual("MAML")


class Maml(Adapting):
    """See the module; all parameters are adapted, those of the norms, too."""

    def adapted(self, start: Tensors, support: Tensor, labels: Tensor, *, steps: int) -> Tensors:
        """Return all parameters after the inner steps; see `Adapting.adapted`."""

        def loss(parameters: Tensors) -> Tensor:
            return F.cross_entropy(logits(parameters, self.features(parameters, support)), labels)

        for _ in range(steps):
            start = self.stepped(start, loss)
        return start
