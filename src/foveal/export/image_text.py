"""From a network of pictures and texts to what makes vectors of both without torch: an `Embedder`."""

from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from foveal.bundle.embedder import Embedder
from foveal.bundle.text_embedder import TOKENS, VECTORS, TextEmbedder
from foveal.core.errors import BundleError
from foveal.data.texts.tokenizer import Tokenizer
from foveal.export.embedding import embedder
from foveal.export.tracing import followed
from foveal.models.image_text.transformer import TextTransformer
from foveal.tasks.image_text import ImageText


class _Images(nn.Module):
    """Normalized images (N, C, H, W) to unit vectors (N, D)."""

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, images: Tensor) -> Tensor:
        return F.normalize(self.encoder(images), dim=1)


class _Texts(nn.Module):
    """Token numbers (N, L) to unit vectors (N, D), without a step that depends on where texts end."""

    def __init__(self, encoder: TextTransformer) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, tokens: Tensor) -> Tensor:
        return F.normalize(self.encoder.whole(tokens), dim=1)


def shared_space(model: ImageText, *, source: str) -> Embedder:
    """Return what makes vectors of length 1 of pictures, and in `texts`, of texts.

    Args:
        model: Both encoders.
        source: What its weights are, for people.

    Raises:
        BundleError: `parity`, as `text_embedder`.
    """
    texts = text_embedder(model.network.text, model.tokenizer)
    pictures = _Images(model.network.image).eval()
    made = embedder(pictures, model.preprocess, dimensions=model.dimensions, source=source)
    return replace(made, texts=texts)


def text_embedder(encoder: TextTransformer, tokenizer: Tokenizer) -> TextEmbedder:
    """Return a text encoder as it runs without torch.

    Args:
        encoder: In eval mode.
        tokenizer: Whose numbers it reads.

    Raises:
        BundleError: `parity`: the graph does not answer as the network does.
    """
    length, vocabulary = encoder.places.shape[0], encoder.words.num_embeddings
    asked = [_noise(1, 2, vocabulary, encoder.end), _noise(3, length, vocabulary, encoder.end)]
    shown = _noise(2, max(2, length // 2), vocabulary, encoder.end)
    graph = followed(_Texts(encoder).eval(), (TOKENS, VECTORS), shown, asked, free={0: "N", 1: "L"})
    if graph is None:
        raise BundleError(
            "the graph of the text encoder does not answer as the network does",
            code="parity",
            hint="another version of torch may write one that does",
        )
    return TextEmbedder(graph, tokenizer, length, encoder.project.out_features)


def _noise(count: int, length: int, vocabulary: int, end: int) -> Tensor:
    """Return token numbers by lot, int64 (count, length), the first row as long as it can be."""
    random = torch.Generator().manual_seed(0)
    tokens = torch.randint(0, vocabulary, (count, length), generator=random)
    ends = torch.randint(1, length, (count,), generator=random)
    ends[0] = length - 1
    tokens[torch.arange(count), ends] = end
    return tokens
