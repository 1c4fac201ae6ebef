"""What an explanation says, in sentences; every function reads entries of the `foveal.explain/1` document."""

from collections.abc import Mapping
from typing import Any

from foveal.core.wording import counted
from foveal.report.words import measured, percent

_ROWS, _COLUMNS = ("top", "middle", "bottom"), ("left", "middle", "right")


def answer(entry: Mapping[str, Any]) -> str:
    """Return what was answered, what it should have been, and what hiding the most important area does."""
    truth = entry["truth"]
    told = f"{entry['source']}: “{entry['label']}”"
    if truth is not None:
        told += " is right" if truth == entry["label"] else f" is wrong, it is “{truth}”"
    return f"{told}; {loss(entry)}"


def loss(entry: Mapping[str, Any]) -> str:
    """Return what the probability of the class is with and without the most important area."""
    peak = entry["peak"]
    return (
        f"“{entry['class']}” has {percent(entry['confidence'])}, and {percent(peak['confidence_without'])} "
        f"with the most important {peak['share']:.0%} hidden ({place(peak)})"
    )


def place(peak: Mapping[str, Any]) -> str:
    """Return where the largest value lies, in words.

    >>> place({"x": 0.1, "y": 0.9}), place({"x": 0.5, "y": 0.5})
    ('bottom left', 'middle')
    """
    row, column = (names[min(2, int(3 * peak[axis]))] for names, axis in ((_ROWS, "y"), (_COLUMNS, "x")))
    return " ".join(dict.fromkeys([row, column]))


def faith(entry: Mapping[str, Any]) -> str:
    """Return whether the map is better than all random ones at finding what the answer rests on."""
    chance = entry["chance"]
    numbers = (
        f"hiding in its order leaves {percent(entry['deletion_auc'])} on average (random order "
        f"{percent(chance['deletion_auc'])}), revealing gives {percent(entry['insertion_auc'])} "
        f"({percent(chance['insertion_auc'])})"
    )
    if entry["holds"]:
        return f"the map holds, it is better than all {chance['maps']} random ones: {numbers}"
    return (
        f"the map says little here, it is better than {chance['beaten']} of {chance['maps']} random ones: "
        f"{numbers}"
    )


def sign_test(found: Mapping[str, Any]) -> str:
    """Return whether the maps of a method, taken together, are better than random ones."""
    told = (
        f"{found['method']}: its maps are better than most random ones on {measured(found['better'])} of the "
        f"pictures; sign test, p={found['p_value']:.2g}"
    )
    if found["verdict"] == "pass":
        return told
    return f"{told}: that may be luck"


def sanity(check: Mapping[str, Any]) -> str:
    """Return whether the maps of a method depend on what was learned."""
    correlation = round(check["rank_correlation"], 2) + 0.0  # not -0.00
    told = (
        f"{check['method']}: rank correlation {correlation:.2f} between maps of the trained network and"
        f" of one with random weights ({counted(check['images'], 'picture')})"
    )
    if check["verdict"] == "undetermined":
        level = f"{check['level']} of {2 * check['images']} maps are level"
        return f"{told}; {level}: that says nothing about the method"
    if check["verdict"] == "pass":
        return f"{told}; its maps depend on what was learned"
    return f"{told}; more than {check['limit']}: its maps show the picture, not what the recognizer looks at"
