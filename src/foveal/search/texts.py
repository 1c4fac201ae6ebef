"""A text as a question to an index: what of it the text encoder knows, and its vector."""

from dataclasses import dataclass, field
from typing import Any

from foveal.bundle.embedder import Embedder
from foveal.bundle.session import Float32
from foveal.core.errors import UsageError
from foveal.core.wording import listed

MOST_LETTERS = 1000  # more than an encoder reads; time goes with the square of a word's length


@dataclass(frozen=True)
class Asked:
    """What is asked with.

    Attributes:
        vector: In the space of the pictures, float32 (D,).
        unknown: Words and signs that the text encoder was never taught; to it they say something by chance.
        cut: Whether the text is longer than what it reads, so that the end was not seen.
    """

    vector: Float32 = field(repr=False)
    unknown: tuple[str, ...]
    cut: bool

    def as_json(self) -> dict[str, Any]:
        """Return `unknown` and `cut`."""
        return {"unknown": list(self.unknown), "cut": self.cut}

    def warnings(self) -> list[str]:
        """Return what a person should know before believing the results."""
        said = []
        if self.unknown:
            said.append(f"never learned, and likely to mislead: {listed(self.unknown)}")
        if self.cut:
            said.append("the text is longer than what the network reads: its end was not seen")
        return said


def asked(embedder: Embedder, text: str) -> Asked:
    """Return a text as what an index is asked with.

    Args:
        embedder: Of the index.
        text: At most 1,000 letters.

    Raises:
        UsageError: `no_text`: the index has no text encoder; `bad_text`: it is empty, or no text;
            `text_too_long`: beyond 1,000 letters; `no_known_word`: nothing in it was ever learned.
        BundleError: The text encoder cannot be run.
    """
    if embedder.texts is None:
        raise UsageError(
            "this index cannot be asked with a text: its network was trained on pictures alone",
            code="no_text",
            hint="ask with a picture; or make an index of a network that was trained on pictures with texts: "
            "foveal search index DIR --out F.index --backbone RUN, a run of foveal clip",
        )
    if not _is_text(text):
        raise UsageError("there is no text to ask with", code="bad_text", hint="name what to look for")
    if len(text) > MOST_LETTERS:
        told = f"a text of {len(text):,} letters is too long: {MOST_LETTERS:,} are read"
        raise UsageError(told, code="text_too_long", hint="say it in a sentence")
    tokenizer = embedder.texts.tokenizer
    pieces = tokenizer.pieces(text)
    unknown = tuple(dict.fromkeys(piece for piece, known in pieces if not known))
    if not any(known and any(map(str.isalnum, piece)) for piece, known in pieces):
        raise UsageError(
            f"no word of this text was ever learned: {listed(unknown) if unknown else 'it has none'}",
            code="no_known_word",
            hint="use words of the texts that the network was trained on",
        )
    cut = len(tokenizer.encode(text)) > embedder.texts.length
    return Asked(embedder.texts.vectors([text])[0], unknown, cut)


def _is_text(text: str) -> bool:
    """Return whether there is something in it, and no byte of a command line that is no letter."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return text.strip() != ""
