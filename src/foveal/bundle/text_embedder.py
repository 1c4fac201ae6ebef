"""Texts to vectors of the space that pictures are in: a text encoder as it runs where there is no torch."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from foveal.bundle.one_thread import session_of
from foveal.bundle.session import Float32
from foveal.core.errors import BundleError
from foveal.data.texts.stored import written
from foveal.data.texts.tokenizer import Tokenizer, token_table

TOKENS, VECTORS = "tokens", "vectors"


@dataclass(frozen=True)
class TextEmbedder:
    """What a text is turned into, to be compared with pictures.

    Attributes:
        graph: ONNX: input `tokens` int64 (N, L) with any N and L, each row with an end sign, output `vectors`
            float32 (N, D) of length 1.
        tokenizer: From a text to its numbers.
        length: L at most.
        dimensions: D.
    """

    graph: bytes = field(repr=False)
    tokenizer: Tokenizer = field(repr=False)
    length: int
    dimensions: int

    @cached_property
    def digest(self) -> str:
        """The sha256 of all of it: equal ones give equal vectors on one machine."""
        parts = (self.graph, written(self.tokenizer), str(self.length).encode())
        return hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()

    @cached_property
    def _session(self) -> Any:
        return session_of(self.graph)

    def vectors(self, texts: Sequence[str]) -> Float32:
        """Return the vector of each text, float32 (N, D), whatever the others are; what is too long is cut.

        Raises:
            BundleError: The graph cannot be loaded; `model_failed`: or does not answer as it must.
        """
        parts = [np.empty((0, self.dimensions), np.float32), *(self._vector(text) for text in texts)]
        return np.concatenate(parts)

    def _vector(self, text: str) -> Float32:
        # By itself, as short as it is: a text of five words takes a tenth of the time of the longest.
        numbers = min(self.length, len(self.tokenizer.encode(text)))
        session, tokens = self._session, token_table(self.tokenizer, [text], length=numbers)
        try:
            found: Float32 = session.run([VECTORS], {TOKENS: tokens})[0]
        except Exception as error:  # the engine's errors have no common class
            raise BundleError(f"the text encoder cannot be run: {error}", code="model_failed") from error
        if found.shape != (1, self.dimensions) or not np.isfinite(found).all():
            need = f"{self.dimensions} finite numbers"
            raise BundleError(f"the text encoder does not give {need}", code="model_failed")
        return found
