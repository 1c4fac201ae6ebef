"""What every evaluation document of a recognizer that says where something is has in common."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace
from typing import Any, Self

from foveal.core.errors import FovealError, ImageError
from foveal.evaluate.document import SCHEMA


@dataclass(frozen=True, kw_only=True)
class SceneReport(ABC):
    """What was measured of one recognizer on one set of pictures.

    Attributes:
        classes: Names in the order of the labels.
        images: How many pictures were measured on.
        split: Which part of the data was measured.
        bundle, digest: The file that was measured.
        task: What it answers for.
        unreadable: Pictures that could not be used and are in no number, with the reason.
        provenance: With what, on what, how fast.
    """

    classes: tuple[str, ...] = field(repr=False)
    images: int
    split: str = "test"
    bundle: str | None = None
    digest: str | None = None
    task: str
    unreadable: tuple[tuple[str, FovealError], ...] = ()
    provenance: dict[str, Any] = field(default_factory=dict)

    @property
    @abstractmethod
    def measured(self) -> dict[str, Any]:
        """The entries of the document that are of this task."""

    def as_json(self) -> dict[str, Any]:
        """Return the document."""
        return {
            "schema": SCHEMA,
            "ok": True,
            "bundle": self.bundle,
            "digest": self.digest,
            "task": self.task,
            "split": self.split,
            "images": self.images,
            "classes": list(self.classes),
            **self.measured,
            "unreadable": [{"source": name, "error": error.as_json()} for name, error in self.unreadable],
            "provenance": dict(self.provenance),
        }

    def without_names(self) -> Self:
        """Return the same report with numbers in place of the pictures' names: what a bundle may carry."""
        return replace(
            self,
            unreadable=tuple(
                (f"#{place}", ImageError("it could not be used", code=error.code))
                for place, (_, error) in enumerate(self.unreadable)
            ),
        )
