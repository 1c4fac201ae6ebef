"""EfficientNet-Lite of timm: EfficientNet without what small processors are slow at."""

from torch import nn

from foveal.models import Card, _torchvision

CARD = Card(
    family="efficientnet",
    kind="network",
    source="Tan & Le 2019, arXiv:1905.11946; the lite variants: Liu 2020, TensorFlow blog; timm",
    summary="with --transfer the first choice for few pictures: its ImageNet weights come from pip",
    idea="EfficientNet with clipped ReLUs and without squeeze-and-excitation, for small processors.",
    smallest_size=32,
)
# From scratch as the other networks from elsewhere; transfer learning has rates of its own.
SETTINGS = _torchvision.SETTINGS
EXPANSION = ("conv_head", "bn2")
MEMBERS = {f"efficientnet_lite{scale}": {"scale": scale} for scale in (0, 1, 2)}


def efficientnet_lite(*, channels: int, classes: int, size: int, scale: int) -> nn.Module:
    """Return a new EfficientNet-Lite with timm's names and TensorFlow's "same" padding.

    There is no dropout: runs are short, and labels are smoothed.

    Args:
        channels: Of the images, ≥ 1.
        classes: K ≥ 2.
        size: Side of the input in pixels, ≥ 32; the weights of all members fit at every size.
        scale: 0, 1 or 2: how deep.
    """
    import timm  # here: it takes a second, and only these networks need it

    network: nn.Module = timm.create_model(
        f"tf_efficientnet_lite{scale}", pretrained=False, in_chans=channels, num_classes=classes
    )
    return network
