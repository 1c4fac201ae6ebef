"""A trained network with all it needs to recognize: preprocessing, task and class names."""

import copy
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import torch
from numpy.typing import NDArray
from safetensors.torch import load as read_tensors
from safetensors.torch import save as tensor_bytes
from torch import Tensor, nn

from foveal import models
from foveal.core import files
from foveal.core.batches import at_once
from foveal.core.errors import DataError, UsageError
from foveal.data.dataset import UInt8
from foveal.data.preprocess import Preprocess
from foveal.models._cost import Cost, cost_of
from foveal.tasks import layers
from foveal.tasks.classify import learn

WEIGHTS, STRUCTURE = "weights.safetensors", "structure.json"
FILES = (WEIGHTS, STRUCTURE)  # of a folder that `save` writes


@dataclass(frozen=True)
class Recognizer:
    """What training makes and export takes; immutable.

    Attributes:
        network: Normalized images (N, C, H, W) to logits (N, K), in eval mode.
        architecture: Name of the file in `models/` that builds it; of a network from elsewhere any name.
        arguments: What it is built with.
        preprocess: From a picture to the network's input.
        classes: K names.
        task: What the outputs mean.
    """

    network: nn.Module
    architecture: str
    arguments: dict[str, Any]
    preprocess: Preprocess
    classes: tuple[str, ...]
    task: models.Task = "classify"

    def with_weights(self, weights: dict[str, Tensor]) -> "Recognizer":
        """Return the same recognizer with other weights; this one is left alone."""
        network = copy.deepcopy(self.network)
        network.load_state_dict(weights)
        return replace(self, network=network.eval())

    @torch.no_grad()
    def logits(self, images: UInt8, *, batch: int | None = None) -> NDArray[np.float32]:
        """Return logits (N, K) in float32 for uint8 images (N, H, W, C), or clips, at model size.

        Args:
            images: The pictures or clips.
            batch: How many are run together; None: as many as the processor's caches bear.
        """
        self.network.eval()
        batch = batch or at_once(self.preprocess.shape)
        parts = [
            self.network(learn.normalize(torch.from_numpy(images[i : i + batch]), self.preprocess))
            for i in range(0, len(images), batch)
        ]
        return torch.cat(parts).numpy() if parts else np.empty((0, len(self.classes)), np.float32)

    @property
    def blank(self) -> Tensor:
        """One picture or clip of zeros as the network takes it, normalized, float32 (1, …, C, H, W)."""
        *frames, height, width, channels = self.preprocess.shape
        return torch.zeros(1, *frames, channels, height, width)

    def cost(self) -> Cost:
        """Return what one answer costs: multiply-adds, weights and memory."""
        return cost_of(self.network, self.blank, name=self.architecture, classes=len(self.classes))


def build(architecture: str, arguments: dict[str, Any]) -> nn.Module:
    """Return a new network of `models/<architecture>.py`.

    Raises:
        UnknownNameError: No such file.
        UsageError: `own_model`: it is the name of somebody's own builder; no code is looked up by it.
    """
    return models.architecture(architecture).build(**arguments)


def weights_bytes(recognizer: Recognizer) -> bytes:
    """Return the content of `weights.safetensors`; its sha256 is the `weights_sha256` of a bundle."""
    return tensor_bytes({name: t.contiguous() for name, t in recognizer.network.state_dict().items()})


def save(recognizer: Recognizer, folder: Path, *, builder: models.Builder | None = None) -> None:
    """Write `weights.safetensors` and `structure.json` to a folder, made if missing.

    Layers that differ from what the builder makes (a step made the network smaller) are described under
    `layers`. Of a network of your own they can only be found if its builder is given.

    Args:
        recognizer: What is saved.
        folder: Of the model.
        builder: Builds the network where that was one of your own.

    Raises:
        UsageError: `unknown_layer`: a layer differs in a way that cannot be described.
        WriteError: It cannot be written.
    """
    changed = _changed_layers(recognizer, builder)
    files.make_folder(folder)
    files.write_bytes(folder / WEIGHTS, weights_bytes(recognizer))
    structure = {
        "schema": "foveal.model/1",
        "task": recognizer.task,
        "architecture": recognizer.architecture,
        "arguments": recognizer.arguments,
        "classes": list(recognizer.classes),
        "preprocess": recognizer.preprocess.model_dump(),
    }
    if changed:
        structure["layers"] = changed
    files.write_json(folder / STRUCTURE, structure)


def _changed_layers(recognizer: Recognizer, builder: models.Builder | None) -> layers.Layers:
    """Return the layers that the builder makes otherwise; none where nothing here can build the network."""
    if builder is None:
        if not models.is_known(recognizer.architecture):
            return {}
        builder = models.architecture(recognizer.architecture).build
    with torch.device("meta"):
        fresh = builder(**recognizer.arguments)
    return layers.described(recognizer.network, fresh)


def load(folder: Path, *, builder: models.Builder | None = None) -> Recognizer:
    """Read what `save` wrote.

    Args:
        folder: Of the model.
        builder: Builds the network where that was one of your own; no code is looked up by a name in a file.

    Raises:
        DataError: A file is missing or does not fit the other, or the builder makes another network.
        UsageError: `own_model`: the network is a user's own, and no builder is given.
    """
    try:
        structure = json.loads((folder / STRUCTURE).read_text(encoding="utf-8"))
        tensors = read_tensors((folder / WEIGHTS).read_bytes())
        preprocess = Preprocess(**structure["preprocess"])
        name, arguments = structure["architecture"], structure["arguments"]
        if builder is None and not models.is_own(name):
            builder = models.architecture(name).build
        if builder is not None:
            network = layers.rebuilt(builder(**arguments).eval(), structure.get("layers", {}), tensors)
            _check_types(network, tensors)
            network.load_state_dict(tensors)
            if isinstance(network, models.FollowsSize):  # it was built for the pictures it learned from
                network.made_for(preprocess.sides)
    except (OSError, ValueError, KeyError, RuntimeError, safetensors.SafetensorError) as error:
        raise DataError(
            f"{folder} holds no readable model: {error}",
            hint="the run did not finish; go on with foveal train DATA --resume RUN",
            path=folder,
        ) from error
    if builder is None:
        raise UsageError(
            f"{folder} holds a network that {name} built, and only your program can build it",
            code="own_model",
            hint="give the builder itself, from Python: recognizer.load(folder, builder=…)",
            path=folder,
        )
    return Recognizer(network, name, arguments, preprocess, tuple(structure["classes"]), structure["task"])


def _check_types(network: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Refuse numbers of another type than the network's: they would be converted without a word.

    Raises:
        ValueError: Some are.
    """
    for name, own in network.state_dict().items():
        if name in tensors and tensors[name].dtype != own.dtype:
            raise ValueError(f"{name} is {tensors[name].dtype}, the network has {own.dtype}")
