"""The nearest training pictures, by their pixels, vote."""

from foveal.models import Card
from foveal.models._machines import Neighbours, Projection
from foveal.models._pixels import Pixels

CARD = Card(
    family="neighbours",
    kind="baseline",
    source="Cover & Hart 1967; Dudani 1976",
    summary="a yardstick that learns nothing: how far does remembering the pictures get?",
    smallest_size=16,
    fitted_by="neighbours",
    grows=True,
)


def knn(*, channels: int, classes: int, size: int, coordinates: int = 64, stored: int = 1000) -> Neighbours:
    """Return a machine that is not fitted yet.

    Args:
        channels: Of the images, ≥ 1.
        classes: K ≥ 2.
        size: Side of the input in pixels, ≥ 16; above 32, means of blocks are compared.
        coordinates: Principal components that are kept of the pixels.
        stored: Training images that are kept.
    """
    features = Pixels(channels=channels, size=size)
    projection = Projection(features, dimensions=features.features, coordinates=coordinates)
    return Neighbours(projection, coordinates=coordinates, stored=stored, classes=classes)
