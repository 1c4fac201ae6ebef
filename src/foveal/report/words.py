"""What an evaluation says, in sentences: what was found, what it means, what it does not prove.

Every function reads the `foveal.evaluate/1` document and nothing else.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from foveal.core.promises import calibration_images_for_sets, calibration_images_needed
from foveal.core.units import show_seconds
from foveal.core.wording import counted
from foveal.metrics.set_coverage import surely_covered

Document = Mapping[str, Any]

_TAIL = 0.025  # each side of a 95 % interval
_NORMAL = 1.96  # its half-width in standard errors
_FEW = 30  # test images of a class below which its recall says little
_TARGET_POINTS = 1.0  # an accuracy known to ± this is called known


def percent(share: float) -> str:
    """Return a share for people.

    >>> percent(0.9351), percent(1.0)
    ('93.5%', '100.0%')
    """
    return f"{share:.1%}"


def limit(share: float) -> str:
    """Return a share that somebody chose, without digits that nobody wrote.

    >>> limit(0.01), limit(0.9), limit(0.005)
    ('1%', '90%', '0.5%')
    """
    return f"{share * 100:.4g}%"


def listed(names: Iterable[str], *, most: int = 5) -> str:
    """Return names in quotes, the rest as a number.

    >>> listed(["ok", "dent", "scratch"], most=2)
    '“ok”, “dent” and 1 more'
    """
    quoted = [f"“{name}”" for name in names]
    rest = f" and {len(quoted) - most:,} more" if len(quoted) > most else ""
    return ", ".join(quoted[:most]) + rest


def measured(value: Mapping[str, Any]) -> str:
    """Return a measured proportion with its interval and n, in percent.

    >>> measured({"value": 0.9, "low": 0.683, "high": 0.988, "n": 20, "method": "clopper-pearson"})
    '90.0% (95% interval 68.3% to 98.8%, n=20)'
    """
    return f"{percent(value['value'])} ({interval(value)})"


def interval(value: Mapping[str, Any]) -> str:
    """Return only the interval of a measured proportion and its n.

    >>> interval({"value": 0.9, "low": 0.683, "high": 0.988, "n": 20, "method": "clopper-pearson"})
    '95% interval 68.3% to 98.8%, n=20'
    """
    return f"95% interval {percent(value['low'])} to {percent(value['high'])}, n={value['n']:,}"


def drop(value: Mapping[str, Any]) -> str:
    """Return by how much an accuracy falls, in points.

    >>> drop({"value": 0.4, "low": 0.31, "high": 0.48, "n": 120, "method": "tango"})
    '40.0 points less (95% interval 31.0 to 48.0)'
    """
    points, low, high = (100 * value[key] for key in ("value", "low", "high"))
    return f"{points:.1f} points less (95% interval {low:.1f} to {high:.1f})"


def lowest(worst: Mapping[str, Any]) -> str:
    """Return the interval of a worst class, which is not its own: another class may be worse.

    >>> lowest({"value": 0.9, "low": 0.158, "high": 0.964, "n": 100, "method": "clopper-pearson"})
    '95% interval 15.8% to 96.4% for the lowest of all classes'
    """
    return f"95% interval {percent(worst['low'])} to {percent(worst['high'])} for the lowest of all classes"


def shown_p(p: float) -> str:
    """Return a p-value for people.

    >>> shown_p(0.0213), shown_p(3e-9)
    ('p = 0.021', 'p < 0.0001')
    """
    return "p < 0.0001" if p < 1e-4 else f"p = {p:.2g}"


def headline(document: Document) -> str:
    """Return what the accuracy, written before it, is a share of."""
    images = counted(document["metrics"]["accuracy"]["n"], "test image")
    return f"of {images} named correctly"


def against_majority(document: Document) -> str:
    """Return how the accuracy compares with always giving the most common answer."""
    metrics = document["metrics"]
    accuracy, majority = metrics["accuracy"], metrics["majority"]
    always = (
        f"Always answering “{majority['class']}”, the most frequent class here, would be right for "
        f"{measured(majority['accuracy'])}"
    )
    if accuracy["low"] > majority["accuracy"]["high"]:
        return f"{always}: the recognizer is clearly better."
    if accuracy["high"] < majority["accuracy"]["low"]:
        return f"{always}: the recognizer is worse than that."
    return f"{always}: the intervals overlap, so it is not proven that the recognizer is better."


def against_baseline(baseline: Mapping[str, Any]) -> str | None:
    """Return how the strongest cheap baseline does on the same images, or None where none was fitted.

    Args:
        baseline: The `baseline` object of `foveal.train/1`.
    """
    if "paired" not in baseline:
        return None
    paired = baseline["paired"]
    fitted, there = baseline["n_fit"], baseline["of"]
    part = f"all {there:,}" if fitted == there else f"{fitted:,} of the {there:,}"
    said = (
        f"The strongest cheap baseline, {baseline['name']} fitted to {part} training images in "
        f"{show_seconds(baseline['seconds'])}, names {measured(baseline['accuracy'])} of the same "
        f"images correctly. Of {counted(paired['n'], 'independent image')} only the recognizer names "
        f"{paired['only_network']:,} correctly, only the baseline {paired['only_baseline']:,}"
    )
    if paired["verdict"] == "network_better":
        return f"{said}: the recognizer is better ({shown_p(paired['p_value'])})."
    if paired["verdict"] == "baseline_better":
        return f"{said}: the baseline is better; ship it, with --model {baseline['name']}, or train longer."
    return f"{said}: it is not proven that the recognizer is better ({shown_p(paired['p_value'])})."


def started(start: Mapping[str, Any]) -> str:
    """Return what a transfer began from.

    Args:
        start: The `start` object of `foveal.train/1`.
    """
    if start["frozen"]:
        return f"Its features are those of {start['source']}: only what reads them was learned here."
    return f"It began with the weights of {start['source']}, and all of them went on learning here."


def against_scratch(baseline: Mapping[str, Any]) -> str | None:
    """Return what a transfer brought against a network from scratch, or None where none was trained.

    Only where that is the same network, at the same size, was it pre-training that brought it.

    Args:
        baseline: The `baseline` object of `foveal.train/1`.
    """
    scratch = baseline.get("scratch")
    if not scratch:
        return None
    if "skipped" in scratch:
        return f"{scratch['name']} from scratch was not trained: {scratch['skipped']}."
    difference = scratch["paired"]["difference"]
    points = [100 * difference[name] for name in ("value", "low", "high")]
    mine, other = scratch["transfer"], _network(scratch)
    what = "Pre-training" if _network(mine) == other else f"The transfer, of {_network(mine)},"
    return (
        f"From scratch, {other}, trained for {show_seconds(scratch['seconds'])}, names "
        f"{measured(scratch['accuracy'])} of the same images correctly. {what} brought "
        f"{points[0]:+.1f} points (95% interval {points[1]:+.1f} to {points[2]:+.1f})."
    )


def _network(named: Mapping[str, Any]) -> str:
    looks = f" with {named['backbone']}" if "backbone" in named else ""
    return f"{named['name']}{looks} at {named['size']} pixels"


def weak_points(document: Document) -> list[str]:
    """Return where the recognizer fails most: the worst class, then the most confused pairs."""
    metrics = document["metrics"]
    worst, sizes = metrics["worst_class"], {row["class"]: row["n"] for row in metrics["per_class"]}
    sentences = []
    if worst is not None and worst["value"] < 1:
        share = f"{percent(worst['value'])} of {counted(sizes[worst['class']], 'image')}"
        sentences.append(f"“{worst['class']}” was recognized least often: {share}; {lowest(worst)}.")
    for pair in document["confused_pairs"][:3]:
        taken = f"{pair['count']:,} of {sizes[pair['truth']]:,}"
        sentences.append(f"{taken} images of “{pair['truth']}” were taken for “{pair['label']}”.")
    return sentences or ["Not one mistake on these images."]


def unproven(document: Document) -> list[str]:
    """Return what these images do not prove, and how many would."""
    metrics = document["metrics"]
    return [
        *_perhaps_seen(document),
        *_broken_promises(document),
        *dependent(document["images"], document["provenance"].get("independent_images")),
        *_wide_accuracy(metrics["accuracy"]),
        *_few_images(metrics["per_class"]),
        *_absent(document["absent_classes"]),
        *_unreadable(document["unreadable"]),
        *_no_threshold(metrics["coverage_at_risk"]),
        *_no_sets(metrics["conformal"]),
        "All of it holds for images that come about as these did, with the classes in these proportions. "
        "Another camera, light, place or supplier has not been tested.",
    ]


def calibration(document: Document) -> str:
    """Return whether the confidence can be taken as a probability."""
    metrics = document["metrics"]
    error, chance = metrics["ece"], metrics["ece_null_p95"]
    found = (
        f"Confidence and share of right answers differ by {percent(error)} on average "
        f"(expected calibration error, n={document['images']:,})"
    )
    by_chance = f"perfectly honest confidences would show up to {percent(chance)} on so many images by chance"
    if error <= chance:
        return f"{found}; {by_chance}, so no miscalibration can be seen."
    return f"{found}; {by_chance}, so the confidences are off by more than chance."


def abstention(document: Document) -> str:
    """Return what the confidence threshold buys."""
    metrics = document["metrics"]
    coverage = metrics["coverage_at_risk"]
    if coverage["threshold"] is None:
        return (
            f"It always answers: no threshold could be proven for at most {limit(coverage['risk'])} errors."
        )
    promise = (
        f"At a confidence of {coverage['threshold']:.4f} or more it answers {measured(coverage)} "
        f"of the images. It was promised to err in at most {limit(coverage['risk'])} of those answers "
        f"(from {counted(coverage['calibration_images'], 'calibration image')}, "
        f"with a certainty of {limit(1 - coverage['delta'])})."
    )
    observed = coverage["observed_risk"]
    if observed is None:
        return f"{promise} It answered none of these images, so the promise was not put to the test."
    found = f"{promise} On these test images it erred in {measured(observed)} of its answers"
    return f"{found}: more than promised." if errs_too_often(document) else f"{found}."


def prediction_sets(document: Document) -> str:
    """Return what the prediction sets promise and what they did."""
    metrics = document["metrics"]
    conformal = metrics["conformal"]
    if conformal["quantile"] is None:
        return "Every set holds all classes: there were too few calibration images to leave one out."
    images = counted(conformal["calibration_images"], "calibration image")
    verdict = ", less often than promised" if misses_too_often(document) else ""
    promised = limit(1 - conformal["alpha"])
    of_each = " of each class" if conformal.get("method") == "mondrian" else ""
    delta = conformal.get("delta")
    how = "on average over draws of" if delta is None else f"with a certainty of {limit(1 - delta)}, from"
    return (
        f"The sets are made to hold the true class for {promised} of the images{of_each}, "
        f"{how} {images}; here they did for {measured(conformal['coverage'])}{verdict}. "
        f"A set names {conformal['mean_set_size']:.2f} classes on average; "
        f"{measured(metrics['intervals']['singleton_share'])} of the sets name exactly one."
    )


def errs_too_often(document: Document) -> bool:
    """Return whether these images show that the promised share of errors is not kept on their like.

    Images that belong together show nothing: their intervals are too narrow.
    """
    coverage = document["metrics"]["coverage_at_risk"]
    observed = coverage["observed_risk"]
    return observed is not None and not _repeats(document) and observed["low"] > coverage["risk"]


def misses_too_often(document: Document) -> bool:
    """Return whether these images show that the sets miss the truth more often than they were made to.

    The promise is an average over calibrations; the coverage of one may lie below it and nothing be wrong.
    So it is held against what one calibration surely covers; that of a promise for each class varies less.
    """
    conformal = document["metrics"]["conformal"]
    if conformal["quantile"] is None or _repeats(document):
        return False
    least = surely_covered(conformal["calibration_images"], conformal["alpha"])
    if conformal.get("delta") is not None:
        least = 1 - conformal["alpha"]
    return bool(conformal["coverage"]["high"] < least)


def proof_without_error(n: int) -> float:
    """Return the share of right answers that n images without one error prove (95 %, two-sided).

    >>> round(proof_without_error(14), 3)
    0.768
    """
    return float(_TAIL ** (1 / n))


def unseen(document: Document) -> bool:
    """Return whether it is known that the recognizer has nothing from these images.

    A training measures what it held out; an evaluation says in its provenance how it knows, or None.
    """
    known = document["provenance"].get("unseen", "split") in ("split", "content")
    return known and document["split"] != "calib"


def _perhaps_seen(document: Document) -> list[str]:
    if unseen(document):
        return []
    if document["provenance"]["unseen"] == "unlabelled":
        return [
            "That these images are new to it: its network was shown some or all of them without labels, so "
            "every number may look better than on images that it never met."
        ]
    if document["provenance"]["unseen"] == "calibration" or document["split"] == "calib":
        return [
            "That these images are new to it: some or all of them calibrated it, so confidence, declining "
            "and sets look better than they are."
        ]
    return [
        "That these images are new to it: if it learned from some, the numbers flatter. "
        "Evaluate the run folder instead of the bundle to have that checked."
    ]


def _broken_promises(document: Document) -> list[str]:
    what = ["the promised share of errors"] * errs_too_often(document)
    what += ["the promised coverage of the prediction sets"] * misses_too_often(document)
    return [
        f"That {promise} holds on images like these: here it does not. They differ from the calibration "
        "images; calibrate on images like these."
        for promise in what
    ]


def _repeats(document: Document) -> bool:
    independent = document["provenance"].get("independent_images")
    return independent is not None and independent < document["images"]


def dependent(images: int, independent: int | None) -> list[str]:
    """Return what it means where only some of the images are independent of each other; None: not known."""
    if independent is None or independent >= images:
        return []
    return [
        f"Some of the {counted(images, 'test image')} belong together (one object, copies); counted once "
        f"each they are {independent:,}, so the intervals of accuracies are too narrow."
    ]


def _wide_accuracy(accuracy: Mapping[str, Any]) -> list[str]:
    points = (accuracy["high"] - accuracy["low"]) * 50
    if round(points, 1) <= _TARGET_POINTS:
        return []
    spread = max(accuracy["value"] * (1 - accuracy["value"]), 0.01)
    needed = math.ceil(spread * (_NORMAL * 100 / _TARGET_POINTS) ** 2 / 100) * 100
    return [
        f"{counted(accuracy['n'], 'test image')} fix the accuracy to about ±{points:.1f} points; "
        f"±{_TARGET_POINTS:.0f} point needs about {needed:,}."
    ]


def _few_images(per_class: Iterable[Mapping[str, Any]]) -> list[str]:
    few = sorted((row for row in per_class if 0 < row["n"] < _FEW), key=lambda row: int(row["n"]))
    if not few:
        return []
    least = few[0]
    proof = percent(proof_without_error(least["n"]))
    those = "1 class has" if len(few) == 1 else f"{len(few):,} classes have"
    needed = math.ceil(math.log(_TAIL) / math.log(0.95))
    return [
        f"{those} fewer than {_FEW} test images: {listed(row['class'] for row in few)}. "
        f"{counted(least['n'], 'image')} of “{least['class']}”, all answered correctly, would prove no more "
        f"than {proof}; to prove 95% takes {needed} images without an error."
    ]


def _absent(classes: list[str]) -> list[str]:
    return [f"Nothing is known about {listed(classes)}: no test images."] if classes else []


def _unreadable(images: Sequence[Mapping[str, Any]]) -> list[str]:
    if not images:
        return []
    names = listed(image["source"] for image in images)
    verb = "is" if len(images) == 1 else "are"
    return [f"{counted(len(images), 'image')} could not be read and {verb} in no number: {names}."]


def _no_threshold(coverage: Mapping[str, Any]) -> list[str]:
    if coverage["threshold"] is not None:
        return []
    how = ""
    if coverage["needed"]:
        images = calibration_images_needed(coverage["risk"], coverage["delta"])
        how = (
            f"; it would take about {images:,} independent calibration images, of which the "
            f"{coverage['needed']:,} that prove are answered without an error"
        )
    return [f"No confidence guarantees at most {limit(coverage['risk'])} errors{how}."]


def _no_sets(conformal: Mapping[str, Any]) -> list[str]:
    if conformal["quantile"] is not None:
        return []
    needed = calibration_images_for_sets(conformal["alpha"], conformal.get("delta"))
    return [
        f"Prediction sets that hold the true class for {limit(1 - conformal['alpha'])} of the images "
        f"need at least {needed:,} independent calibration images."
    ]
