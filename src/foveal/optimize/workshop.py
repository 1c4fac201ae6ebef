"""Where a search works: its folder, its pictures, its clock; and how one candidate becomes measured files."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from foveal.bundle import archive
from foveal.bundle.archive import Members
from foveal.bundle.footprint import footprint
from foveal.bundle.session import UInt8
from foveal.bundle.ways import REFERENCE, Way
from foveal.core import files
from foveal.core.errors import FovealError
from foveal.core.machine import usable_cpus
from foveal.core.progress import Progress, silent
from foveal.core.random import stream
from foveal.core.steps import Steps
from foveal.data.truths import Stated
from foveal.export.lowering import Lowering
from foveal.export.sealing import Origin
from foveal.optimize import making
from foveal.optimize.budget import Budget
from foveal.optimize.judge import Judge
from foveal.optimize.making import Material
from foveal.optimize.measuring import (
    alike,
    best_for_each_number_of_threads,
    fastest,
    speed,
    timed,
)
from foveal.optimize.variant import Speed, Variant
from foveal.tasks import recognizer as recognizers
from foveal.tasks.recognizer import Recognizer
from foveal.train.examples import Examples
from foveal.train.sampling import spread

STEPS, _CLOCK, _VARIANTS, _VARIANT = "steps.json", "clock.json", "variants", "variant.json"
_FAILED = "failed.json"
TEACHER, CANDIDATES = "teacher.safetensors", "candidates"
FILES = (STEPS, _CLOCK, _VARIANTS, TEACHER, CANDIDATES)  # what a search keeps in its folder
_TIMING_SECONDS, _TIMING_SHARE = 3.0, 0.01  # of one variant beside the original; of the budget at most
_NOTED_SECONDS = 5.0  # of a lesson that a kill gives again, at most


@dataclass(frozen=True)
class Roles:
    """Which pictures a search may use for what.

    Attributes:
        chosen_on: At model size, uint8 (N, S, S, C), or clips (N, T, S, S, C): the search chooses by these.
        pictures: What counts on them.
        calibrating: Labelled pictures on which confidence and thresholds are fitted, and nothing is chosen;
            None: there are none.
        learning: What may be learned from; None: nothing is trained.
        showing: Pictures by which nothing is chosen, uint8 (M, S, S, C); None: those to learn from are such.
        seed: Of what is drawn from them, and of every other random choice of the search.
        resizing: Makes the same at other sizes; None: there are no others.
        stated: Gives the objects of `calibrating` by their row, at this size; None: none are stated.
    """

    chosen_on: UInt8 = field(repr=False)
    pictures: Judge = field(repr=False)
    calibrating: Examples | None = field(default=None, repr=False)
    learning: Examples | None = field(default=None, repr=False)
    showing: UInt8 | None = field(default=None, repr=False)
    seed: int = 0
    resizing: "Resizing | None" = field(default=None, repr=False)
    stated: Stated | None = field(default=None, repr=False)

    def shown(self, count: int) -> UInt8:
        """Return some pictures that nothing is chosen by, drawn by chance, uint8 (≤ count, S, S, C).

        Every beginning of them is a fair draw, too: where there are labels, with all classes in about their
        proportions. So whoever has time for some of them takes the first.

        Raises:
            ValueError: There are none.
        """
        if self.showing is not None:
            return self.showing[stream(self.seed, "shown").permutation(len(self.showing))[:count]]
        if self.learning is None:
            raise ValueError("what chooses shows nothing: there is no other picture")
        stored = self.learning.indices
        order = spread(self.learning.labels[stored], seed=self.seed, purpose="shown")
        return np.asarray(self.learning.images[stored[order[:count]]])


class Resizing(Protocol):
    """The pictures of a search at other sizes: made from the files, by the one preprocessing rule."""

    def seconds(self, sizes: Sequence[int]) -> float:
        """Return how long reading all pictures is foreseen to take; 0 where that was done already."""
        ...

    def roles(self, sizes: Sequence[int], progress: Progress) -> Mapping[int, Roles]:
        """Return for each side in pixels the same pictures in the same order at that size."""
        ...


class Workshop:
    """A folder in which variants are made; what is finished there is not made again."""

    def __init__(
        self,
        folder: Path,
        original: Path,
        roles: Roles,
        budget: Budget,
        *,
        ways: Sequence[Way],
        progress: Progress = silent,
    ) -> None:
        """Open a folder.

        Args:
            folder: Of this search alone; there already where a search goes on.
            original: The bundle to make smaller.
            roles: The pictures, at the size of the original.
            budget: The limits.
            ways: In which files may be run here.
            progress: Told about every stage.
        """
        self.folder, self.original, self.roles, self.budget = folder, original, roles, budget
        self.ways, self.progress = tuple(ways), progress
        self.members: Members = archive.read(original)
        self.steps = Steps(folder, STEPS)
        self.predicted_latency: dict[str, Mapping[str, float]] = {}
        """Seconds a picture by precision, by the first step of what it is predicted for."""
        self._sized = {self.members.manifest.preprocess.size: roles}
        self._used = self._read_clock()
        self._since = self._noted = time.monotonic()

    @property
    def threads(self) -> int:
        """Threads for work that is not timed."""
        return usable_cpus()

    def reading_seconds(self, sizes: Sequence[int]) -> float | None:
        """Return how long reading all pictures at other sizes will take, about; None: it cannot be done."""
        return None if self.roles.resizing is None else self.roles.resizing.seconds(sizes)

    def roles_at(self, size: int) -> Roles:
        """Return the pictures at a size: the same ones in the same order as those of the original.

        They are read once a search, from the files; see `roles_at_sizes`.
        """
        return self.roles_at_sizes([size])[size]

    def roles_at_sizes(self, sizes: Sequence[int]) -> dict[int, Roles]:
        """Return the pictures at several sizes, by the side in pixels; what is new is read in one pass.

        Raises:
            ValueError: There is no other size in this search.
        """
        missing = [size for size in sizes if size not in self._sized]
        if missing:
            if self.roles.resizing is None:
                raise ValueError(f"pictures of {missing} pixels are asked for, and there are none")
            self._sized |= self.roles.resizing.roles(missing, self.telling)
        return {size: self._sized[size] for size in sizes}

    def chosen_on(self, paths: Sequence[Path]) -> dict[int, UInt8]:
        """Return the pictures that choose at each size that some sealed files take, by the side in pixels."""
        sizes = dict.fromkeys(archive.read(path).manifest.preprocess.size for path in paths)
        return {size: roles.chosen_on for size, roles in self.roles_at_sizes(list(sizes)).items()}

    def left(self) -> float:
        """Return the seconds that are left of the budget; the time that a killed search used counts."""
        return self.budget.seconds - self._spent()

    def _spent(self) -> float:
        return self._used + time.monotonic() - self._since

    def _read_clock(self) -> float:
        path = self.folder / _CLOCK
        if not path.is_file():
            return 0.0
        return files.read_json(path, lambda found: float(found["used"]), hint="--force begins anew")

    def carry_out(self, name: str, of: dict[str, object], work: Callable[[], Sequence[str]]) -> None:
        """Do a step once, and note the time; see `core.steps`."""

        def noted() -> Sequence[str]:
            names = work()
            self.note_time()  # first: the time of a finished step is never given again
            return names

        self.steps.carry_out(name, {"step": name, "original": self.members.manifest.digest, **of}, noted)

    def note_time(self) -> None:
        """Write down how much of the time is used: what was left undone for want of it stays undone then."""
        files.write_json(self.folder / _CLOCK, {"used": self._spent()})
        self._noted = time.monotonic()

    def telling(self, stage: str, done: int, total: int, note: str = "") -> None:
        """Pass the progress of long work on, and note the time every few seconds."""
        self.progress(stage, done, total, note)
        if time.monotonic() - self._noted >= _NOTED_SECONDS:
            self.note_time()

    def variant(self, name: str) -> Variant:
        """Return a variant that was measured before."""
        return files.read_json(
            self.place_of(name) / _VARIANT,
            lambda found: Variant(
                **{
                    **found,
                    "steps": tuple(found["steps"]),
                    "speed": Speed(**found["speed"]),
                    "ways": tuple(Way(**way) for way in found["ways"]),
                    "answers": _answers(found["answers"]),
                }
            ),
            hint="--force begins anew",
        )

    def read(self, bundle: Path) -> Members:
        """Return what a sealed file holds."""
        return archive.read(bundle)

    def digest(self, bundle: Path) -> str:
        """Return the name of a sealed file among all bundles."""
        return archive.read(bundle).manifest.digest

    def place_of(self, name: str) -> Path:
        """Return where the folder of a variant is, or would be."""
        return self.folder / _VARIANTS / name

    def place(self, name: str) -> Path:
        """Return the folder of a variant, made if missing."""
        folder = self.place_of(name)
        files.make_folder(folder)
        return folder

    def sealed(
        self, recognizer: Recognizer, steps: tuple[str, ...], path: Path, *, inherits: bool = True
    ) -> bool:
        """Export a network in fp32 through the parity gate; return whether it passed.

        Args:
            recognizer: The network.
            steps: What was done to the original to get it, in order.
            path: The file to write.
            inherits: Whether it began with weights of the original.
        """
        manifest = self.members.manifest
        origin = Origin(
            manifest.data,
            source=manifest.model.source if inherits else "scratch",
            licenses=manifest.licenses,
            made_from=manifest.model.origin or manifest.digest,
            steps=(*manifest.model.steps, *steps),
        )
        return making.sealed(
            recognizer, self.members, origin, path, self._material(recognizer.preprocess.size)
        )

    def lowered(self, source: Path, lowering: Lowering, path: Path) -> None:
        """Seal another graph of a sealed bundle."""
        found = archive.read(source)
        making.lower(found, lowering, path, self._material(found.manifest.preprocess.size))

    def _material(self, size: int) -> Material:
        roles = self.roles_at(size)
        return Material(roles.calibrating, roles.learning, roles.stated, self.threads)

    def has(self, name: str) -> bool:
        """Return whether a variant was measured."""
        return (self.place_of(name) / _VARIANT).is_file()

    def failed(self, name: str, error: FovealError) -> list[str]:
        """Note why a variant cannot be made, so that the search goes on without it; return the file names."""
        path = self.place(name) / _FAILED
        files.remove(self.place(name) / _VARIANT)  # of an attempt that was killed before it was a step
        files.write_json(path, error.as_json())
        self.progress("variants", 0, 1, f"{name}: {error.message}")
        return [path.relative_to(self.folder).as_posix()]

    def failures(self) -> dict[str, Any]:
        """Return for each variant that could not be made the error, as JSON."""
        found = sorted((self.folder / _VARIANTS).glob(f"*/{_FAILED}"))
        return {path.parent.name: files.read_json(path, dict, hint="--force begins anew") for path in found}

    def path(self, variant: Variant) -> Path:
        """Return the file of a variant."""
        return self.original if variant.bundle is None else self.folder / variant.bundle

    def measured(self, name: str, path: Path, *, ways: Sequence[Way], started: float) -> list[str]:
        """Measure a sealed file beside the original and write down what was found; return the file names.

        Args:
            name: Of the variant.
            path: Its file.
            ways: In which it may be run.
            started: When its making began, of `time.monotonic`.
        """
        folder, found = self.place(name), archive.read(path)
        roles = self.roles_at(found.manifest.preprocess.size)
        images = roles.chosen_on
        seconds = min(_TIMING_SECONDS, _TIMING_SHARE * self.budget.seconds)
        own = [(self.original, self.reference_ways), (path, alike(path, ways, images))]
        shown = self.chosen_on([self.original, path])
        first, rows = timed(own, shown, seconds=seconds, progress=self.progress)
        best = fastest(rows)
        done, before = found.manifest.model, self.members.manifest.model
        steps = done.steps[len(before.steps) :]
        variant = Variant(
            name=name,
            steps=steps,
            bundle=None if path == self.original else path.relative_to(self.folder).as_posix(),
            parameters=done.parameters,
            macs=done.macs,
            size_bytes=found.size_bytes,
            answers=roles.pictures.answers(path, best.way, images),
            speed=speed(best, fastest(first)),
            ways=best_for_each_number_of_threads(rows),
            peak_bytes=footprint(path, best.way, batch=1).peak_bytes,
            predicted=self._predicted(steps, done.precision),
            seconds=round(time.monotonic() - started, 2),
        )
        files.remove(folder / _FAILED)
        files.write_json(folder / _VARIANT, {**asdict(variant), "answers": _listed(variant.answers)})
        return [(folder / _VARIANT).relative_to(self.folder).as_posix()]

    def _predicted(self, steps: Sequence[str], precision: str) -> float | None:
        """Return the seconds a picture that were predicted, unless layers were left in another precision."""
        if not steps or "mixed_precision" in steps:
            return None
        computed = "fp32" if precision == "fp32" else "int8"  # weights in 4 bits are computed with as int8
        return self.predicted_latency.get(steps[0], {}).get(computed)

    @property
    def reference_ways(self) -> list[Way]:
        """Ways to run the original that all others are compared with: ONNX Runtime in float32."""
        return [Way(REFERENCE, "fp32", count) for count in dict.fromkeys(way.threads for way in self.ways)]

    def model(self, name: str) -> Recognizer:
        """Return the network of a variant that was saved."""
        return recognizers.load(self.place_of(name) / "model")


def _listed(answers: NDArray[Any]) -> list[Any]:
    """Return answers as JSON has them; what is no number, as of resamples without an object, is null."""
    found = answers.astype(object)
    if answers.dtype.kind == "f":
        found[np.isnan(answers)] = None
    listed: list[Any] = found.tolist()
    return listed


def _answers(listed: list[Any]) -> NDArray[Any]:
    found = np.array(listed)
    return found.astype(np.float64) if found.dtype == object else found
