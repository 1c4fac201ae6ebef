"""A running average of the weights, which is what ships."""

import torch
from torch import Tensor, nn


class Average:
    """Exponential moving average of a network's parameters and floating-point buffers.

    The averaged batch-norm statistics belong to the averaged weights about as well as the last ones do
    to the last weights; integer buffers are copied. Source: Polyak & Juditsky, 1992, as used by
    Tarvainen & Valpola, 2017.
    """

    def __init__(self, network: nn.Module, *, horizon: float) -> None:
        """Start at the network's present weights.

        Args:
            network: Followed, never changed.
            horizon: Time constant in steps; early on the average is over all steps so far.
        """
        self.horizon = max(1.0, horizon)
        self._live = dict(network.state_dict(keep_vars=False))
        self._mean = {name: value.clone() for name, value in self._live.items()}

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take in the network's weights after `step` steps (1 after the first)."""
        weight = max(1.0 / step, 1.0 / self.horizon)
        floats = [name for name, value in self._mean.items() if value.is_floating_point()]
        torch._foreach_lerp_([self._mean[n] for n in floats], [self._live[n] for n in floats], weight)
        for name, value in self._mean.items():
            if not value.is_floating_point():
                value.copy_(self._live[name])

    def weights(self) -> dict[str, Tensor]:
        """Return a copy of the averaged state, to load into a network of the same structure."""
        return {name: value.clone() for name, value in self._mean.items()}

    def load(self, weights: dict[str, Tensor]) -> None:
        """Go on from an earlier average."""
        for name, value in self._mean.items():
            value.copy_(weights[name])
