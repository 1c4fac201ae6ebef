"""Pictures to features: a network without the layer that decides, as it runs where there is no torch."""

import hashlib
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from foveal.bundle.one_thread import session_of
from foveal.bundle.session import Float32, UInt8
from foveal.bundle.text_embedder import TextEmbedder
from foveal.core.errors import UsageError
from foveal.core.parallel import in_order
from foveal.core.progress import Progress, silent
from foveal.data.preprocess import Preprocess

FEATURES = "features"
EMBEDDED = "embedded"  # in the graph of a taught bundle: the features that its head is fitted to
TAUGHT_AS = "fewshot_"  # before the name of the head: what the manifest of such a bundle calls the model
_BATCH = 8  # pictures of one call: their maps stay in the processor's caches


@dataclass(frozen=True)
class Embedder:
    """What a picture is turned into before anything is decided about it.

    Attributes:
        graph: ONNX: input `images` uint8 (N, H, W, C), output `features` float32 (N, D).
        preprocess: From a picture to the graph's input; of single pictures.
        dimensions: D.
        source: What its weights are, for people.
        license: Of the weights, as far as it is known.
        texts: From texts to vectors of the same space, where the network was trained on pictures with texts.
    """

    graph: bytes = field(repr=False)
    preprocess: Preprocess
    dimensions: int
    source: str
    license: str | None = None
    texts: TextEmbedder | None = None

    @cached_property
    def digest(self) -> str:
        """The sha256 of graph, preprocessing and texts: equal ones give equal features on one machine."""
        parts = [self.graph, self.preprocess.model_dump_json().encode()]
        if self.texts is not None:
            parts.append(self.texts.digest.encode())
        return hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()

    @cached_property
    def _session(self) -> Any:
        """The graph in the engine, one thread a call: how many call at once then changes no digit."""
        return session_of(self.graph)

    def features(self, images: UInt8, *, threads: int = 1, progress: Progress = silent) -> Float32:
        """Return what the network makes of pictures, float32 (N, D).

        Args:
            images: uint8 (N, H, W, C) as `preprocess` leaves them; N may be 0.
            threads: Calls at once; their number changes no digit.
            progress: Told about the pictures.

        Raises:
            UsageError: Another dtype or shape.
            BundleError: The graph cannot be loaded.
        """
        if images.dtype != np.uint8 or images.shape[1:] != self.preprocess.shape:
            raise UsageError(
                f"need uint8 (N, {', '.join(map(str, self.preprocess.shape))}); "
                f"got {images.dtype} {images.shape}"
            )
        session = self._session  # made once, before several threads would

        def answered(start: int) -> Float32:
            given = {"images": np.ascontiguousarray(images[start : start + _BATCH])}
            found: Float32 = session.run([FEATURES], given)[0]
            return found

        parts: list[Float32] = [np.empty((0, self.dimensions), np.float32)]
        starts = iter(range(0, len(images), _BATCH))
        for part in in_order(answered, starts, workers=threads, name="features"):
            parts.append(part)
            progress(FEATURES, sum(map(len, parts)), len(images))
        return np.concatenate(parts)


def unit(features: Float32) -> Float32:
    """Return features with length 1 each, float32 (N, D); those of length 0 stay 0."""
    length = np.linalg.norm(features, axis=1, keepdims=True)
    scaled: Float32 = features / np.maximum(length, np.finfo(np.float32).tiny)
    return scaled
