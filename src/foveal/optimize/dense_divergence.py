"""How differently two graphs say what is where: at every place, before anything is chosen.

What a graph gives out are a few boxes, or the most probable class of each pixel. Two graphs that nearly agree
give out the same, or by chance something else; what they answer at every place says more from few pictures.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

from foveal.bundle.session import UInt8
from foveal.core.batches import batches
from foveal.core.machine import usable_cpus
from foveal.export.objects_graph import DENSE_BOXES, DENSE_LOGITS
from foveal.export.regions_ending import DENSE_CLASSES
from foveal.optimize.graphs.engine import session
from foveal.optimize.graphs.net import Net

Floats = NDArray[np.float64]
_MOST = 32  # pictures: each has thousands of places, and what is answered there is kept
_TINY = 1e-9
_LEAST_OVERLAP = 1e-3  # of two boxes: beyond, more distance is no more wrong


def is_dense(model: bytes) -> bool:
    """Return whether a graph says where something is."""
    return bool(_tensors(Net(model)))


def dense_divergence(model: bytes, pictures: UInt8) -> Callable[[bytes], float]:
    """Return what tells how far the answers of another graph are from those of this one, in nats.

    Of objects it is KL(p ‖ q) of the classes at all places for each object that is expected, and −ln of the
    overlap of the boxes, weighed by how much is expected there (Yu et al., "UnitBox", 2016). Of areas it is
    the mean KL(p ‖ q) over places. Of both it is the sum; 0 where nothing changed.

    Args:
        model: A graph that says where something is.
        pictures: uint8 (M, H, W, C), M ≥ 1, at model size; of more than 32 the first.
    """
    pictures = pictures[:_MOST]
    reference = list(_answers(model, pictures))

    def away(other: bytes) -> float:
        pairs = zip(reference, _answers(other, pictures), strict=True)
        return sum(_apart(before, after) for before, after in pairs) / len(pictures)

    return away


def _tensors(net: Net) -> dict[str, str]:
    """Return the names of the tensors that answer at every place, by what is made of them."""
    found = {}
    for made in (DENSE_LOGITS, DENSE_BOXES, DENSE_CLASSES):
        reader = net.producer(made)
        if reader is not None:
            found[made] = str(reader.input[0])
    return found


def _answers(model: bytes, pictures: UInt8) -> Iterator[dict[str, NDArray[np.float32]]]:
    """Yield what a graph answers at every place, batch after batch."""
    tensors = _tensors(Net(model))
    loaded = onnx.load_from_string(model)
    names = list(tensors.values())
    del loaded.graph.output[:]
    loaded.graph.output.extend(helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in names)
    running: Any = session(loaded.SerializeToString(), threads=usable_cpus())
    for batch in batches(pictures):
        yield dict(zip(tensors, running.run(names, {"images": batch}), strict=True))


def _apart(before: dict[str, Any], after: dict[str, Any]) -> float:
    """Return the sum over the pictures of a batch."""
    found = 0.0
    if DENSE_LOGITS in before:
        found += _objects(*(each[name] for name in (DENSE_LOGITS, DENSE_BOXES) for each in (before, after)))
    if DENSE_CLASSES in before:
        p, q = (_log_softmax(each[DENSE_CLASSES]) for each in (before, after))
        found += float((np.exp(p) * (p - q)).sum(axis=1).mean(axis=(1, 2)).sum())
    return found


def _objects(logits: Any, others: Any, boxes: Any, other_boxes: Any) -> float:
    """Return how far classes, (N, P, K), and boxes, (N, P, 4), are apart."""
    p, q = (_sigmoid(each) for each in (logits, others))
    apart = p * np.log((p + _TINY) / (q + _TINY)) + (1 - p) * np.log((1 - p + _TINY) / (1 - q + _TINY))
    expected = np.maximum(p.sum(axis=(1, 2)), _TINY)
    weights = p.sum(axis=2)
    lost = -np.log(np.maximum(_overlap(boxes, other_boxes), _LEAST_OVERLAP))
    return float(((apart.sum(axis=(1, 2)) + (weights * lost).sum(axis=1)) / expected).sum())


def _overlap(boxes: Any, others: Any) -> Floats:
    """Return the intersection over union of each box with the one at the same place, (N, P)."""
    one, two = boxes.astype(np.float64), others.astype(np.float64)
    ends = np.minimum(one[..., 2:], two[..., 2:]) - np.maximum(one[..., :2], two[..., :2])
    common = np.maximum(ends, 0).prod(axis=-1)
    areas: Sequence[Floats] = [(each[..., 2:] - each[..., :2]).prod(axis=-1) for each in (one, two)]
    overlap: Floats = common / np.maximum(areas[0] + areas[1] - common, _TINY)
    return overlap


def _sigmoid(logits: Any) -> Floats:
    found: Floats = 1 / (1 + np.exp(-np.clip(logits.astype(np.float64), -30, 30)))
    return found


def _log_softmax(logits: Any) -> Floats:
    """Return the logarithms of the shares of classes, (N, K, h, w)."""
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    found: Floats = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return found
