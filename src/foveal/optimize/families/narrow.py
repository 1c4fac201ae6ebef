"""Nanos of other widths, whatever the original is: they have to learn everything anew.

Of clips they look at the frames, and what reads these is the original's kind.
"""

from foveal import models
from foveal.models import nano
from foveal.optimize.candidate import Candidate, Start
from foveal.optimize.families._fresh import fresh

# Channels of the three stages, the largest first. The last stage holds most of the weights, the first ones
# take most of the time: what is saved there is seen in the file or in the clock.
_WIDTHS = (
    (64, 128, 256), (48, 96, 192), (48, 96, 128), (32, 96, 128), (32, 64, 128), (24, 48, 96), (16, 32, 64),
)  # fmt: skip


def narrow(start: Start) -> list[Candidate]:
    """Return a candidate for each choice of widths.

    Args:
        start: The original gives preprocessing and classes; patches of pictures set the first convolution.
    """
    if start.original.preprocess.size < nano.CARD.smallest_size:
        return []
    built_by, argument = "nano", "widths"
    if start.original.task == "video":
        own = start.original.architecture
        built_by, argument = own if models.is_known(own) else "cnn_gru", "backbone"
    return [
        fresh(start, "nano-" + "-".join(map(str, widths)), built_by, {argument: list(widths)})
        for widths in _WIDTHS
    ]
