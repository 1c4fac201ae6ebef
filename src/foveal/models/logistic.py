"""Multinomial logistic regression on the pixels: the least that any network has to beat."""

from foveal.models import Card
from foveal.models._machines import LinearMachine, Projection
from foveal.models._pixels import Pixels

CARD = Card(
    family="linear",
    kind="baseline",
    source="Cox 1966; McFadden 1974",
    summary="the smallest and fastest of all; enough where classes differ in colour or brightness",
    smallest_size=16,
    fitted_by="linear",
)


def logistic(*, channels: int, classes: int, size: int) -> LinearMachine:
    """Return a machine that is not fitted yet.

    Args:
        channels: Of the images, ≥ 1.
        classes: K ≥ 2.
        size: Side of the input in pixels, ≥ 16; above 32, means of blocks are weighed.
    """
    features = Pixels(channels=channels, size=size)
    projection = Projection(features, dimensions=features.features, coordinates=classes)
    return LinearMachine(projection, classes=classes)
