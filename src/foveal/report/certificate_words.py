"""What a certificate says, in sentences; for the terminal and for the page. No torch, no extra."""

from collections.abc import Mapping
from typing import Any

from foveal.core.wording import counted

Document = Mapping[str, Any]
Gate = Mapping[str, Any]

_VERDICTS = {"pass": "pass", "fail": "FAIL", "insufficient": "not shown", "not_asked": "measured"}
KINDS = {
    "guarantee": "holds with a stated probability, for pictures that come about as these did",
    "upper_bound": "no attack tried here did more harm; a stronger one may",
    "estimate": "what these pictures show, with its interval",
    "indicator": "something to look at; no statement about other pictures",
}
_SHARES = ("_ms", "nll", "brier", "aurc", "augrc", "set_size", "radius")


def verdict(gate: Gate) -> str:
    """Return the verdict of a gate in a word or two."""
    if gate["verdict"] == "not_asked" and gate["limit"] is not None:
        return "left out"
    return _VERDICTS[gate["verdict"]]


def sentence(gate: Gate) -> str:
    """Return what was measured, against which limit, and what would decide."""
    parts = [f"{gate['name']}: {value(gate)}"]
    if gate["limit"] is not None:
        side = "at least" if gate["side"] == "at_least" else "at most"
        parts.append(f"limit: {side} {number(gate, gate['limit'])}")
    if gate["verdict"] == "insufficient":
        parts.append(needed(gate))
    return "; ".join(parts)


def value(gate: Gate) -> str:
    """Return the number with interval and n."""
    found = gate["value"]
    if found is None:
        return f"not measured ({gate['note']})"
    point = number(gate, found["value"])
    if found["method"] == "counted":
        return f"{point} of {found['n']:,}, counted"
    return f"{point} ({number(gate, found['low'])} to {number(gate, found['high'])}, n={found['n']:,})"


def number(gate: Gate, value: float) -> str:
    """Return one number in the unit of its gate: shares in percent, all else as it is."""
    if any(part in gate["id"] for part in _SHARES):
        return f"{value:.3g}"
    return f"{100 * value:.1f} %"


def needed(gate: Gate) -> str:
    """Return what would decide where nothing is shown."""
    if gate["value"] is None:
        return "nothing was measured, so nothing is shown"
    if gate["needed"] is None:
        return "more pictures alone would not decide"
    return f"about {gate['needed']:,} such pictures would decide"


def measured_on(document: Document) -> str:
    """Return which pictures it rests on."""
    data = document["data"]
    test = data["roles"]["test"]["images"]
    text = f"{counted(test, 'picture')} ({data['split']})"
    if data["available"] > data["independent"]:
        text += f" of {data['available']:,}: of those that belong together one counts"
    known = {
        "split": "the test part of its training data",
        "content": "none was learned from",
        "calibration": "none was learned from, but some calibrated it",
        None: "whether they were learned from is not known",
    }
    return f"{text}; {known[data['unseen']]}"


def conclusion(document: Document) -> str:
    """Return the verdict of the whole certificate in a sentence."""
    count = dict.fromkeys(("pass", "fail", "insufficient", "not_asked"), 0)
    for gate in document["gates"]:
        if gate["limit"] is not None:
            count[gate["verdict"]] += 1
    told = {
        "pass": "pass: every limit is shown to be kept",
        "fail": f"FAIL: {counted(count['fail'], 'limit')} shown to be missed",
        "insufficient": f"not shown: {counted(count['insufficient'] + count['not_asked'], 'limit')} "
        "neither shown to be kept nor to be missed",
        "not_asked": "no limit was set: nothing is judged",
    }
    return f"{told[document['verdict']]} ({count['pass']} of {sum(count.values())} kept)"
