"""What a comparison says, in sentences, from the `foveal.compare/1` document."""

from collections.abc import Mapping
from typing import Any

from foveal.core.wording import counted
from foveal.report.words import Document, dependent, measured, percent, shown_p

Row = Mapping[str, Any]


def pair_sentence(pair: Row) -> str:
    """Return what the test of two recognizers shows.

    >>> found = {"a": "cnn", "b": "svm", "n": 500, "only_a": 60, "only_b": 20, "verdict": "a_better"}
    >>> found |= {"p_value": 9e-6, "p_adjusted": 9e-6}
    >>> found |= {"difference": {"value": 0.08, "low": 0.05, "high": 0.11}, "confidence": 0.95}
    >>> pair_sentence(found)[:69]
    '“cnn” is better than “svm” by 8.0 points (95% interval 5.0 to 11.0): '
    """
    low, high = pair["difference"]["low"] * 100, pair["difference"]["high"] * 100
    value = pair["difference"]["value"] * 100
    sure = f"{pair['confidence'] * 100:.3g}%"
    a, b, only_a, only_b = (pair[key] for key in ("a", "b", "only_a", "only_b"))
    if pair["verdict"] == "no_difference_shown":
        return (
            f"No difference is shown between “{a}” and “{b}”: {only_a:,} of {counted(pair['n'], 'image')} "
            f"only the first named correctly, {only_b:,} only the second; {_p(pair)}. The difference lies "
            f"between {low:+.1f} and {high:+.1f} points ({sure}){_only_nearly(low, high)}."
        )
    if pair["verdict"] == "b_better":
        a, b, only_a, only_b, value, low, high = b, a, only_b, only_a, -value, -high, -low
    return (
        f"“{a}” is better than “{b}” by {value:.1f} points ({sure} interval {low:.1f} to {high:.1f}): "
        f"{only_a:,} of {counted(pair['n'], 'image')} only it named correctly, {only_b:,} only the other; "
        f"{_p(pair)}."
    )


def scene_pair_sentence(pair: Row, measure: str) -> str:
    """Return what the test of two recognizers that say where something is shows.

    >>> found = {"a": "large", "b": "small", "n": 87, "verdict": "a_better", "p_value": 5e-4}
    >>> found |= {"p_adjusted": 5e-4, "confidence": 0.95}
    >>> found |= {"difference": {"value": 0.08, "low": 0.05, "high": 0.11}}
    >>> scene_pair_sentence(found, "mAP50")[:75]
    '“large” is better than “small” by 8.0 points of mAP50 (95% interval 5.0 to '
    """
    low, high = pair["difference"]["low"] * 100, pair["difference"]["high"] * 100
    value, a, b = pair["difference"]["value"] * 100, pair["a"], pair["b"]
    sure = f"{pair['confidence'] * 100:.3g}%"
    tested = f"on {counted(pair['n'], 'image')}; {_p(pair)}"
    if pair["verdict"] == "no_difference_shown":
        nearly = "" if low <= 0 <= high else "; the interval is approximate, and the test decides"
        return (
            f"No difference is shown between “{a}” and “{b}” {tested}. The difference lies between "
            f"{low:+.1f} and {high:+.1f} points of {measure} ({sure}){nearly}."
        )
    if pair["verdict"] == "b_better":
        a, b, value, low, high = b, a, -value, -high, -low
    return (
        f"“{a}” is better than “{b}” by {value:.1f} points of {measure} ({sure} interval {low:.1f} to "
        f"{high:.1f}) {tested}."
    )


def _only_nearly(low: float, high: float) -> str:
    """Return why an interval may exclude 0 where the test shows nothing."""
    if low <= 0 <= high:
        return ""
    return "; this interval is approximate, the test is exact, and the test decides"


def speed_sentence(pair: Row) -> str:
    """Return which of two recognizers is faster, if that is more than the noise of timing.

    >>> longer = {"value": 2.0, "low": 1.9, "high": 2.2, "n": 30, "noise_share": 0.02, "real": True}
    >>> speed_sentence({"a": "cnn", "b": "svm", "latency": {"slower": "svm", "longer": longer}})
    '“svm” takes 3.00 times as long as “cnn” for one picture (95% interval 2.90 to 3.20, n=30 rounds).'
    """
    slower, longer = pair["latency"]["slower"], pair["latency"]["longer"]
    faster = pair["b"] if slower == pair["a"] else pair["a"]
    if not longer["real"]:
        return (
            f"No real difference in time is shown between “{faster}” and “{slower}”: the same twice differed "
            f"by up to {longer['noise_share']:.1%}, and less than {longer['least_share']:.0%} is never "
            "called real."
        )
    return (
        f"“{slower}” takes {1 + longer['value']:.2f} times as long as “{faster}” for one picture "
        f"(95% interval {1 + longer['low']:.2f} to {1 + longer['high']:.2f}, "
        f"n={counted(longer['n'], 'round')})."
    )


def gap_sentences(document: Document) -> list[str]:
    """Return how much better each recognizer is on images it learned from; none where that is not known."""
    sentences = []
    for row in document["models"]:
        learned, new = row["on_training_images"], row["accuracy"]
        if learned is not None:
            sentences.append(
                f"“{row['name']}” names {measured(learned)} of the images it learned from, and "
                f"{measured(new)} of new ones: a gap of {100 * (learned['value'] - new['value']):.1f} points."
            )
    return sentences


def not_shown(document: Document) -> list[str]:
    """Return what the comparison does not show."""
    sentences = dependent(document["images"], document["independent_images"])
    if sentences:
        how = "whole groups are drawn" if "measure" in document else "one of each counts"
        sentences.append(f"In the tests of pairs {how}.")
    unknown = [row["name"] for row in document["models"] if row["unseen"] is None]
    if unknown:
        sentences.append(
            f"Whether {_names(unknown)} learned from some of these images is not known; name the run folder "
            "instead of the bundle to have that checked."
        )
    calibrated = [row["name"] for row in document["models"] if row["unseen"] == "calibration"]
    if calibrated:
        sentences.append(
            f"Some of these images calibrated {_names(calibrated)}: its confidence is flattered."
        )
    shown = [row["name"] for row in document["models"] if row["unseen"] == "unlabelled"]
    if shown:
        sentences.append(
            f"The network of {_names(shown)} was shown some of these images without labels: its numbers may "
            "be flattered."
        )
    if document["unreadable"]:
        unreadable = counted(len(document["unreadable"]), "image")
        sentences.append(f"{unreadable} could not be read by every recognizer and count in no number.")
    if document["resistance"] is not None:
        sentences.append(
            "What survives the attack is an upper bound: it only asks, and a stronger one may find more. A "
            "recognizer that names more correctly to begin with can lose more and still be ahead."
        )
    sentences.append(
        "Each recognizer was trained once. The test says whether these files differ on such images, not "
        "whether other trainings of the same kind would."
    )
    return sentences


def curve_sentences(document: Document) -> list[str]:
    """Return how each recognizer gains from more training images; none where that was not measured."""
    sentences = []
    for row in document["models"]:
        points = [one for one in document["curve"] if one["name"] == row["name"]]
        if len(points) > 1:
            said = ", ".join(f"{percent(p['accuracy']['value'])} from {p['images']:,}" for p in points)
            sentences.append(f"“{row['name']}”, by number of training images: {said}.")
    return sentences


def resistance_sentences(document: Document) -> list[str]:
    """Return what each recognizer keeps under corruption and attack, and which differences are proven."""
    found = document["resistance"]
    if found is None:
        return []
    return [*(_kept(row, found) for row in found["models"]), *(_harder(pair) for pair in found["pairs"])]


def _kept(row: Row, found: Row) -> str:
    retention = row["retention"]
    share = (
        ""
        if retention is None
        else f", {percent(retention['value'])} of the {percent(row['clean']['value'])} without"
    )
    attacked = ", ".join(f"{percent(one['value'])} within {one['ball']}" for one in row["attacked"])
    return (
        f"“{row['name']}” names {measured(row['mean_corruption'])} under corruption (mean of "
        f"{counted(len(found['corruptions']), 'type')}, severity {found['severity']}){share}; after "
        f"{found['attack']['queries']:,} questions of an attacker at most {attacked}."
    )


def _harder(pair: Row) -> str:
    """Return what the test of two recognizers under one stress shows.

    >>> pair = {"a": "cnn", "b": "svm", "stress": "linf 2/255", "verdict": "b_better", "confidence": 0.983}
    >>> pair |= {"difference": {"value": -0.2, "low": -0.3, "high": -0.1}}
    >>> pair |= {"p_value": 0.001, "p_adjusted": 0.002}
    >>> _harder(pair)[:72]
    'Under attack within linf 2/255 “svm” is better than “cnn” by 20.0 points'
    """
    stress = "corruption" if pair["stress"] == "mean_corruption" else f"attack within {pair['stress']}"
    value, low, high = (100 * pair["difference"][key] for key in ("value", "low", "high"))
    a, b, sure = pair["a"], pair["b"], f"{pair['confidence'] * 100:.3g}%"
    if pair["verdict"] == "no_difference_shown":
        return (
            f"Under {stress} no difference is shown between “{a}” and “{b}”: it lies between {low:+.1f} and "
            f"{high:+.1f} points ({sure}); {_p(pair, 'all pairs and stresses')}."
        )
    if pair["verdict"] == "b_better":
        a, b, value, low, high = b, a, -value, -high, -low
    return (
        f"Under {stress} “{a}” is better than “{b}” by {value:.1f} points ({sure} interval {low:.1f} to "
        f"{high:.1f}); {_p(pair, 'all pairs and stresses')}."
    )


def _names(names: list[str]) -> str:
    return ", ".join(f"“{name}”" for name in names)


def _p(pair: Row, among: str = "all pairs") -> str:
    p = pair["p_adjusted"]
    number = shown_p(p)
    return number if p == pair["p_value"] else f"{number}, adjusted for {among}"
