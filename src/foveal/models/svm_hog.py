"""Support vector machine on histograms of oriented gradients: shape decides, colour and light do not."""

from foveal.models import Card
from foveal.models._hog import Hog
from foveal.models._machines import KernelMachine, Projection

CARD = Card(
    family="svm",
    kind="baseline",
    source="Dalal & Triggs 2005; Cortes & Vapnik 1995; Williams & Seeger 2001",
    summary="few images, or a strong yardstick: shapes and textures, fitted in seconds to minutes",
    smallest_size=16,
    fitted_by="kernel",
    grows=True,
)


def svm_hog(
    *, channels: int, classes: int, size: int, coordinates: int = 256, landmarks: int = 1000
) -> KernelMachine:
    """Return a machine that is not fitted yet.

    Args:
        channels: Of the images, ≥ 1.
        classes: K ≥ 2.
        size: Side of the input in pixels, ≥ 16.
        coordinates: Principal components that are kept of the features.
        landmarks: Training images that the kernel compares with.
    """
    features = Hog(size=size)
    projection = Projection(features, dimensions=features.features, coordinates=coordinates)
    return KernelMachine(projection, coordinates=coordinates, landmarks=landmarks, classes=classes)
