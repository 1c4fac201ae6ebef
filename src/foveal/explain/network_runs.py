"""A trained network that answers as a bundle does, so that both can be asked the same questions."""

from dataclasses import dataclass, replace

import torch
from torch import nn

from foveal.explain.scores import BATCH, Float32, UInt8
from foveal.tasks.recognizer import Recognizer


@dataclass(frozen=True)
class Answers:
    """Probabilities float32 (N, K), before calibration."""

    probabilities: Float32


@dataclass(frozen=True)
class NetworkRuns:
    """A recognizer's network as `bundle.answering.Runs`; its probabilities are not calibrated."""

    recognizer: Recognizer

    def run(self, images: UInt8, /) -> Answers:
        """Return the answers for uint8 (N, size, size, channels), N ≥ 1."""
        logits = torch.from_numpy(self.recognizer.logits(images, batch=BATCH))
        return Answers(logits.softmax(dim=1).numpy())


def with_network(recognizer: Recognizer, network: nn.Module) -> Recognizer:
    """Return the recognizer with another network, in eval mode."""
    return replace(recognizer, network=network.eval())
