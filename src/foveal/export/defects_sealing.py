"""From what looks for defects to a sealed bundle: export, decide on the file's answers, compare, seal."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from foveal.bundle import archive, golden_defects
from foveal.bundle.engines.onnxruntime import onnxruntime
from foveal.bundle.session import Session
from foveal.core import files
from foveal.core.batches import batches
from foveal.core.errors import UsageError
from foveal.core.machine import usable_cpus
from foveal.data.dataset import UInt8
from foveal.export.defects_graph import defects_graph
from foveal.export.parity import Parity
from foveal.export.sealing import Exported, Origin, draft_of
from foveal.metrics.clopper_pearson import clopper_pearson
from foveal.tasks.defect.decode import DefectAnswers, DefectDecision, Float32, checked, kinds_at
from foveal.tasks.defect.learn import answers
from foveal.tasks.recognizer import Recognizer
from foveal.train.examples import Examples

_CLEAR = 2e-4  # of heat, beyond which rounding does not explain that another kind is shown
_MOST_COMPARED = 200  # pictures: each has hundreds of places

Ask = Callable[[Examples], DefectAnswers]
Decide = Callable[[Ask], DefectDecision]


def bundle_defects(
    recognizer: Recognizer,
    path: Path,
    *,
    held_out: Sequence[Examples],
    decide: Decide,
    origin: Origin,
    threads: int | None = None,
) -> Exported:
    """Export what looks for defects, decide by what the file answers, compare file and network, and seal.

    A file that is there is replaced. Where the graph does not answer as the network does, no file is there
    afterwards: an earlier one would be taken for this one.

    Args:
        recognizer: The weights that ship, and the preprocessing they learned with.
        path: The bundle to write.
        held_out: Images at model size that were not learned from, at least one: file and network are compared
            on them.
        decide: Returns what is shown, given what asks the exported graph about some images, at least one.
        origin: Where the recognizer comes from.
        threads: Of the engine; None takes all processors we may use.

    Raises:
        UsageError: No image.
        BundleError, WriteError: It cannot be sealed.
    """
    kinds = len(recognizer.classes) - 1
    model = defects_graph(recognizer)
    session = onnxruntime(model, threads=threads or usable_cpus())
    decision = decide(lambda examples: asked(session, examples, kinds=kinds))
    parity = compare_defects(recognizer, session, decision, held_out)
    if parity.gate().verdict != "pass":
        files.remove(path)
        return Exported(parity, None)
    draft = draft_of(recognizer, decision, origin)
    vectors = golden_defects.measure(session, recognizer.preprocess, kinds=kinds)
    archive.seal(path, draft, model=model, golden=vectors, force=True)
    return Exported(parity, path)


def asked(session: Session, examples: Examples, *, kinds: int) -> DefectAnswers:
    """Return what a graph answers for images at model size, at least one, in their order."""
    parts = [
        checked(session.answer(batch), len(batch), kinds=kinds)
        for batch in batches(examples.images, examples.indices)
    ]
    return DefectAnswers(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def compare_defects(
    recognizer: Recognizer, session: Session, decision: DefectDecision, parts: Sequence[Examples]
) -> Parity:
    """Return how far file and network are apart on pictures of some parts, at least one picture in all.

    Scores and maps have a unit of their own: how far they are apart is a share of 1 + the largest. A place is
    decided otherwise where it shows another kind.
    """
    shown = [part for part in parts if len(part)]
    if not shown:
        raise UsageError("file and network are compared on one image or more; got none", code="empty")
    kinds, furthest, flips, clear, places, images = len(recognizer.classes) - 1, 0.0, 0, 0, 0, 0
    for batch in _few(shown):
        reference = answers(recognizer, batch)
        found = checked(session.answer(batch), len(batch), kinds=kinds)
        furthest = max(furthest, *(_apart(one, other) for one, other in zip(reference, found, strict=True)))
        here, there = decision.heat(reference.maps), decision.heat(found.maps)
        wrong = kinds_at(here) != kinds_at(there)
        flips, places, images = flips + int(wrong.sum()), places + wrong.size, images + len(batch)
        clear += int((wrong & (np.abs(here - there).max(axis=1) > _CLEAR)).sum())
    return Parity(furthest, clopper_pearson(flips, places), clear, images, "pixels")


def _few(parts: Sequence[Examples]) -> Iterator[UInt8]:
    """Yield batches of at most so many pictures as are compared, evenly over all parts."""
    step = -(-sum(map(len, parts)) // _MOST_COMPARED)
    for part in parts:
        yield from batches(part.images, part.indices[::step])


def _apart(one: Float32, other: Float32) -> float:
    """Return the largest difference as a share of 1 + the largest value."""
    return float(np.abs(one - other).max()) / (1 + float(np.abs(one).max()))
