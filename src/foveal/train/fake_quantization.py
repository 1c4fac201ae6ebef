"""A network that rounds as its int8 graph will, with a gradient: for training that survives quantization."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.func import functional_call

_LEVELS = 255  # of an unsigned activation
_LARGEST: dict[int, int] = {8: 127, 4: 7}  # of a signed weight of so many bits; symmetric
# Where 4 bits end, in root mean squares of an output's weights: near the least squared error for weights
# spread like a bell (2.6 for a Gaussian and 15 levels), and unlike that error the same for any scale.
FOUR_BITS_END = 2.5
FEWEST_FOR_FOUR = 2**14  # weights of a layer: smaller ones are sensitive, and 4 bits save little there
_MOMENTUM = 0.05  # how fast a range follows what is seen
_TINY = 1e-8


class FakeQuantization(nn.Module):
    """Runs a network with rounded weights and rounded inputs of its convolutions and products.

    Weights are rounded per output channel, symmetrically, to 255 levels, or those of large layers to 15; a
    batch norm behind a convolution scales whole channels, so that rounding before or after it is folded in is
    the same. Inputs are rounded to
    256 levels of a range that follows what is seen. Rounding passes the gradient on unchanged inside the
    range and stops it outside (Jacob et al., "Quantization and Training of Neural Networks for Efficient
    Integer-Arithmetic-Only Inference", 2018, §3).

    The network itself holds no trace of it: it is exported and quantized as any other.
    """

    ranges: Tensor
    seen: Tensor

    def __init__(self, network: nn.Module, bits: Literal[8, 4] = 8) -> None:
        """Watch a network.

        Args:
            network: Its convolutions and linear layers are rounded; it stays as it is.
            bits: Of the weights; with 4, those of the first layer and of small ones still have 8.
        """
        super().__init__()
        self._network = (network,)  # not a submodule: its weights belong to whoever trains it
        found = [(n, m) for n, m in network.named_modules() if isinstance(m, nn.Conv2d | nn.Linear)]
        self._names = [f"{name}.weight" for name, _ in found]
        self._layers = [module for _, module in found]
        self._bits = [
            4 if bits == 4 and place > 0 and layer.weight.numel() >= FEWEST_FOR_FOUR else 8
            for place, layer in enumerate(self._layers)
        ]
        self.register_buffer("ranges", torch.zeros(len(found), 2))
        self.register_buffer("seen", torch.zeros((), dtype=torch.bool))

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (N, K) of normalized images (N, C, H, W)."""
        network = self._network[0]
        rounded = {
            name: rounded_weight(layer.weight, bits)
            for name, layer, bits in zip(self._names, self._layers, self._bits, strict=True)
        }
        with self._inputs_rounded():
            logits: Tensor = functional_call(network, rounded, (images,))
        self.seen.fill_(True)
        return logits

    @contextmanager
    def _inputs_rounded(self) -> Iterator[None]:
        handles = [
            layer.register_forward_pre_hook(self._hook(place)) for place, layer in enumerate(self._layers)
        ]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def _hook(self, place: int) -> Any:
        def rounded(_layer: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
            return (self._rounded_input(place, inputs[0]), *inputs[1:])

        return rounded

    def _rounded_input(self, place: int, values: Tensor) -> Tensor:
        if self.training:
            with torch.no_grad():
                low, high = torch.aminmax(values.detach().float())
                found = torch.stack([low.clamp_max(0.0), high.clamp_min(0.0)])
                weight = _MOMENTUM if self.seen else 1.0
                self.ranges[place] = torch.lerp(self.ranges[place], found, weight)
        low, high = self.ranges[place].tolist()
        scale = max((high - low) / _LEVELS, _TINY)
        zero = round(-low / scale)
        return torch.fake_quantize_per_tensor_affine(values.float(), scale, zero, 0, _LEVELS).to(values.dtype)


def rounded_weight(weight: Tensor, bits: int = 8) -> Tensor:
    """Return a weight rounded per output channel (its first axis).

    Args:
        weight: (O, …).
        bits: 8: whole multiples of largest / 127. 4: multiples up to 7 of a step; what lies beyond
            `FOUR_BITS_END` root mean squares is cut off.
    """
    rows = weight.detach().flatten(1)
    reach = rows.abs().amax(dim=1) if bits == 8 else FOUR_BITS_END * rows.square().mean(dim=1).sqrt()
    largest = _LARGEST[bits]
    scales = reach.clamp_min(_TINY) / largest
    zeros = torch.zeros(len(weight), dtype=torch.int32)
    return torch.fake_quantize_per_channel_affine(weight, scales, zeros, 0, -largest, largest)
