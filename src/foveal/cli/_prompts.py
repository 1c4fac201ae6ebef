"""The options that name classes by texts."""

from typing import Annotated

import typer

Prompts = Annotated[
    list[str] | None,
    typer.Option("--prompts", help='Text with {} for the class, as "a photo of {}"; as often as you like.'),
]


def listed(text: str) -> list[str]:
    """Return the names in a list that is separated by commas.

    >>> listed("red apple, pear")
    ['red apple', 'pear']
    """
    return [name.strip() for name in text.split(",")]
