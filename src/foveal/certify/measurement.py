"""What a file of `measurements/` offers, and what it finds."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from foveal.certify.claim import Claim
from foveal.certify.profile import Profile
from foveal.certify.statement import Statement
from foveal.certify.subject import Subject
from foveal.data.clip import still
from foveal.data.dataset import UInt8


@dataclass(frozen=True)
class Shown:
    """A picture on the certificate's page.

    Attributes:
        image: uint8 (H, W, C), a copy; given a clip (T, H, W, C), its middle frame.
        caption: The answer, and what was done to the picture.
        right: Whether the answer is right; None where there is no right one.
    """

    image: UInt8 = field(repr=False)
    caption: str
    right: bool | None

    def __post_init__(self) -> None:
        # A view of one picture would keep all those in memory that were changed with it.
        object.__setattr__(self, "image", still(self.image).copy())


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
        not_for_films: Why it says nothing of a recognizer of films, in a sentence; "": it measures that, too,
            on clips (N, T, H, W, C) in place of pictures.
        not_for_pictures: The same of a recognizer of pictures; told only where a limit asks for it.
    """

    section: str
    title: str
    claims: Callable[[Profile], Sequence[Claim]]
    measure: Callable[[Subject], Section]
    not_for_films: str = ""
    not_for_pictures: str = ""

    def found(self, subject: Subject) -> Section:
        """Measure; or state of each claim why it is not about recognizers of this kind."""
        why = self.not_for_films if subject.takes_films else self.not_for_pictures
        if not why:
            return self.measure(subject)
        return Section(tuple(claim.not_measured(why) for claim in self.claims(subject.profile)))
