"""What a comparison says, in sentences, from the `foveal.compare/1` document."""

from collections.abc import Mapping
from typing import Any

from foveal.report.words import Document, count, percent

Row = Mapping[str, Any]


def pair_sentence(pair: Row) -> str:
    """Return what the test of two recognizers shows.

    >>> found = {"a": "cnn", "b": "svm", "n": 500, "only_a": 60, "only_b": 20, "verdict": "a_better"}
    >>> found |= {"p_value": 9e-6, "p_adjusted": 9e-6}
    >>> found |= {"difference": {"value": 0.08, "low": 0.05, "high": 0.11}}
    >>> pair_sentence(found)[:69]
    '“cnn” is better than “svm” by 8.0 points (95% interval 5.0 to 11.0): '
    """
    low, high = pair["difference"]["low"] * 100, pair["difference"]["high"] * 100
    value = pair["difference"]["value"] * 100
    a, b, only_a, only_b = (pair[key] for key in ("a", "b", "only_a", "only_b"))
    if pair["verdict"] == "no_difference_shown":
        return (
            f"No difference is shown between “{a}” and “{b}”: {only_a:,} of {count(pair['n'], 'image')} only "
            f"the first named correctly, {only_b:,} only the second; {_p(pair)}. The difference lies between "
            f"{low:+.1f} and {high:+.1f} points (95%)."
        )
    if pair["verdict"] == "b_better":
        a, b, only_a, only_b, value, low, high = b, a, only_b, only_a, -value, -high, -low
    return (
        f"“{a}” is better than “{b}” by {value:.1f} points (95% interval {low:.1f} to {high:.1f}): "
        f"{only_a:,} of {count(pair['n'], 'image')} only it named correctly, {only_b:,} only the other; "
        f"{_p(pair)}."
    )


def not_shown(document: Document) -> list[str]:
    """Return what the comparison does not show."""
    sentences = []
    images, independent = document["images"], document["independent_images"]
    if independent < images:
        sentences.append(
            f"Some of the {count(images, 'image')} belong together (one object, copies): one of each, "
            f"{independent:,} in all, counts in the test."
        )
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
    if document["unreadable"]:
        unreadable = count(len(document["unreadable"]), "image")
        sentences.append(f"{unreadable} could not be read by every recognizer and count in no number.")
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


def _names(names: list[str]) -> str:
    return ", ".join(f"“{name}”" for name in names)


def _p(pair: Row) -> str:
    p = pair["p_adjusted"]
    number = "p < 0.0001" if p < 1e-4 else f"p = {p:.2g}"
    return number if p == pair["p_value"] else f"{number}, adjusted for all pairs"
