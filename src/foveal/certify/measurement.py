"""What a file of `measurements/` offers, and what it finds."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from foveal.certify.claim import Claim
from foveal.certify.profile import Profile
from foveal.certify.statement import Statement
from foveal.certify.subject import Subject
from foveal.data.dataset import UInt8


@dataclass(frozen=True)
class Shown:
    """A picture on the certificate's page.

    Attributes:
        image: uint8 (H, W, C).
        caption: The answer, and what was done to the picture.
        right: Whether the answer is right; None where there is no right one.
    """

    image: UInt8 = field(repr=False)
    caption: str
    right: bool | None


@dataclass(frozen=True)
class Strip:
    """Pictures that belong together on the page.

    Attributes:
        title: What was done to them.
        pictures: In order.
    """

    title: str
    pictures: tuple[Shown, ...]


@dataclass(frozen=True)
class Section:
    """What a measurement found.

    Attributes:
        statements: Its numbers.
        strips: Pictures for the page.
        figures: Curves for the page, as JSON, by the name of the figure.
        says: Sentences for people.
    """

    statements: tuple[Statement, ...]
    strips: tuple[Strip, ...] = ()
    figures: Mapping[str, Any] = field(default_factory=dict)
    says: tuple[str, ...] = ()


@dataclass(frozen=True)
class Measurement:
    """One kind of measurement: a file of `measurements/` offers one, under the file's name.

    Attributes:
        section: Its place on the certificate, `C1` to `C14`.
        title: For people.
        claims: From a profile to what it will state. A limit can be set on these and no others.
        measure: Does it; returns one statement for each claim.
    """

    section: str
    title: str
    claims: Callable[[Profile], Sequence[Claim]]
    measure: Callable[[Subject], Section]
