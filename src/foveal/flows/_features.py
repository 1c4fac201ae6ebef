"""What a frozen network makes of pictures: computed once in ONNX Runtime, and remembered."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from torch import nn

from foveal.bundle.engines.onnxruntime import onnxruntime
from foveal.core import machine
from foveal.core.parallel import in_order
from foveal.core.progress import Progress
from foveal.data.dataset import UInt8
from foveal.export.graph import graph
from foveal.flows._prepare import Prepared
from foveal.tasks.recognizer import Recognizer
from foveal.train import feature_cache

BATCH = 8  # pictures of one call: their maps stay in the processor's caches
_ENGINE = "onnxruntime"

Float32 = NDArray[np.float32]


@dataclass(frozen=True)
class Backbone:
    """A network without its head, and what its features depend on.

    Attributes:
        network: Normalized images (N, C, H, W) to features (N, D), in eval mode.
        name: What decides its weights, for the cache.
        dimensions: D.
    """

    network: nn.Module = field(repr=False)
    name: str
    dimensions: int


def features(
    backbone: Backbone,
    prepared: Prepared,
    rows: NDArray[np.int64],
    *,
    mirrored: bool,
    threads: int,
    progress: Progress,
) -> Float32:
    """Return the features of some pictures as they are, or of their mirror images, float32 (N, D).

    Args:
        backbone: The network.
        prepared: The data; no picture is ever changed by chance.
        rows: Which pictures, int64 (N,).
        mirrored: Left and right exchanged.
        threads: Calls at once; each computes on one thread, so that their number changes no digit.
        progress: Told about the pictures.
    """
    preprocess = prepared.preprocess
    name = feature_cache.key(
        {
            "backbone": backbone.name,
            "pixels": preprocess.pixels_digest,
            "mean": preprocess.mean,
            "std": preprocess.std,
            "data": prepared.store.fingerprint,
            "rows": hashlib.sha256(np.ascontiguousarray(rows, dtype="<i8").tobytes()).hexdigest(),
            "mirrored": mirrored,
            "cpu": machine.cpu_name(),
            **machine.versions(_ENGINE),
        }
    )
    known = feature_cache.recall(name)
    if known is not None and len(known) == len(rows):
        progress("features", len(rows), len(rows), "computed before")
        return known
    found = extracted(backbone, prepared, rows, mirrored=mirrored, threads=threads, progress=progress)
    feature_cache.remember(name, found)
    return found


def extracted(
    backbone: Backbone,
    prepared: Prepared,
    rows: NDArray[np.int64],
    *,
    mirrored: bool,
    threads: int,
    progress: Progress,
) -> Float32:
    """Return features without asking the cache; arguments as those of `features`."""
    numbers = tuple(map(str, range(backbone.dimensions)))
    recognizer = Recognizer(backbone.network, "features", {}, prepared.preprocess, numbers)
    session = onnxruntime(graph(recognizer), threads=1)
    images = prepared.store.images

    def answered(pictures: UInt8) -> Float32:
        return session.run(pictures)[1]

    def batches() -> Iterator[UInt8]:
        for start in range(0, len(rows), BATCH):
            some = np.asarray(images[rows[start : start + BATCH]])
            yield np.ascontiguousarray(some[:, :, ::-1]) if mirrored else some

    parts, done = [], 0
    for part in in_order(answered, batches(), workers=threads, name="features"):
        parts.append(part)
        done += len(part)
        progress("features", done, len(rows), "mirrored" if mirrored else "")
    return np.concatenate(parts)
