"""What a certificate is about: the file that ships, its network, and pictures it has not learned from."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from foveal.bundle.predictor import Predictor
from foveal.bundle.session import Outputs
from foveal.certify.level import Level
from foveal.certify.parts import evenly
from foveal.certify.profile import Profile
from foveal.core.batches import together
from foveal.core.parallel import in_order
from foveal.core.progress import Progress, silent
from foveal.data.dataset import UInt8
from foveal.evaluate.held_out import HeldOut, sample

if TYPE_CHECKING:
    from foveal.tasks.recognizer import Recognizer

Float32 = NDArray[np.float32]


@dataclass(frozen=True)
class Answered:
    """Pictures, or films as clips of T frames, with the truth and what the file answers for them.

    Attributes:
        held_out: N pictures.
        probabilities: Calibrated, float32 (N, K).
        logits: float32 (N, K).
        unknown: How unknown each picture is, float32 (N,), larger is more so; None: the file does not say.
        unreadable: Pictures that could not be used; they are not among the N.
    """

    held_out: HeldOut
    probabilities: Float32 = field(repr=False)
    logits: Float32 = field(repr=False)
    unknown: Float32 | None = field(default=None, repr=False)
    unreadable: int = 0

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def labels(self) -> NDArray[np.int64]:
        """The truth, int64 (N,)."""
        return self.held_out.labels

    @property
    def right(self) -> NDArray[np.bool_]:
        """Whether each picture was named correctly, bool (N,)."""
        found: NDArray[np.bool_] = self.probabilities.argmax(axis=1) == self.labels
        return found

    def some(self, at_most: int) -> tuple[UInt8, NDArray[np.int64]]:
        """Return some of them, evenly spaced, uint8 (M, size, size, C), and their labels, int64 (M,).

        Of clips it is uint8 (M, T, size, size, C).
        """
        return sample(self.held_out, np.arange(len(self)), at_most=at_most)


@dataclass(frozen=True)
class Overlap:
    """Pictures of the test whose content was used before.

    Attributes:
        known: Whether it is known which pictures were used: by the run's `split.json`, or a taught bundle.
        count: So many of the pictures were.
        n: Of so many.
    """

    known: bool
    count: int
    n: int


@dataclass(frozen=True, kw_only=True)
class Examined(ABC):
    """What a certificate is about, whatever the recognizer answers, and what is demanded of it.

    Attributes:
        bundle: The file that ships.
        predictor: The same, opened with one thread: batches run side by side.
        twin: The torch network that the file was made from, or None: then `no_twin` says why.
        no_twin: Why there is no twin; "" where there is one.
        overlap: Pictures that were used before.
        level: How much is measured.
        profile: What is demanded.
        seed: Of all that is drawn.
        threads: Batches at once.
        progress: Told a few times a second.
    """

    bundle: Path
    predictor: Predictor
    twin: "Recognizer | None"
    no_twin: str
    overlap: Overlap
    level: Level
    profile: Profile
    seed: int = 0
    threads: int = 1
    progress: Progress = silent

    @property
    def task(self) -> str:
        """What the recognizer is asked."""
        return self.predictor.manifest.task

    @property
    def takes_films(self) -> bool:
        """Whether the recognizer answers for films: then each picture here is a clip of T frames."""
        return self.predictor.preprocess.clip is not None

    def told(self, what: str) -> Callable[[int, int], None]:
        """Return a way to report on one measurement: done and total."""
        return lambda done, total: self.progress("certifying", done, total, what)

    @abstractmethod
    def few(self, at_most: int) -> UInt8:
        """Return some of the test pictures, evenly spaced, at model size, uint8 (M, H, W, C)."""


@dataclass(frozen=True, kw_only=True)
class Subject(Examined):
    """All that a measurement may look at, of a recognizer that gives pictures a class.

    Attributes:
        test: Pictures that it has not learned from and was not calibrated on; one of each that belong
            together.
        proving: Those that its promises were proven on, or None where they are not at hand.
        tuning: Those that its temperature was fitted on, or None.
        unknown: Pictures of things that it was not taught, uint8 (N, size, size, C), or None; clips likewise.
        learned: Pictures that it has learned from, for measurements that look for something in them and
            measure nothing on them; None: not at hand.
        slices: Positions in `test` by the value of each column of a table, by column.
        empty_slices: Columns with a value that none of the test pictures has.
        not_there: Pictures that the table names and the data do not have.
    """

    test: Answered
    proving: Answered | None
    tuning: Answered | None
    unknown: UInt8 | None = None
    learned: HeldOut | None = None
    slices: Mapping[str, Mapping[str, NDArray[np.int64]]] = field(default_factory=dict)
    empty_slices: tuple[str, ...] = ()
    not_there: tuple[str, ...] = ()

    def few(self, at_most: int) -> UInt8:
        """Return some of the test pictures; see `Examined`."""
        return self.test.some(at_most)[0]

    def outputs(self, images: UInt8) -> Outputs:
        """Return all that the file answers for pictures, or clips, at model size, N ≥ 1.

        Batches have the same pictures whatever the number of threads, so answers do not depend on it.
        """
        return Outputs.joined(
            list(
                in_order(
                    lambda part: self.predictor.run(images[part]),
                    evenly(len(images), at_most=together(images.shape[1:])),
                    workers=self.threads,
                    name="foveal-certify",
                )
            )
        )

    def answers(self, images: UInt8) -> tuple[Float32, Float32]:
        """Return probabilities and logits of the file for pictures at model size, each float32 (N, K)."""
        if len(images) == 0:
            nothing = np.empty((0, len(self.predictor.classes)), np.float32)
            return nothing, nothing
        found = self.outputs(images)
        return found.probabilities, found.logits

    def named(self, images: UInt8) -> NDArray[np.int64]:
        """Return the class that the file names for pictures at model size, int64 (N,)."""
        found: NDArray[np.int64] = self.answers(images)[0].argmax(axis=1)
        return found

    def scores(self) -> Callable[[UInt8], Float32]:
        """Return what an attack may ask: from pictures to logits.

        Attacks know pictures alone: they are given films, and ask about them, as `data.clip.tall` makes them.
        """
        shape = self.predictor.preprocess.shape
        return lambda images: self.answers(images.reshape(len(images), *shape))[1]
