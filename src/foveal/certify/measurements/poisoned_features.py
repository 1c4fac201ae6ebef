"""C10: whether the features of pictures stand apart from those of their class, as those of poisoned ones do.

Two views of what the torch network decides from: `audit.spectral_signatures` (Tran et al. 2018) and
`audit.activation_clusters` (Chen et al. 2018). Pictures that were learned from are looked at where they are
at hand, since poison lies there; else the test pictures.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from foveal.audit.activation_clusters import activation_clusters
from foveal.audit.spectral_signatures import spectral_signatures
from foveal.audit.tails import FEWEST
from foveal.certify.claim import Claim
from foveal.certify.measurement import Measurement, Section, Shown, Strip
from foveal.certify.profile import Profile
from foveal.certify.subject import Subject
from foveal.core.errors import UsageError
from foveal.data.sizing import evenly_spaced
from foveal.evaluate.held_out import HeldOut, readable

if TYPE_CHECKING:
    from foveal.tasks.recognizer import Recognizer

Float32 = NDArray[np.float32]
_SIGNATURES = Claim(
    "spectral_signatures", "pictures whose features lie outside those of their class", "indicator", "at_most"
)
_CLUSTERS = Claim(
    "activation_clusters", "pictures in a small cluster apart from their class", "indicator", "at_most"
)
_AT_ONCE = 256  # pictures in memory together
_SHOWN = 8


def _claims(profile: Profile) -> Sequence[Claim]:
    return (_SIGNATURES, _CLUSTERS)


def _measure(subject: Subject) -> Section:
    if subject.twin is None:
        return _nothing(subject.no_twin)
    pictures = subject.test.held_out if subject.learned is None else subject.learned
    pictures = pictures.only(np.array(evenly_spaced(len(pictures), at_most=subject.level.learned)))
    try:
        features, positions = _features(subject, subject.twin, pictures)
    except UsageError as error:
        if error.code != "no_linear_layer":
            raise
        return _nothing(error.message)
    if not positions:
        return _nothing("none of the pictures can be read any more")
    pictures = pictures.only(np.array(positions, dtype=np.int64))
    counts = np.bincount(pictures.labels)
    if counts.max() < FEWEST:
        return _nothing(f"no class has {FEWEST} pictures to look at")
    judged = f"{int((counts >= FEWEST).sum())} of {len(subject.predictor.classes)} classes"
    role = "test pictures" if subject.learned is None else "pictures that were learned from"
    note = f"of the {role} in {judged}, those with {FEWEST} of them; natural subgroups lie apart, too"
    return _found(subject.predictor.classes, pictures, features, note)


def _nothing(why: str) -> Section:
    return Section(tuple(claim.not_measured(why, asked=False) for claim in (_SIGNATURES, _CLUSTERS)))


def _features(subject: Subject, twin: "Recognizer", pictures: HeldOut) -> tuple[Float32, list[int]]:
    """Return what the network decides from, float32 (N, D), and which of the pictures could be read."""
    from foveal.explain.features import last_features  # here: the rest needs no torch

    told = subject.told("features")
    rows, positions = [np.empty((0, 0), dtype=np.float32)], list[int]()
    for start in range(0, len(pictures), _AT_ONCE):
        some = range(start, min(start + _AT_ONCE, len(pictures)))
        images, found, _ = readable(pictures, some)
        if images:
            rows.append(last_features(twin, np.stack(images)))
            positions += found
        told(some.stop, len(pictures))
    return np.concatenate(rows[1:] or rows), positions


def _found(classes: Sequence[str], pictures: HeldOut, features: Float32, note: str) -> Section:
    """Return both numbers, each with a table of the classes that it names and a strip of pictures."""
    labels = pictures.labels
    signatures = spectral_signatures(features, labels)
    looked_at = int(np.isin(labels, signatures.judged).sum())
    outside = np.bincount(labels[signatures.flagged], minlength=len(classes))
    by_class: list[dict[str, Any]] = [
        {"class": classes[label], "pictures": int((labels == label).sum()), "outside": int(outside[label])}
        for label in np.flatnonzero(outside).tolist()
    ]
    apart = [cluster for cluster in activation_clusters(features, labels) if cluster.flagged]
    clusters: list[dict[str, Any]] = [
        {
            "class": classes[cluster.label],
            "pictures": int((labels == cluster.label).sum()),
            "in_cluster": len(cluster.rows),
            "share": round(cluster.share, 4),
            "silhouette": round(cluster.silhouette, 4),
        }
        for cluster in apart
    ]
    together = [row for cluster in apart for row in cluster.rows.tolist()]
    statements = (
        _SIGNATURES.counted(len(signatures.flagged), looked_at, note=note, details={"by_class": by_class}),
        _CLUSTERS.counted(len(together), looked_at, note=note, details={"clusters": clusters}),
    )
    strips = (
        _strip("features outside those of their class", classes, pictures, signatures.flagged.tolist()),
        _strip("small clusters apart from their class", classes, pictures, together),
    )
    return Section(statements, tuple(strip for strip in strips if strip.pictures))


def _strip(title: str, classes: Sequence[str], pictures: HeldOut, rows: Sequence[int]) -> Strip:
    shown = rows[:_SHOWN]
    images, found, _ = readable(pictures, shown)
    captions = [classes[int(pictures.labels[row])] for row in found]
    return Strip(title, tuple(Shown(*pair, None) for pair in zip(images, captions, strict=True)))


poisoned_features = Measurement("C10", "Features apart from their class", _claims, _measure)
