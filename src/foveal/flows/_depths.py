"""What only the network can tell: what its depths know, near training pictures, whether maps are sane."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from foveal.core import machine
from foveal.core.parallel import in_order
from foveal.core.progress import Progress
from foveal.data.dataset import UInt8
from foveal.data.sizing import evenly_spaced
from foveal.evaluate.held_out import HeldOut, readable
from foveal.explain.explanation import Explanation
from foveal.explain.feature_maps import FeatureMaps, feature_maps
from foveal.explain.features import last_features
from foveal.explain.methods import Method
from foveal.explain.neighbours import NearPicture, nearest
from foveal.explain.network_runs import NetworkRuns, with_network
from foveal.explain.probes import Labelled, Probe, probes
from foveal.explain.sanity import Sanity, sanity
from foveal.explain.shuffled import shuffled
from foveal.tasks.recognizer import Recognizer

_MOST_FIT, _MOST_TEST = 2000, 1000  # pictures of a probe: enough for intervals of ± 3 points
_MOST_BYTES = 200_000_000  # of pixels in memory at once, from where on there are fewer
_MOST_SEARCHED = 5000  # training pictures that are compared
_CHECKED = 6  # pictures of a sanity check
_NEIGHBOURS = 5
_FEATURES_SHOWN = 2  # pictures whose feature maps are shown
_CHUNK = 64


def sane(
    recognizer: Recognizer,
    method: Method,
    explanations: Sequence[Explanation],
    *,
    seed: int,
    progress: Progress,
) -> Sanity:
    """Return how much the maps of a method stay as they were when the weights are random.

    Args:
        recognizer: The network.
        method: The one that drew the maps, with its settings.
        explanations: Give the pictures and their classes; at most 6 are taken, evenly.
        seed: Of the random weights.
        progress: Told before and after.

    Raises:
        UsageError: `no_weights`: nothing in the network can be put in another order.
    """
    progress("sanity", 0, 1)
    random = with_network(recognizer, shuffled(recognizer.network, seed=seed))
    shown = [explanations[place] for place in evenly_spaced(len(explanations), at_most=_CHECKED)]
    images, indices = [e.image for e in shown], [recognizer.classes.index(e.about) for e in shown]
    trained, randomized = (
        method.of(one if method.needs_network else NetworkRuns(one)) for one in (recognizer, random)
    )
    found = sanity(method.name, trained, randomized, images, indices)
    progress("sanity", 1, 1)
    return found


def strongest(recognizer: Recognizer, explanations: Sequence[Explanation]) -> dict[str, list[FeatureMaps]]:
    """Return the feature maps of the first different pictures, by source."""
    images = {one.source: one.image for one in explanations}
    return {
        source: feature_maps(recognizer, image) for source, image in list(images.items())[:_FEATURES_SHOWN]
    }


def probed(
    recognizer: Recognizer, learned: HeldOut, unseen: HeldOut, *, threads: int | None, progress: Progress
) -> list[Probe]:
    """Return what a linear classifier reads off at each depth, on evenly chosen pictures.

    Args:
        recognizer: The network.
        learned: Pictures that it has learned from: the classifiers do, too.
        unseen: Others; the classifiers are measured on them.
        threads: For reading.
        progress: Told before and after.
    """
    progress("probes", 0, 1)
    room = _MOST_BYTES // (recognizer.preprocess.size**2 * recognizer.preprocess.channels)
    fit = _labelled(learned, min(_MOST_FIT, room), threads)
    test = _labelled(unseen, min(_MOST_TEST, room), threads)
    found = probes(recognizer, fit=fit, test=test)
    progress("probes", 1, 1)
    return found


def neighbours(
    recognizer: Recognizer,
    explanations: Sequence[Explanation],
    learned: HeldOut,
    *,
    threads: int | None,
    progress: Progress,
) -> dict[str, list[NearPicture]]:
    """Return for each explained picture the training pictures with the most similar last features, by source.

    A training picture with the very pixels of the explained one is the same picture, and does not count.

    Args:
        recognizer: The network.
        explanations: Give the pictures.
        learned: Pictures that it has learned from; of more than 5,000, evenly chosen ones are compared.
        threads: For reading.
        progress: Told a few times a second.
    """
    asked = {one.source: one.image for one in explanations}
    same: list[set[int]] = [set() for _ in asked]
    chosen = evenly_spaced(len(learned), at_most=_MOST_SEARCHED)
    rows: list[NDArray[np.float32]] = []
    places: list[int] = []
    for images, found in _read(learned, chosen, threads):
        progress("neighbours", len(places), len(chosen))
        for own, image in zip(same, asked.values(), strict=True):
            own.update(len(places) + k for k, one in enumerate(images) if np.array_equal(one, image))
        rows.append(last_features(recognizer, images))
        places += found
    progress("neighbours", len(chosen), len(chosen))
    if not rows:
        return {}
    near = nearest(
        last_features(recognizer, np.stack(list(asked.values()))),
        np.concatenate(rows),
        count=_NEIGHBOURS,
        itself=[frozenset(own) for own in same],
    )
    return {
        source: [
            NearPicture(
                learned.sources[places[one.index]],
                recognizer.classes[learned.labels[places[one.index]]],
                one.similarity,
                learned.read(places[one.index]),
            )
            for one in nearby
        ]
        for source, nearby in zip(asked, near, strict=True)
    }


def _labelled(part: HeldOut, most: int, threads: int | None) -> Labelled:
    pieces = list(_read(part, evenly_spaced(len(part), at_most=most), threads))
    positions = [place for _, found in pieces for place in found]
    return Labelled(np.concatenate([images for images, _ in pieces]), part.labels[positions])


def _read(part: HeldOut, positions: Sequence[int], threads: int | None) -> Iterator[tuple[UInt8, list[int]]]:
    """Yield the pictures at some positions in stacks, with the positions of those that can be used."""
    chunks = [positions[start : start + _CHUNK] for start in range(0, len(positions), _CHUNK)]
    read = in_order(
        lambda chunk: readable(part, chunk),
        chunks,
        workers=threads or machine.usable_cpus(),
        name="foveal-explain",
    )
    return ((np.stack(images), found) for images, found, _ in read if images)
