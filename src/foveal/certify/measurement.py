"""What a file of `measurements/` offers, and what it finds."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from foveal.certify.claim import Claim
from foveal.certify.profile import Profile
from foveal.certify.statement import Statement
from foveal.certify.subject import Examined
from foveal.core.task import SCENE_TASKS, TASKS
from foveal.data.clip import still
from foveal.data.dataset import UInt8

Looked = TypeVar("Looked", bound=Examined)
CLASS_TASKS = tuple(task for task in TASKS if task not in SCENE_TASKS)
NO_ATTACKS = "attacks and proofs here are about the class of a picture; none are made for objects or areas"


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
class Measurement(Generic[Looked]):
    """One kind of measurement: a file of `measurements/` offers one, under the file's name.

    Attributes:
        section: Its place on the certificate, `C1` to `C14`.
        title: For people.
        claims: From a profile to what it will state. A limit can be set on these and no others.
        measure: Does it; returns one statement for each claim that is about the recognizer's task.
        tasks: What recognizers it is about, by what they are asked.
        not_for_films: Why it says nothing of a recognizer of films, in a sentence; "": it measures that, too,
            on clips (N, T, H, W, C) in place of pictures.
        not_for_pictures: The same of a recognizer of pictures; told only where a limit asks for it.
        not_for_scenes: The same of one that says where something is, which is told; "": of such a recognizer
            the question makes no sense, and a limit is about others.
    """

    section: str
    title: str
    claims: Callable[[Profile], Sequence[Claim]]
    measure: Callable[[Looked], Section]
    tasks: Sequence[str] = CLASS_TASKS
    not_for_films: str = ""
    not_for_pictures: str = ""
    not_for_scenes: str = ""

    def is_about(self, task: str) -> bool:
        """Return whether a certificate of a recognizer for a task speaks of it, be it to say why not."""
        return task in self.tasks or (task in SCENE_TASKS and self.not_for_scenes != "")

    def found(self, subject: Looked) -> Section:
        """Measure; or state of each claim why it is not about recognizers of this kind."""
        why = self.not_for_films if subject.takes_films else self.not_for_pictures
        if subject.task not in self.tasks:
            why = self.not_for_scenes
        if not why:
            return self.measure(subject)
        return Section(tuple(claim.not_measured(why) for claim in self.claims(subject.profile)))
