"""A tokenizer as JSON, and back."""

import json
from typing import Any

from foveal.data.texts.bpe import PairTokenizer
from foveal.data.texts.tokenizer import Tokenizer, WordTokenizer


def tokenizer_in(document: dict[str, Any]) -> Tokenizer:
    """Return the tokenizer that `as_json` wrote.

    Raises:
        ValueError, KeyError, TypeError, IndexError, AttributeError: It is none.
    """
    if document["kind"] == "words":
        return WordTokenizer(tuple(document["words"]))
    if document["kind"] == "pairs":
        merges = tuple((pair.split(" ")[0], pair.split(" ")[1]) for pair in document["merges"])
        return PairTokenizer(document["numbers"], merges)
    raise ValueError(f"there is no tokenizer of kind {document['kind']!r}")


def written(tokenizer: Tokenizer) -> bytes:
    """Return a tokenizer as JSON: equal ones give equal bytes."""
    return json.dumps(tokenizer.as_json(), sort_keys=True).encode()
