"""How classes are called, whichever layout names them."""

import unicodedata

from foveal.core.text import printable


def class_name(name: str) -> str:
    """Return a class's name as all layouts give it: in Unicode NFC, and printable."""
    return unicodedata.normalize("NFC", printable(name))
