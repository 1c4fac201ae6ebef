"""C1: how often the answer is right, overall, per class, and for the class that is recognized worst."""

from collections.abc import Sequence

from foveal.certify.claim import Claim
from foveal.certify.measurement import Measurement, Section
from foveal.certify.profile import Profile
from foveal.certify.subject import Subject
from foveal.metrics.balanced_accuracy import balanced_accuracy
from foveal.metrics.majority import majority
from foveal.metrics.per_class import per_class

_ALL = Claim("accuracy", "share of right answers", "estimate")
_MEAN = Claim("balanced_accuracy", "mean over the classes of the share of right answers", "estimate")
_WORST = Claim("worst_class", "share of right answers for the worst class", "estimate")


def _claims(profile: Profile) -> Sequence[Claim]:
    return (_ALL, _MEAN, _WORST)


def _measure(subject: Subject) -> Section:
    test, names = subject.test, subject.predictor.classes
    probabilities, labels = test.probabilities, test.labels
    classes = per_class(probabilities, labels)
    rows = [{"class": names[one.index], "recall": one.recall.as_json()} for one in classes]
    absent = [name for k, name in enumerate(names) if not (labels == k).any()]
    right = {names[one.index]: (round(one.recall.value * one.n), one.n) for one in classes}
    plain = majority(labels).accuracy.value
    mean = _MEAN.estimate(balanced_accuracy(probabilities, labels))
    says = [f"always naming the most frequent class would be right in {plain:.1%} of cases"]
    if absent:
        says.append(f"{len(absent)} of {len(names)} classes have no picture here: nothing is said about them")
        mean = mean.that_cannot_pass("classes without a picture are not in it")
    return Section(
        (
            _ALL.share(
                int(test.right.sum()),
                len(test),
                details={"unreadable": test.unreadable, "majority_share": plain},
            ),
            mean,
            _WORST.worst(
                right,
                unseen=absent,
                details={"classes": rows, "absent": absent},
            ),
        ),
        says=tuple(says),
    )


accuracy = Measurement("C1", "Accuracy", _claims, _measure)
