"""The original without its least important channels: it remembers much, and has to learn less anew."""

import torch

from foveal.core.errors import UsageError
from foveal.data.dataset import UInt8
from foveal.models._cost import cost_of
from foveal.optimize.candidate import Candidate
from foveal.optimize.channels import groups
from foveal.optimize.steps.prune import prune, to_parameters
from foveal.optimize.steps.recalibrated import recalibrated
from foveal.tasks.recognizer import Recognizer

_SHARES = (0.3, 0.5, 0.7, 0.9)  # of the parameters that go
_RATE_SHARE = 0.3  # of a fresh network's learning rate: what is left is to be mended, not learned anew


def pruned(original: Recognizer, shown: UInt8) -> list[Candidate]:
    """Return a candidate for each share of the parameters that can go.

    Args:
        original: What is pruned.
        shown: Pictures that set the batch-norm statistics anew, uint8 (N, S, S, C).
    """
    preprocess = original.preprocess
    found = groups(original.network, channels=preprocess.channels, size=preprocess.size)
    made = []
    for share in _SHARES:
        try:
            keep = to_parameters(original.network, found, share)
        except UsageError as error:
            if error.code != "too_small":
                raise
            continue  # the network has not so much to give
        made.append(_candidate(original, shown, share, keep))
    return made


def _candidate(original: Recognizer, shown: UInt8, share: float, keep: dict[str, int]) -> Candidate:
    def make() -> Recognizer:
        return recalibrated(prune(original, keep), shown)

    smaller = prune(original, keep)
    preprocess = original.preprocess
    picture = torch.zeros(1, preprocess.channels, preprocess.size, preprocess.size)
    found = cost_of(smaller.network, picture, name=original.architecture, classes=len(original.classes))
    name = f"pruned-{100 * share:.0f}"
    return Candidate(name, (name,), make, found.macs, found.parameters, rate_share=_RATE_SHARE)
