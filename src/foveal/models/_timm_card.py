"""What `foveal models` says of timm's architectures; timm itself takes long to import and is not needed."""

from foveal.models._architecture import Card

CARD = Card(
    family="timm",
    kind="network",
    source="timm, https://github.com/huggingface/pytorch-image-models",
    summary="one of timm's more than a thousand, untrained; it is tried before it learns",
    idea="Whatever timm can build with any number of channels and classes.",
)
