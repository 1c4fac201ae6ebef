"""What an audit means, in findings: what happened, what it does to a result, what to do next."""

from collections import Counter
from collections.abc import Iterator, Sequence

from foveal.audit.class_statistics import Shortcut
from foveal.audit.near_duplicates import Cluster
from foveal.audit.outliers import Outlier
from foveal.core.types import Finding
from foveal.core.wording import EXAMPLES, counted, listed
from foveal.data.dataset import Dataset

_SHOWN = 4  # members of a cluster that are named


def near_duplicates(dataset: Dataset, clusters: Sequence[Cluster], parts: Sequence[str]) -> Iterator[Finding]:
    """Yield what near duplicates across parts, across classes and within a part mean.

    Args:
        dataset: Names and labels.
        clusters: The near duplicates, rows of the data set.
        parts: The split or role of each picture.
    """
    across = [c for c in clusters if len({parts[i] for i in c.members}) > 1]
    if across:
        where = " and ".join(sorted({parts[i] for c in across for i in c.members}))
        yield Finding(
            "near_duplicates_across_splits",
            "warning",
            sum(len(c.members) for c in across),
            f"{counted(len(across), 'picture')} in several copies (saved again, resized, cropped, mirrored) "
            f"across {where}: what was trained on would be measured on.",
            "Look at them (--report); delete copies in train, or name what belongs together in groups.csv.",
            _shown(dataset, across),
        )
    one_class_each = dataset.scenes is None  # what is where on a cropped or mirrored copy differs rightly
    torn = [c for c in clusters if one_class_each and len({int(dataset.labels[i]) for i in c.members}) > 1]
    if torn:
        yield Finding(
            "near_duplicates_conflicting_labels",
            "warning",
            sum(len(c.members) for c in torn),
            f"{counted(len(torn), 'picture')} in several copies, in more than one class: either a label is "
            "wrong, or the classes differ in something too small to see here.",
            "Look at them (--report), and decide which class each belongs to.",
            _shown(dataset, torn),
        )
    within = [c for c in clusters if len({parts[i] for i in c.members}) == 1]
    if within:
        yield Finding(
            "near_duplicates_within_split",
            "info",
            sum(len(c.members) - 1 for c in within),
            f"{counted(len(within), 'picture')} in several copies within a split: each weighs as often as it "
            "is there, and makes intervals look narrower than they are.",
            "Look at them (--report); delete copies, or name what belongs together in groups.csv.",
            _shown(dataset, within),
        )


def label_suspects(
    dataset: Dataset, rows: Sequence[int], *, images: int, accuracy: float
) -> Iterator[Finding]:
    """Yield one info for all doubtful labels, the most doubtful as examples.

    It is no warning: hard pictures alone make some, so that `--strict` would stop at nearly every data set.

    Args:
        dataset: Names.
        rows: Pictures with doubtful labels.
        images: How many were looked at.
        accuracy: Share of the labels that the network which doubts agrees with.
    """
    if rows:
        yield Finding(
            "label_suspects",
            "info",
            len(rows),
            f"{counted(len(rows), 'label')} of {images} to look at: a quickly trained network that agrees "
            f"with {accuracy:.0%} of all labels finds these least likely. Often the picture is only hard.",
            "Look at the first ones (--report, --suspects for a list), and stop where the labels are right.",
            tuple(dataset.sources[i] for i in rows[:EXAMPLES]),
        )


def outliers(dataset: Dataset, found: Sequence[Outlier]) -> Iterator[Finding]:
    """Yield a warning about blank pictures and an info about other unusual ones."""
    blank = [one for one in found if one.reason == "blank"]
    if blank:
        yield Finding(
            "blank_images",
            "warning",
            len(blank),
            f"{counted(len(blank), 'picture')} of nearly one colour: there is nothing to learn from but what "
            "is stated about them, to memorize.",
            "Remove them, or find the originals.",
            tuple(dataset.sources[one.row] for one in blank[:EXAMPLES]),
        )
    others = [one for one in found if one.reason != "blank"]
    if others:
        kinds = Counter(one.reason for one in others)
        said = ", ".join(f"{kind.replace('_', ' ')} {count}" for kind, count in kinds.items())
        yield Finding(
            "outliers",
            "info",
            len(others),
            f"{counted(len(others), 'picture')} unlike the others: {said}.",
            "Look at them (--report): pictures of something else, or taken badly, teach the wrong thing.",
            tuple(dataset.sources[one.row] for one in others[:EXAMPLES]),
        )


def shortcuts(dataset: Dataset, found: Sequence[Shortcut]) -> Iterator[Finding]:
    """Yield one warning for the classes that a single number tells from all others."""
    if found:
        names = [dataset.classes[one.label] for one in found]
        best = max(found, key=lambda one: one.balanced_accuracy)
        yield Finding(
            "shortcut",
            "warning",
            len(found),
            f"{listed(names)} can be told from all others by one number: {dataset.classes[best.label]!r} by "
            f"{best.by} alone, {best.balanced_accuracy:.0%} right. The recognizer may learn how the pictures "
            "were taken, not what they show.",
            "Take the pictures of all classes in the same way, unless this is what they are told by.",
            tuple(f"{dataset.classes[one.label]} ({one.by})" for one in found[:EXAMPLES]),
        )


def _shown(dataset: Dataset, clusters: Sequence[Cluster]) -> tuple[str, ...]:
    return tuple(" ~ ".join(dataset.sources[i] for i in c.members[:_SHOWN]) for c in clusters[:EXAMPLES])
