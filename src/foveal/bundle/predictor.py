"""A bundle, loaded and verified, that answers."""

import itertools
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self, TypeVar

import numpy as np

from foveal.bundle import archive, remembered, seeing, ways
from foveal.bundle.archive import Vectors
from foveal.bundle.enclosed import Enclosed
from foveal.bundle.golden import Golden
from foveal.bundle.inputs import Input, UInt8, measured, pixels, source
from foveal.bundle.locate import locate
from foveal.bundle.manifest import Manifest
from foveal.bundle.session import Answers, Float32, Outputs, Session, no_window
from foveal.bundle.verifying import check_fit, check_unknown, verify
from foveal.bundle.ways import REFERENCE, Way
from foveal.core.errors import DataError, FovealError, NotFoundError, UsageError
from foveal.core.machine import usable_cpus
from foveal.core.parallel import in_order
from foveal.core.task import AREA_TASKS, SCENE_TASKS
from foveal.core.types import Label, Sighting
from foveal.data.clip import still
from foveal.data.preprocess import Preprocess
from foveal.tasks.classify.decode import Decision, decode
from foveal.tasks.defect import decode as defects
from foveal.tasks.defect.decode import DefectAnswers
from foveal.tasks.detect import decode as objects
from foveal.tasks.detect.decode import ObjectAnswers
from foveal.tasks.segment import decode as regions


@dataclass(frozen=True)
class Unreadable:
    """An input that could not be used.

    Attributes:
        source: The file, or `#3` for the fourth input that is no file.
        error: Why.
    """

    source: str
    error: FovealError

    def as_json(self) -> dict[str, Any]:
        """Return the contract's prediction object."""
        return {"source": self.source, "error": self.error.as_json()}


_Answer = tuple[Label | Unreadable, UInt8 | None]  # with the picture that it is about
Content = TypeVar("Content")  # of an input, as it was read


@dataclass(frozen=True)
class Predictor:
    """A recognizer as it ships; `open` makes one. It may be used from any number of threads.

    Attributes:
        manifest: What the bundle says about itself.
        size_bytes: Length of the bundle.
        session: The model in its engine.
        enclosed: Documents about the bundle, by name of the member.
        golden: A few pictures with the answers of the sealed model; None: not kept.
    """

    manifest: Manifest
    size_bytes: int
    session: Session
    enclosed: Mapping[str, Enclosed] = field(default_factory=dict, repr=False)
    golden: Vectors | None = field(default=None, repr=False)

    @classmethod
    def open(
        cls,
        path: str | Path,
        *,
        engine: str | None = None,
        precision: str | None = None,
        threads: int | None = None,
    ) -> Self:
        """Load a bundle: compare all its hashes, then what the engine answers on its golden vectors.

        Args:
            path: A `.foveal` file, or a run folder that holds one.
            engine: A file of `bundle/engines`. None: where neither it nor `precision` is named, what
                `foveal bench` found fastest on this machine; else ONNX Runtime.
            precision: In which the engine computes what the graph leaves in float32; None: fp32 in an engine
                that is named.
            threads: Threads for one picture; None takes all processors we may use, or as many as were
                fastest. For many pictures, 1 thread each and several workers in `predict_each` are faster.

        Raises:
            NotFoundError: There is no bundle.
            BundleError: It is not to be trusted, or does not run here as it did where it was sealed.
            UnknownNameError, UsageError: No such engine, or it does not compute in that precision.
            MissingExtraError: The engine is not installed.
        """
        path = locate(path)
        members = archive.read(path)
        manifest = members.manifest
        way = _way(manifest.digest, engine, precision, threads)
        with archive.about(path):
            session = way.load(members.model, members.forms)
            check_fit(session, manifest)
            verify(session, members.vectors, manifest)
            if isinstance(members.vectors, Golden):
                check_unknown(session, members.vectors.inputs[:1], manifest)
        return cls(manifest, members.size_bytes, session, members.enclosed, members.vectors)

    def verify(self, turn: int) -> None:
        """Compare once more what the engine answers on one golden vector with what was measured at sealing.

        Args:
            turn: Each turn takes the next one, so that it costs no more than a picture.

        Raises:
            BundleError: `golden_mismatch`.
        """
        if self.golden is not None:
            verify(self.session, self.golden.row(turn % len(self.golden.inputs)), self.manifest)

    @property
    def report(self) -> dict[str, Any] | None:
        """The evaluation attached to the bundle, or None.

        Raises:
            BundleError: `too_many_bytes`, `tampered`: it is too long, or about another bundle.
        """
        return archive.document(self.enclosed, archive.REPORT)

    @property
    def certificate(self) -> dict[str, Any] | None:
        """The certificate attached to the bundle, or None.

        Raises:
            BundleError: `too_many_bytes`, `tampered`: it is too long, or about another bundle.
        """
        return archive.document(self.enclosed, archive.CERTIFICATE)

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names in the order of the outputs."""
        return self.manifest.classes

    @property
    def preprocess(self) -> Preprocess:
        """From a picture to the model's input."""
        return self.manifest.preprocess

    @property
    def decision(self) -> Decision:
        """From probabilities to an answer; `UsageError` (`other_task`) of what is no classifier."""
        return self.manifest.decision

    @property
    def precision(self) -> str:
        """In which the graph is computed: `fp32`, `bf16`, `int8` or `int8+bf16`."""
        return ways.called(self.manifest.model.precision, self.session.precision)

    @property
    def digest(self) -> str:
        """The bundle's name among all bundles; equal digests decide equally."""
        return self.manifest.digest

    def run(self, images: UInt8, window: Float32 | None = None) -> Outputs:
        """Return what the graph answers for pictures, or clips, at model size.

        Args:
            images: uint8 (N, size, size, channels), as `preprocess` returns them; N may be 0. Of clips
                (N, T, size, size, channels).
            window: Of a recognizer of clips: `Outputs.window` of the call before, float32 (N, T, D), N ≥ 1.
                Then the images are the frames since, (N, F, size, size, channels), F ≥ 1.

        Raises:
            UsageError: Another dtype or shape.
            BundleError: The model's answer is no probability.
        """
        shape = self.session.input_shape
        if window is not None and images.ndim == 5 and len(shape) == 4:
            shape = (max(1, images.shape[1]), *shape[1:])
        if images.dtype != np.uint8 or images.ndim != len(shape) + 1 or images.shape[1:] != shape:
            raise UsageError(
                f"run needs uint8 (N, {', '.join(map(str, shape))}); got {images.dtype} {images.shape}"
            )
        if len(images) == 0:
            none = [np.empty((0, len(self.classes)), np.float32) for _ in range(2)]
            said = None if self.decision.unknown is None else np.empty(0, np.float32)
            return Outputs(none[0], none[1], said)
        images = np.ascontiguousarray(images)
        given = (images,) if window is None else (images, window)  # sessions for pictures take no second one
        answers = self.session.run(*given)
        return answers if isinstance(answers, Outputs) else Outputs(*answers)

    def step(self, frames: UInt8, window: Float32 | None) -> Outputs:
        """Return what the graph answers for frames that follow on earlier ones.

        Args:
            frames: Of N films, uint8 (N, F, size, size, channels), N ≥ 1, F ≥ 1.
            window: `Outputs.window` of the call before; None: there is none.

        Raises:
            UsageError: `other_task`: it answers for pictures; or another dtype or shape.
            BundleError: The model's answer is no probability.
        """
        shape = getattr(self.session, "window_shape", None)
        if shape is None:
            raise UsageError("this recognizer answers for pictures, not for films", code="other_task")
        return self.run(frames, no_window(frames, shape) if window is None else window)

    def predict(self, inputs: Input | Iterable[Input]) -> list[Label]:
        """Return one prediction for each input.

        Args:
            inputs: One or several of: a path, the bytes of a picture file, pixels as uint8 (H, W) or
                (H, W, channels). An array (N, H, W, channels) is N pictures. Of a recognizer of clips: films,
                or frames (F, H, W, channels), and N of them (N, F, H, W, channels).

        Raises:
            ImageError, NotFoundError: An input cannot be used; `predict_each` goes on instead.
        """
        labels = []
        for answer in self.predict_each(inputs, workers=1):
            if isinstance(answer, Unreadable):
                raise answer.error
            labels.append(answer)
        return labels

    def label(self, image: UInt8, source: str) -> Label:
        """Return the answer for a picture, or a clip, at model size.

        Args:
            image: What `preprocess` made of it.
            source: What the answer says that it is for.

        Raises:
            BundleError: What the engine says is no probability.
        """
        return self.decided(self.run(image[None]), source)

    def decided(self, answers: Outputs, source: str) -> Label:
        """Return what the graph's outputs for one picture, or clip, mean.

        Args:
            answers: Of `run`, N = 1.
            source: What the answer says that it is for.
        """
        [label] = decode(
            answers.probabilities,
            unknown=answers.unknown,
            classes=self.classes,
            decision=self.decision,
            sources=[source],
        )
        return label

    def predict_each(
        self,
        inputs: Input | Iterable[Input],
        *,
        workers: int | None = None,
        batch: int = 8,
        watch: Callable[[Label, UInt8], None] | None = None,
    ) -> Generator[Label | Unreadable]:
        """Yield one answer for each input, in their order, while later ones are worked on.

        Inputs are taken as they are needed and no picture is kept: a million take no more memory than
        ten. An input that cannot be used becomes `Unreadable`, and the rest goes on.

        Args:
            inputs: As for `predict`.
            workers: Threads that read, decode and run; None takes one more than the processors we may
                use, which hides waiting for files.
            batch: Inputs that a worker takes at a time; 1 where inputs come slowly. It does not change
                the answers: each picture runs through the graph by itself, which is the fastest.
            watch: Told of every answer and its picture at model size (of a clip the middle frame), in the
                order of the inputs, before the answer is yielded: `Monitor.observe` is one.
        """
        if batch < 1 or (workers is not None and workers < 1):
            raise UsageError(f"workers and batch are at least 1; got {workers} and {batch}")
        _ = self.decision  # a detector gives no labels
        batches = self._batches(inputs, batch)
        answered = in_order(
            self._answers, batches, workers=workers or usable_cpus() + 1, name="foveal-predict"
        )
        return self._watched(answered, watch)

    def _batches(self, inputs: Input | Iterable[Input], batch: int) -> Iterator[list[tuple[int, Input]]]:
        numbered = enumerate(_listed(inputs, several=len(self.preprocess.shape) + 1))
        return iter(lambda: list(itertools.islice(numbered, batch)), [])

    def ask(self, images: UInt8) -> Answers:
        """Return all that the graph answers for pictures, or clips, at model size, whatever it is for.

        Args:
            images: uint8 (N, height, width, channels), N ≥ 1, as `preprocess` returns them; of clips
                (N, T, height, width, channels).

        Raises:
            UsageError: Another dtype or shape.
            BundleError: The model failed, or what it answers makes no sense.
        """
        if self.manifest.task not in SCENE_TASKS:
            return self.run(images).by_name
        answers = self._asked(images)
        seeing.checked(self.manifest, answers, len(images))
        return answers

    def tell(
        self, answers: Answers, *, sources: Sequence[str], sizes: Sequence[tuple[int, int]]
    ) -> "list[Label] | list[Sighting]":
        """Return what the answers of `ask` for N pictures mean; arguments and errors as for `seen`."""
        if self.manifest.task in SCENE_TASKS:
            return self.seen(answers, sources=sources, sizes=sizes)
        return decode(
            answers["probabilities"],
            unknown=answers.get("unknown"),
            classes=self.classes,
            decision=self.decision,
            sources=sources,
        )

    def look(self, images: UInt8) -> ObjectAnswers:
        """Return what the graph of a detector answers for pictures at model size.

        Args:
            images: uint8 (N, height, width, channels), N ≥ 1, as `preprocess` returns them.

        Raises:
            UsageError: `other_task`: it is no detector; or another dtype or shape.
            BundleError: What the model answers are no objects.
        """
        _ = self.manifest.objects
        return objects.checked(self._asked(images), len(images), classes=len(self.classes))

    def regions(self, images: UInt8) -> UInt8:
        """Return the class of each pixel of pictures at model size, uint8 (N, height, width).

        Args:
            images: uint8 (N, height, width, channels), N ≥ 1, as `preprocess` returns them.

        Raises:
            UsageError: `other_task`: it is no segmenter; or another dtype or shape.
            BundleError: What the model answers are no classes.
        """
        self._check_scene(*AREA_TASKS)
        return regions.checked(self._asked(images), len(images), classes=len(self.classes))

    def suspect(self, images: UInt8) -> DefectAnswers:
        """Return how defective pictures at model size are, and where.

        Args:
            images: uint8 (N, height, width, channels), N ≥ 1, as `preprocess` returns them.

        Raises:
            UsageError: `other_task`: it does not look for defects; or another dtype or shape.
            BundleError: What the model answers are no defects.
        """
        _ = self.manifest.defects
        return defects.checked(self._asked(images), len(images), kinds=self.manifest.kinds)

    def _asked(self, images: UInt8) -> Answers:
        shape = self.session.input_shape
        if images.dtype != np.uint8 or images.ndim != 4 or images.shape[1:] != shape or not len(images):
            raise UsageError(
                f"need uint8 (N, {', '.join(map(str, shape))}), N ≥ 1; got {images.dtype} {images.shape}"
            )
        return self.session.answer(np.ascontiguousarray(images))

    def _check_scene(self, *tasks: str) -> None:
        """Refuse to say where something is where the graph says something else (`other_task`)."""
        if self.manifest.task not in tasks:
            raise UsageError(
                f"this recognizer is for {self.manifest.task}, not for {' or '.join(tasks)}",
                code="other_task",
            )

    def see(self, image: UInt8, size: tuple[int, int], source: str) -> Sighting:
        """Return what is where on one picture.

        Args:
            image: At model size, as `preprocess` returns it.
            size: Height and width of the picture before that, in whose pixels boxes are told.
            source: What the answer says that it is for.

        Raises:
            UsageError: `other_task`: it gives pictures a class.
            BundleError: The model's answer makes no sense.
        """
        self._check_scene(*SCENE_TASKS)
        [seen] = self.seen(self._asked(image[None]), sources=[source], sizes=[size])
        return seen

    def seen(
        self, answers: Answers, *, sources: Sequence[str], sizes: Sequence[tuple[int, int]]
    ) -> list[Sighting]:
        """Return what the graph's answers for N pictures mean, by numpy alone.

        Args:
            answers: Of `ask`.
            sources: N names.
            sizes: Height and width of the N pictures, in whose pixels boxes are told.

        Raises:
            UsageError: `other_task`: it gives pictures a class.
            BundleError: The answers make no sense.
        """
        self._check_scene(*SCENE_TASKS)
        return seeing.sightings(self.manifest, answers, sources=sources, sizes=sizes)

    def see_each(
        self, inputs: Input | Iterable[Input], *, workers: int | None = None, batch: int = 8
    ) -> Generator[Sighting | Unreadable]:
        """Yield what is where on each input, in their order, while later ones are worked on.

        As `predict_each`, for recognizers that say where something is.

        Raises:
            UsageError: `other_task`: it gives each picture a label; or `workers` or `batch` below 1.
        """
        self._check_scene(*SCENE_TASKS)
        if batch < 1 or (workers is not None and workers < 1):
            raise UsageError(f"workers and batch are at least 1; got {workers} and {batch}")
        batches = self._batches(inputs, batch)
        for seen in in_order(
            self._seen, batches, workers=workers or usable_cpus() + 1, name="foveal-predict"
        ):
            yield from seen

    def _seen(self, batch: list[tuple[int, Input]]) -> list[Sighting | Unreadable]:
        read = [self._read(item, source(item, index), measured) for index, item in batch]
        return [one if isinstance(one, Unreadable) else self.see(*one[0], one[1]) for one in read]

    def _watched(
        self, answered: Iterable[list[_Answer]], watch: Callable[[Label, UInt8], None] | None
    ) -> Generator[Label | Unreadable]:
        for answers in answered:
            for answer, image in answers:
                if watch is not None and image is not None and isinstance(answer, Label):
                    watch(answer, still(image))
                yield answer

    def _answers(self, batch: list[tuple[int, Input]]) -> list[_Answer]:
        # All pictures, then all runs: taking turns, decoder and network empty the caches for each other.
        prepared = [self._read(item, source(item, index), pixels) for index, item in batch]
        return [
            (one, None) if isinstance(one, Unreadable) else (self.label(*one), one[0]) for one in prepared
        ]

    def _read(
        self, item: Input, name: str, read: Callable[[Input, Preprocess], Content]
    ) -> tuple[Content, str] | Unreadable:
        try:
            return read(item, self.preprocess), name
        except (DataError, NotFoundError) as error:
            if isinstance(item, str | Path):
                error.path = name
            return Unreadable(name, error)


def load(
    path: str | Path,
    *,
    engine: str | None = None,
    precision: str | None = None,
    threads: int | None = None,
) -> Predictor:
    """Return the recognizer in a bundle or in a run folder; see `Predictor.open`."""
    return Predictor.open(path, engine=engine, precision=precision, threads=threads)


def _way(digest: str, engine: str | None, precision: str | None, threads: int | None) -> Way:
    """Return how to run a bundle: as asked, else as remembered, else on the engine that is always there."""
    found = None
    if engine is None and precision is None:
        found = remembered.recall(digest, threads=threads)
    return found or Way(engine or REFERENCE, precision or "fp32", threads or usable_cpus())


def _listed(inputs: Input | Iterable[Input], *, several: int) -> Iterable[Input]:
    """Return inputs one by one; an array of `several` dimensions is many."""
    if isinstance(inputs, np.ndarray):
        return inputs if inputs.ndim == several else [inputs]
    if isinstance(inputs, str | Path | bytes) or not isinstance(inputs, Iterable):
        return [inputs]
    return inputs
