"""Support vector machine on the pixels themselves: for pictures that lie alike, as parts on a jig."""

from foveal.models import Card
from foveal.models._machines import KernelMachine, Projection
from foveal.models._pixels import Pixels

CARD = Card(
    family="svm",
    kind="baseline",
    source="Cortes & Vapnik 1995; Williams & Seeger 2001",
    summary="a yardstick for pictures that all lie alike, where colour and place matter",
    smallest_size=16,
    fitted_by="kernel",
    grows=True,
)


def svm_pixels(
    *, channels: int, classes: int, size: int, coordinates: int = 256, landmarks: int = 1000
) -> KernelMachine:
    """Return a machine that is not fitted yet.

    Args:
        channels: Of the images, ≥ 1.
        classes: K ≥ 2.
        size: Side of the input in pixels, ≥ 16; above 32, means of blocks are compared.
        coordinates: Principal components that are kept of the pixels.
        landmarks: Training images that the kernel compares with.
    """
    features = Pixels(channels=channels, size=size)
    projection = Projection(features, dimensions=features.features, coordinates=coordinates)
    return KernelMachine(projection, coordinates=coordinates, landmarks=landmarks, classes=classes)
