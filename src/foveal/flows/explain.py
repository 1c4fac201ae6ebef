"""Show what a recognizer looks at, and what each depth of it knows."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from foveal.bundle.predictor import Unreadable
from foveal.core.errors import NotFoundError, UnknownNameError, UsageError
from foveal.core.progress import Progress, silent
from foveal.explain import explanation as explaining
from foveal.explain.explanation import Asked, Explanation
from foveal.explain.methods import AUTO, Method
from foveal.explain.neighbours import NearPicture
from foveal.explain.sanity import Sanity
from foveal.explain.scores import Map
from foveal.explain.sign_test import SignTest, sign_test
from foveal.flows import _asked
from foveal.flows._subject import Subject, choose_method, open_subject

if TYPE_CHECKING:
    from foveal.explain.feature_maps import FeatureMaps
    from foveal.explain.probes import Probe
    from foveal.models import Builder

SCHEMA = "foveal.explain/1"


@dataclass(frozen=True)
class Question:
    """What somebody wants to know.

    Attributes:
        method: A file of `explain/black_box` or `explain/white_box`, or `auto`.
        about: Explain this class; None: the answer, and of a mistake also the true class.
        layer: Where a method looks that looks at one layer; None: the last with height and width.
        most: So many pictures are explained at most.
        seed: Of random masks, maps and weights.
        threads: None takes all processors we may use.
    """

    method: str = AUTO
    about: str | None = None
    layer: str | None = None
    most: int = 12
    seed: int = 0
    threads: int | None = None


@dataclass(frozen=True)
class Skipped:
    """Something that was not done, and why."""

    what: str
    why: str


@dataclass(frozen=True)
class Inside:
    """What the network itself and its training data tell.

    Attributes:
        sanity: Whether the maps of the method depend on the weights: one entry, or none.
        features: The strongest filters of each depth, by picture.
        probes: What each depth knows.
        neighbours: The nearest training pictures, by picture.
        skipped: What was not done.
    """

    sanity: "list[Sanity]" = field(default_factory=list)
    features: "dict[str, list[FeatureMaps]]" = field(default_factory=dict, repr=False)
    probes: "list[Probe]" = field(default_factory=list)
    neighbours: "dict[str, list[NearPicture]]" = field(default_factory=dict, repr=False)
    skipped: list[Skipped] = field(default_factory=list)


@dataclass(frozen=True)
class Explained:
    """What was found.

    Attributes:
        bundle: The file that was explained.
        digest: Its digest.
        method: How the maps were made.
        explanations: One or two for each picture.
        sign_test: Whether the maps are better than random ones; None where there is no map.
        failed: Pictures that could not be used.
        inside: What only the network and its training data can tell.
        skipped: What was not done, and why.
    """

    bundle: Path
    digest: str
    method: Method
    explanations: tuple[Explanation, ...]
    sign_test: SignTest | None
    failed: tuple[Unreadable, ...]
    inside: Inside
    skipped: tuple[Skipped, ...]

    def as_json(self, *, drawn: Sequence[str] = ()) -> dict[str, Any]:
        """Return the `foveal.explain/1` document.

        Args:
            drawn: The file of each explanation's map, where they were written.
        """
        names: Sequence[str | None] = drawn or [None] * len(self.explanations)
        return {
            "schema": SCHEMA,
            "ok": bool(self.explanations),
            "model": str(self.bundle),
            "digest": self.digest,
            "method": self.method.name,
            "explanations": [
                *(
                    one.as_json(unit=self.method.unit, file=name)
                    for one, name in zip(self.explanations, names, strict=True)
                ),
                *(one.as_json() for one in self.failed),
            ],
            "sign_test": None if self.sign_test is None else self.sign_test.as_json(),
            "probes": [one.as_json() for one in self.inside.probes],
            "sanity": [one.as_json() for one in self.inside.sanity],
            "features": [
                {"source": source, "depths": [one.as_json() for one in found]}
                for source, found in self.inside.features.items()
            ],
            "neighbours": [
                {"source": source, "nearest": [one.as_json() for one in near]}
                for source, near in self.inside.neighbours.items()
            ],
            "skipped": [asdict(one) for one in self.skipped],
        }


def explain(
    path: str | Path,
    inputs: Iterable[str] | None = None,
    *,
    data: str | Path | None = None,
    question: Question | None = None,
    model: "Builder | None" = None,
    progress: Progress = silent,
) -> Explained:
    """Return what a recognizer looks at, on named pictures or on those of a data set that tell most.

    Args:
        path: A bundle, or a run folder, which also holds the network.
        inputs: Pictures. None: the most confident mistakes and some right answers on the part of the data
            that was not learned from.
        data: The training data, for probes and neighbours; of other data only pictures are taken.
        question: What is wanted; None: all defaults.
        model: The builder of the run's network, where that is one of your own. Without it only the bundle's
            answers are explained, and what is left out says so.
        progress: Told about every stage.

    Raises:
        NotFoundError: No such model or data, or the inputs name no picture.
        BundleError: The bundle is not to be trusted.
        DataError: The data do not fit the recognizer, or the builder makes another network.
        UnknownNameError: No such method, class or layer.
        UsageError: The method needs the network and there is none, or there is no picture to explain.
    """
    question = question or Question()
    subject = open_subject(path, threads=question.threads, builder=model)
    classes = subject.predictor.classes
    if question.about is not None and question.about not in classes:
        raise UnknownNameError("the recognizer", question.about, classes)
    method, draw = choose_method(subject, question.method, layer=question.layer, seed=question.seed)
    parts = None if data is None else _asked.parts(subject.bundle, subject.predictor, data, progress=progress)
    asked, failed, more = _pictures(subject, inputs, parts, question, progress)
    found = tuple(_explanations(subject, draw, asked, question, progress))
    inside = _inside(subject, method, found, parts, question, progress)
    skipped = list(inside.skipped)
    if more:
        skipped.append(Skipped("pictures", f"{more} more than the {question.most} that --most allows"))
    return Explained(
        bundle=subject.bundle,
        digest=subject.predictor.digest,
        method=method,
        explanations=found,
        sign_test=sign_test(method.name, found) if found else None,
        failed=tuple(failed),
        inside=inside,
        skipped=tuple(skipped),
    )


def _pictures(
    subject: Subject,
    inputs: Iterable[str] | None,
    parts: "_asked.Parts | None",
    question: Question,
    progress: Progress,
) -> tuple[list[Asked], list[Unreadable], int]:
    """Return the pictures to explain, those that cannot be used, and how many there are beyond `most`."""
    if inputs is not None:
        named = _asked.named(subject.predictor, inputs, most=question.most)
        if not named[0] and not named[1]:
            raise NotFoundError("the inputs name no picture", hint="name files, folders or a pattern")
        return named
    if parts is None:
        raise UsageError("there is no picture to explain", code="empty", hint="name pictures, or --data DATA")
    told = _asked.telling(
        subject.predictor, parts.unseen, most=question.most, threads=question.threads, progress=progress
    )
    return told, [], 0


def _explanations(
    subject: Subject, draw: Map, asked: Sequence[Asked], question: Question, progress: Progress
) -> Iterator[Explanation]:
    """Yield the explanations of each picture; of a mistake also why the true class did not win."""
    classes = subject.predictor.classes
    for place, picture in enumerate(asked):
        progress("explaining", place, len(asked))
        yield from explaining.explain(
            subject.predictor, picture, draw, classes=classes, about=question.about, seed=question.seed
        )
    progress("explaining", len(asked), len(asked))


def _inside(
    subject: Subject,
    method: Method,
    explanations: Sequence[Explanation],
    parts: "_asked.Parts | None",
    question: Question,
    progress: Progress,
) -> Inside:
    if not explanations:
        return Inside()
    if subject.recognizer is None:
        what = "sanity, feature maps, probes and neighbours"
        return Inside(skipped=[Skipped(what, subject.why_not or "")])
    from foveal.flows import _depths

    recognizer, threads = subject.recognizer, question.threads
    inside = Inside(features=_depths.strongest(recognizer, explanations))
    try:
        seed = question.seed
        inside.sanity.append(_depths.sane(recognizer, method, explanations, seed=seed, progress=progress))
    except UsageError as error:  # a network without weights
        inside.skipped.append(Skipped("sanity", error.message))
    if parts is None:
        inside.skipped.append(Skipped("probes and neighbours", "they need the training data: --data DATA"))
    elif parts.learned is None:
        why = f"{parts.path} are not the data it was trained on, or they changed since"
        inside.skipped.append(Skipped("probes and neighbours", why))
    else:
        inside.probes.extend(
            _depths.probed(recognizer, parts.learned, parts.unseen, threads=threads, progress=progress)
        )
        try:
            near = _depths.neighbours(
                recognizer, explanations, parts.learned, threads=threads, progress=progress
            )
            inside.neighbours.update(near)
        except UsageError as error:  # a network without a linear layer
            inside.skipped.append(Skipped("neighbours", error.message))
    return inside
