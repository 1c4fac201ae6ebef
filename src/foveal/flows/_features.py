"""What a frozen network makes of pictures, or of the frames of clips: computed once, and remembered.

It is computed in ONNX Runtime. A changed view of a picture is never there by chance: which changes, how
strong and from which seed is part of what it is remembered by.
"""

import hashlib
import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from foveal.bundle.engines.onnxruntime import OnnxSession, onnxruntime
from foveal.core import catalog, machine
from foveal.core.parallel import in_order
from foveal.core.progress import Progress
from foveal.core.random import seed_for
from foveal.data.dataset import UInt8
from foveal.data.preprocess import Preprocess
from foveal.export.graph import graph
from foveal.flows._prepare import Prepared
from foveal.tasks.classify import learn
from foveal.tasks.recognizer import Recognizer
from foveal.train import augment, feature_cache
from foveal.train.objective import Batch

BATCH = 8  # pictures of one call: their maps stay in the processor's caches
_ENGINE = "onnxruntime"
_VIEWED_BY = ("foveal", "torch")  # which decide what a changed view looks like

Float32 = NDArray[np.float32]


@dataclass(frozen=True)
class Backbone:
    """A network without its head, and what its features depend on.

    Attributes:
        network: Normalized images (N, C, H, W) to features (N, D), in eval mode.
        dimensions: D.
        preprocess: What its pictures are like; of clips each frame is one.
    """

    network: nn.Module = field(repr=False)
    dimensions: int
    preprocess: Preprocess

    @cached_property
    def file(self) -> bytes:
        """The network as ONNX: all that it computes, its weights and the normalization; exported once."""
        numbers = tuple(map(str, range(self.dimensions)))
        still = self.preprocess.model_copy(update={"clip": None})
        return graph(Recognizer(self.network, "features", {}, still, numbers))

    @cached_property
    def session(self) -> OnnxSession:
        """The network in the engine."""
        return onnxruntime(self.file, threads=1)


@dataclass(frozen=True)
class View:
    """How pictures are changed before they are looked at.

    Attributes:
        number: Of the view; another number draws other changes.
        seed: They follow from it.
        changes: Names of files in `train/augment` with their strength, in order; none: the pictures
            themselves.
    """

    number: int = 0
    seed: int = 0
    changes: Mapping[str, float] = field(default_factory=dict)

    def of(self, pictures: UInt8, first: int, preprocess: Preprocess) -> UInt8:
        """Return the view of some pictures, uint8 (N, H, W, C), or clips, uint8 (N, T, H, W, C).

        The frames of a clip are changed as channels of one picture: one draw for all of them.

        Args:
            pictures: uint8, as they are returned.
            first: Place of the first one among all: what is drawn for a batch follows from it.
            preprocess: Gives the normalization, in which changes are stated.
        """
        if not self.changes:
            return pictures
        count = torch.arange(len(pictures))
        generator = torch.Generator().manual_seed(seed_for(self.seed, "view", self.number, first))
        # Each view is a pass: what changes from pass to pass, as mirroring does, changes from view to view.
        passes = torch.full_like(count, self.number)
        batch = Batch(torch.from_numpy(pictures), count, first + count, passes, 0.0, generator)
        images, targets = learn.normalize(batch.images, preprocess), torch.zeros(len(pictures), 2)
        shape = images.shape
        images = images.flatten(1, -3) if images.ndim == 5 else images
        for name, strength in self.changes.items():
            images, targets = catalog.find(augment, name)(images, targets, strength=strength, batch=batch)
        mean, std = torch.tensor(preprocess.mean), torch.tensor(preprocess.std)
        levels = (images.reshape(shape).movedim(-3, -1) * std + mean) * 255
        return np.ascontiguousarray(levels.round().clamp(0, 255).byte().numpy())


@dataclass(frozen=True)
class Features:
    """What a network makes of pictures.

    Attributes:
        numbers: float32 (N, D), of clips (N, T, D).
        seconds: That it took to compute them, now or the first time.
    """

    numbers: Float32 = field(repr=False)
    seconds: float


def features(
    backbone: Backbone,
    prepared: Prepared,
    rows: NDArray[np.int64],
    *,
    view: View,
    threads: int,
    progress: Progress,
) -> Features:
    """Return the features of some pictures as they are, or of a changed view of them.

    Args:
        backbone: The network.
        prepared: The data; no picture is ever changed by chance.
        rows: Which pictures, int64 (N,).
        view: The pictures themselves, or what is made of them.
        threads: Calls at once; each computes on one thread, so that their number changes no digit.
        progress: Told about the pictures.
    """
    preprocess = prepared.preprocess
    if "file" not in vars(backbone):  # it takes seconds
        progress("features", 0, len(rows), "exporting the network")
    name = feature_cache.key(
        {
            # Not what the weights are called: another builder may make another network for the same ones.
            "backbone": hashlib.sha256(backbone.file).hexdigest(),
            "pixels": preprocess.pixels_digest,
            "mean": preprocess.mean,
            "std": preprocess.std,
            "data": prepared.store.fingerprint,
            "rows": hashlib.sha256(np.ascontiguousarray(rows, dtype="<i8").tobytes()).hexdigest(),
            "view": [view.number, view.seed, list(view.changes.items())] if view.changes else 0,
            "cpu": machine.cpu_name(),
            **machine.versions(_ENGINE, *_VIEWED_BY),
        }
    )
    known = feature_cache.recall(name)
    if known is not None and len(known[0]) == len(rows):
        progress("features", len(rows), len(rows), "computed before")
        return Features(*known)
    begun = time.monotonic()
    found = extracted(backbone, prepared, rows, view=view, threads=threads, progress=progress)
    seconds = time.monotonic() - begun
    feature_cache.remember(name, found, seconds=seconds)
    return Features(found, seconds)


def extracted(
    backbone: Backbone,
    prepared: Prepared,
    rows: NDArray[np.int64],
    *,
    view: View,
    threads: int,
    progress: Progress,
) -> Float32:
    """Return features without asking the cache; arguments as those of `features`."""
    session = backbone.session
    images = prepared.store.images

    frames = images.shape[1:-3]  # (T,) of clips
    together = max(1, BATCH // math.prod(frames))

    def answered(pictures: UInt8) -> Float32:
        found = session.run(pictures.reshape(-1, *images.shape[-3:]))[1]
        return found.reshape(len(pictures), *frames, backbone.dimensions)

    def batches() -> Iterator[UInt8]:
        for start in range(0, len(rows), together):
            yield view.of(np.asarray(images[rows[start : start + together]]), start, prepared.preprocess)

    parts, done = [], 0
    for part in in_order(answered, batches(), workers=threads, name="features"):
        parts.append(part)
        done += len(part)
        progress("features", done, len(rows), f"view {view.number}")
    return np.concatenate(parts)
