"""From a trained segmenter to a sealed bundle: export, compare with the network, seal."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from foveal.bundle import archive, golden_regions
from foveal.bundle.engines.onnxruntime import onnxruntime
from foveal.bundle.session import Session
from foveal.core import files
from foveal.core.batches import at_once
from foveal.core.errors import UsageError
from foveal.core.machine import usable_cpus
from foveal.data.dataset import UInt8
from foveal.export.outputs import spread
from foveal.export.parity import Parity
from foveal.export.regions_graph import regions_graph
from foveal.export.sealing import Exported, Origin, draft_of
from foveal.metrics.clopper_pearson import clopper_pearson
from foveal.tasks.recognizer import Recognizer
from foveal.tasks.segment.decode import MOST_CLASSES, RegionDecision, checked
from foveal.tasks.segment.learn import answers
from foveal.train.examples import Examples

_STEEPEST = 0.5  # two probabilities differ at most by this share of the margin of their logits
_CLEAR = 2e-4  # margin of two logits that rounding does not explain
_MOST_COMPARED = 200  # pictures: each has hundreds of thousands of decisions


def bundle_regions(
    recognizer: Recognizer,
    path: Path,
    *,
    held_out: tuple[Examples, Examples],
    origin: Origin,
    threads: int | None = None,
) -> Exported:
    """Export a segmenter, compare file and network pixel by pixel, and seal.

    A file that is there is replaced. Where the graph does not answer as the network does, no file is there
    afterwards: an earlier one would be taken for this one.

    Args:
        recognizer: The weights that ship, and the preprocessing they learned with.
        path: The bundle to write.
        held_out: Images at model size that were not learned from, at least one: file and network are compared
            on them.
        origin: Where the recognizer comes from.
        threads: Of the engine; None takes all processors we may use.

    Raises:
        UsageError: No image, or more classes than a map of bytes can hold.
        BundleError, WriteError: It cannot be sealed.
    """
    if len(recognizer.classes) > MOST_CLASSES:
        raise UsageError(f"a class map holds at most {MOST_CLASSES} classes; got {len(recognizer.classes)}")
    model = regions_graph(recognizer)
    session = onnxruntime(model, threads=threads or usable_cpus())
    parity = compare_regions(recognizer, session, [part for part in held_out if len(part)])
    if parity.gate().verdict != "pass":
        files.remove(path)
        return Exported(parity, None)
    draft = draft_of(recognizer, RegionDecision(), origin)
    vectors = golden_regions.measure(session, recognizer.preprocess, classes=len(recognizer.classes))
    archive.seal(path, draft, model=model, golden=vectors, force=True)
    return Exported(parity, path)


def compare_regions(recognizer: Recognizer, session: Session, parts: list[Examples]) -> Parity:
    """Return how far file and network are apart on pictures of some parts, none of them empty.

    The file answers with classes alone: `max_abs_difference` is how far apart two probabilities were at most
    where it chose another class.
    """
    if not parts:
        raise UsageError("file and network are compared on one image or more; got none", code="empty")
    pixels = flips = clear = images = 0
    furthest = 0.0
    for batch in _few(spread(parts), recognizer):
        reference, margins = answers(recognizer, batch)
        found = checked(session.answer(batch), len(batch), classes=len(recognizer.classes))
        wrong = reference != found
        furthest = max(furthest, float(margins[wrong].max(initial=0.0)))
        clear += int((wrong & (margins > _CLEAR)).sum())
        flips, pixels, images = flips + int(wrong.sum()), pixels + wrong.size, images + len(batch)
    return Parity(furthest * _STEEPEST, clopper_pearson(flips, pixels), clear, images, "pixels")


def _few(parts: list[Examples], recognizer: Recognizer) -> Iterator[UInt8]:
    """Yield batches of at most so many pictures as are compared."""
    step, left = max(1, at_once(recognizer.preprocess.shape) // 4), _MOST_COMPARED
    for part in parts:
        for start in range(0, min(len(part), left), step):
            rows = part.indices[start : start + step]
            yield np.ascontiguousarray(part.images[rows])
        left -= min(len(part), left)
