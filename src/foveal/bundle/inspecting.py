"""From an input to what is done with the part it shows: nothing that is given is ever lost."""

from collections.abc import Generator, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from foveal.bundle.inputs import Input, UInt8, measured, source
from foveal.bundle.predictor import Predictor
from foveal.bundle.session import Answers
from foveal.core.errors import DataError, FovealError, NotFoundError, UsageError
from foveal.core.machine import usable_cpus
from foveal.core.parallel import in_order
from foveal.core.types import Label, Sighting
from foveal.tasks.judging import Inspection, Judgement, judge, quality_faults, score_of


@dataclass(frozen=True)
class Inspected:
    """What was found on the picture of a part, and what is done with the part.

    Attributes:
        source: The file, or `#3` for the fourth input that is no file.
        judgement: Verdict, score and reasons.
        seen: What the recognizer says; None where it said nothing.
        error: Why it said nothing: the picture cannot be used, or the recognizer failed on it. Then the
            verdict is `review`, and the code of the error is the reason.
    """

    source: str
    judgement: Judgement
    seen: Label | Sighting | None = None
    error: FovealError | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the contract's prediction object with `verdict`, `score` and `reasons`."""
        told: dict[str, Any] = {"source": self.source} if self.seen is None else self.seen.as_json()
        if self.error is not None:
            told["error"] = self.error.as_json()
        return {**told, **self.judgement.as_json()}


def rule_of(predictor: Predictor) -> Inspection:
    """Return the rule that a bundle was sealed with.

    Raises:
        UsageError: `no_inspection`: with none.
    """
    rule = predictor.manifest.inspection
    if rule is None:
        raise UsageError(
            "this bundle has no thresholds to accept or reject by",
            code="no_inspection",
            hint="foveal inspect train makes one that has",
        )
    return rule


def inspect(predictor: Predictor, item: Input, name: str = "#0", *, rule: Inspection) -> Inspected:
    """Return what is done with the part that an input shows.

    Args:
        predictor: Looks at it.
        item: A path, the content of a picture file, or pixels; of pairs the content that holds both.
        name: What the answer says that it is for.
        rule: Thresholds and limits: see `rule_of`.

    Raises:
        UsageError: `other_task`: the recognizer gives no score; or the input is nothing of that kind.
    """
    if predictor.manifest.task == "video":
        raise UsageError("a recognizer of films inspects no parts", code="other_task")
    try:
        image, size = measured(item, predictor.preprocess)
        answers = predictor.ask(image[None])
        [seen] = predictor.tell(answers, sources=[name], sizes=[size])
    except (DataError, NotFoundError) as error:
        if isinstance(item, str | Path):
            error.path = name
        return Inspected(name, unjudged(error), error=error)
    return Inspected(name, judged(predictor, image, answers, rule=rule), seen)


def judged(predictor: Predictor, image: UInt8, answers: Answers, *, rule: Inspection) -> Judgement:
    """Return what is done with the part on one picture that was asked about.

    Args:
        predictor: Was asked.
        image: At model size.
        answers: Of `Predictor.ask`, N = 1.
        rule: Thresholds and limits.

    Raises:
        UsageError: `other_task`: the recognizer gives no score.
    """
    [score] = score_of(
        answers, task=predictor.manifest.task, classes=predictor.classes, good=rule.good
    ).tolist()
    return judge(score, quality_faults(image, rule.quality), rule)


def unjudged(error: FovealError) -> Judgement:
    """Return what is done with a part that the recognizer did not see: a person does."""
    return Judgement("review", None, (error.code,))


def inspect_each(
    predictor: Predictor, inputs: Iterable[Input], *, rule: Inspection, workers: int | None = None
) -> Generator[Inspected]:
    """Yield what is done with each part, in the order of the inputs, while later ones are worked on.

    Args:
        predictor: Looks at them.
        inputs: As for `inspect`; they are taken as they are needed.
        rule: Thresholds and limits.
        workers: Threads; None takes one more than the processors we may use.

    Raises:
        UsageError: As `inspect`.
    """
    one = partial(_numbered, predictor, rule)
    yield from in_order(one, enumerate(inputs), workers=workers or usable_cpus() + 1, name="foveal-inspect")


def _numbered(predictor: Predictor, rule: Inspection, numbered: tuple[int, Input]) -> Inspected:
    index, item = numbered
    return inspect(predictor, item, source(item, index), rule=rule)
