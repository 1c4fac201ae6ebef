"""What a certificate says, in sentences; for the terminal and for the page. No torch, no extra."""

from collections.abc import Mapping
from typing import Any

from foveal.core.units import show_bytes
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
    """Return one number in the unit of its gate: shares in percent, to a tenth.

    >>> number({"unit": "share"}, 0.754), number({"unit": "bytes"}, 12_000), number({"unit": "ms"}, 1.234)
    ('75.4 %', '12 kB', '1.23 ms')
    """
    return f"{100 * value:.1f} %" if is_share(gate) else _with_unit(gate, value, digits=3)


def needed(gate: Gate) -> str:
    """Return what would decide where nothing is shown."""
    if gate["value"] is None:
        return "nothing was measured, so nothing is shown"
    if gate["needed"] is None:
        return "more pictures alone would not decide"
    return f"about {gate['needed']:,} such pictures would decide"


def about_films(document: Document) -> bool:
    """Return whether the recognizer answers for films; certificates of older versions are about pictures."""
    return bool(document.get("task") == "video")


def measured_on(document: Document) -> str:
    """Return which pictures it rests on."""
    data = document["data"]
    test = data["roles"]["test"]["images"]
    text = f"{counted(test, 'film' if about_films(document) else 'picture')} ({data['split']})"
    if test + data["unreadable"] < data["independent"]:
        text += f", evenly taken from {data['independent']:,}"
    if data["available"] > data["independent"]:
        text += f"; there are {data['available']:,}, but of those that belong together one counts"
    if data["unreadable"]:
        text += f"; {data['unreadable']:,} more could not be read and count in no number"
    known = {
        "split": "the test part of its training data",
        "content": "none was learned from",
        "calibration": "none was learned from, but some calibrated it",
        "unlabelled": "no label was learned from, but the network was shown some of them without",
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


def headline(document: Document) -> str:
    """Return in one sentence what is shown of the limits, and what is not."""
    asked = [gate for gate in document["gates"] if gate["limit"] is not None]
    if not asked:
        return "No limit was set: this certificate says what was measured, and judges nothing."
    count = {name: sum(gate["verdict"] == name for gate in asked) for name in _VERDICTS}
    shown = [f"{count['pass']} shown to be kept", f"{count['fail']} shown to be missed"]
    open_ones = count["insufficient"] + count["not_asked"]
    shown += [f"{open_ones} not shown either way"] if open_ones else []
    first = {
        "pass": "Every limit of the profile is shown to be kept",
        "fail": "This file does not keep the limits of the profile",
        "insufficient": "It is not shown that this file keeps all limits of the profile",
    }[document["verdict"]]
    return f"{first}: of {counted(len(asked), 'limit')}, {', '.join(shown)}."


def limits_of_others(document: Document) -> str:
    """Return which limits of the profile are about other recognizers; "" where none is."""
    names = document.get("not_about", ())  # which certificates of older versions do not have
    if not names:
        return ""
    return f"{', '.join(names)}: limits on recognizers that are asked something else; they judge nothing here"


def by_urgency(document: Document) -> list[Gate]:
    """Return the gates that have a limit: missed, not shown, left out, kept."""
    order = ("fail", "insufficient", "not_asked", "pass")
    asked = [gate for gate in document["gates"] if gate["limit"] is not None]
    return sorted(asked, key=lambda gate: order.index(gate["verdict"]))


def allowed(gate: Gate) -> str:
    """Return a limit with its side.

    >>> allowed({"unit": "share", "side": "at_least", "limit": 0.8})
    'at least 80 %'
    """
    side, limit = "at least" if gate["side"] == "at_least" else "at most", gate["limit"]
    share = f"{100 * limit:.4g} %"
    return f"{side} {share if is_share(gate) else _with_unit(gate, limit, digits=4)}"


def is_share(gate: Gate) -> bool:
    """Return whether a gate's number is a share, shown in percent and drawn between 0 and 1."""
    return bool(gate["unit"] == "share")


def _with_unit(gate: Gate, value: float, *, digits: int) -> str:
    """Return a number that is no share with its unit; bytes in the one that people read."""
    if gate["unit"] == "bytes":
        return f"-{show_bytes(-value)}" if value < 0 else show_bytes(value)
    text = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.{digits}g}"
    return f"{text} {gate['unit']}" if gate["unit"] in ("ms", "nats") else text


def open_questions(document: Document) -> list[str]:
    """Return what the certificate does not show, a sentence for each."""
    said: list[str] = []
    missing: dict[str, list[str]] = {}
    for gate in document["gates"]:
        if gate["value"] is None:
            asked = "" if gate["limit"] is None else f" (demanded: {allowed(gate)})"
            missing.setdefault(gate["note"] or "no reason is told", []).append(gate["name"] + asked)
        elif gate["verdict"] == "insufficient":
            said.append(f"{gate['name']}: {allowed(gate)} is neither shown nor refuted; {needed(gate)}")
    said += [f"not measured: {'; '.join(names)}. The reason: {why}" for why, names in missing.items()]
    return said


def never_shown(document: Document) -> list[str]:
    """Return what no certificate of this kind shows, and what this one's level leaves out."""
    roles = document["data"]["roles"]
    said = [
        "pictures that come about otherwise than these: another camera, light, supplier or place is a new "
        "question",
        f"events that are rarer than about 3 in {roles['test']['images']:,}: after so many pictures without "
        "one the true share can still be that high (95 %)",
        "damage, attacks and changes that were not tried",
    ]
    if document["level"] == "smoke":
        said.insert(0, "level smoke tries every measurement out on few pictures: attacks are too weak to say "
                       "that a limit on them is kept")  # fmt: skip
    if document["level"] == "quick":
        said.append(
            "level quick looks at a few hundred pictures for the slow measurements; full looks at more"
        )
    return said
