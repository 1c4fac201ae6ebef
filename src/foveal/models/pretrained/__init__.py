"""Weights of ImageNet that pip can install, a family per file.

`models/pretrained/<family>.py` states `PACKAGES`: for each member of `models/<family>.py` the package with
its weights. Its function `<family>(tensors)` gives them the names that the architecture has. The package is
found and read, never imported: nothing of it runs.
"""

from dataclasses import dataclass

# What torchvision's networks, and most of timm's, were trained on.
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Package:
    """A package of the Python Package Index that holds the weights of one network.

    Attributes:
        name: As pip calls it.
        file: Of the weights, below the folder that packages are installed in.
        sha256: Of that file.
        size: Side of the pictures that it was trained on, in pixels.
        mean, std: What those were normalized with, per channel on the 0..1 scale.
        license: Of the weights, as the package states it.
        options: For pip, where its requirements are not to be installed with it.
    """

    name: str
    file: str
    sha256: str
    size: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    license: str
    options: str = ""

    @property
    def install(self) -> str:
        """The command that installs it."""
        return f"pip install {self.options}{self.name}"
