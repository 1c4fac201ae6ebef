"""EfficientNet-Lite of timm: EfficientNet without what small processors are slow at."""

from torch import nn

from foveal.models import Card, _torchvision

CARD = Card(
    family="efficientnet",
    kind="network",
    source="Tan & Le 2019, arXiv:1905.11946; the lite variants: Liu 2020, TensorFlow blog; timm",
    summary="with --transfer the first choice for few pictures: its ImageNet weights come from pip",
    idea="EfficientNet with clipped ReLUs and without squeeze-and-excitation, for small processors.",
    smallest_size=16,
)
# From scratch as the other networks from elsewhere; transfer learning has rates of its own.
SETTINGS = _torchvision.SETTINGS
SIZES = _torchvision.sizes
EXPANSION = ("conv_head", "bn2")
MEMBERS = {f"efficientnet_lite{scale}": {"scale": scale} for scale in (0, 1, 2)}


def efficientnet_lite(
    *, channels: int, classes: int, size: int, scale: int, stem_stride: int = 1
) -> nn.Module:
    """Return a new EfficientNet-Lite with timm's names and TensorFlow's "same" padding.

    Of two early halvings, small pictures get one or none; the weights fit at every size. There is no dropout:
    runs are short, and labels are smoothed.

    Args:
        channels: Of the images, ≥ 1.
        classes: K ≥ 2.
        size: Side of the input in pixels, ≥ 16.
        scale: 0, 1 or 2: how deep.
        stem_stride: The early layers shrink pictures at least by this: 1, 2 or 4. From 46 pixels on it is 2
            at least, from 91 on 4.
    """
    import timm  # here: it takes a second, and only these networks need it

    stride = _torchvision.stem_stride(size, stem_stride)
    network = timm.create_model(
        f"tf_efficientnet_lite{scale}", pretrained=False, in_chans=channels, num_classes=classes
    )
    return _torchvision.adapted(network, stride=stride, channels=channels)
