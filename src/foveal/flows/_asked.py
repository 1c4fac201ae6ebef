"""Which pictures are explained: those that are named, or what a data set shows best."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from foveal.bundle.inputs import pixels, source
from foveal.bundle.predictor import Predictor, Unreadable
from foveal.core import machine
from foveal.core.errors import DataError, NotFoundError
from foveal.core.progress import Progress
from foveal.data import opening
from foveal.data.dataset import Dataset
from foveal.data.inventory import content_hashes
from foveal.data.sizing import evenly_spaced
from foveal.evaluate.answers import answers
from foveal.evaluate.held_out import HeldOut
from foveal.evaluate.measure import worst_first
from foveal.explain.explanation import Asked
from foveal.flows._held_out import choose, learned_from
from foveal.flows._sealed import Sealed

_WRONG_SHARE = 2 / 3  # of the pictures that are shown of a data set


@dataclass(frozen=True)
class Parts:
    """A data set as an explanation uses it.

    Attributes:
        path: Where it is.
        unseen: Pictures that were not learned from.
        how: How that is known; see `flows._held_out.Chosen`.
        learned: Those that were; None where the data are not those of the training.
    """

    path: Path
    unseen: HeldOut = field(repr=False)
    how: str | None
    learned: HeldOut | None = field(repr=False)


def named(
    predictor: Predictor, inputs: Iterable[str], *, most: int
) -> tuple[list[Asked], list[Unreadable], int]:
    """Return the pictures that are named, those that cannot be used, and how many more there are.

    Args:
        predictor: Brings them to its size.
        inputs: Paths, taken as they are needed.
        most: How many are read at most.
    """
    found: list[Asked] = []
    failed: list[Unreadable] = []
    more = 0
    for place, item in enumerate(inputs):
        if len(found) >= most:
            more += 1
            continue
        name = source(item, place)
        try:
            found.append(Asked(name, pixels(item, predictor.preprocess)))
        except (DataError, NotFoundError) as error:
            error.path = name
            failed.append(Unreadable(name, error))
    return found, failed, more


def parts(bundle: Path, predictor: Predictor, data: str | Path, *, progress: Progress) -> Parts:
    """Return the pictures of a data set that were learned from, and those that were not.

    Raises:
        NotFoundError: No such data.
        DataError: A class that the model lacks, or a picture that was learned from where none should be.
    """
    dataset: Dataset = opening.open_for(data, predictor.preprocess.clip)
    hashes = content_hashes(dataset, progress=progress)
    sealed = Sealed.at(bundle, predictor.manifest)
    chosen = choose(dataset, hashes, sealed, split=None, progress=progress)
    learned = learned_from(dataset, hashes, sealed, progress=progress)
    return Parts(dataset.path, chosen.held_out, chosen.unseen, learned)


def telling(
    predictor: Predictor, unseen: HeldOut, *, most: int, threads: int | None, progress: Progress
) -> list[Asked]:
    """Return pictures that tell most: the most confident mistakes first, then right answers of all degrees.

    Args:
        predictor: Answers.
        unseen: Pictures that it has not learned from.
        most: How many; up to two thirds are mistakes.
        threads: For reading and answering.
        progress: Told a few times a second.

    Raises:
        DataError: Not one picture can be used.
    """
    found = answers(predictor, unseen, threads=threads or machine.usable_cpus(), progress=progress)
    labels = unseen.labels[found.positions]
    wrong = worst_first(found.probabilities, labels)
    right = (found.probabilities.argmax(axis=1) == labels).nonzero()[0]
    surest = right[(-found.probabilities[right].max(axis=1)).argsort(kind="stable")]
    shown = wrong[: max(round(most * _WRONG_SHARE), most - len(right))].tolist()
    shown += [int(surest[k]) for k in evenly_spaced(len(surest), at_most=most - len(shown))]
    positions = [int(found.positions[row]) for row in shown]
    return [
        Asked(unseen.sources[place], unseen.read(place), predictor.classes[unseen.labels[place]])
        for place in positions
    ]
