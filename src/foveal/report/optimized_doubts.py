"""What a search does not show, in sentences: which limits an interval breaks, and what all of it rests on."""

import math
from collections.abc import Mapping
from typing import Any

from foveal.bundle.ways import MOST_FLIPS, MOST_FLIPS_OF
from foveal.core.wording import counted
from foveal.report.optimized_cells import is_original
from foveal.report.optimized_measure import ACCURACY, AGREEMENT, measure_of
from foveal.report.optimized_words import points, recommended
from foveal.report.words import limit, percent

Row = Mapping[str, Any]

_REFERENCE = ("onnxruntime", "fp32")  # in which answers are measured
_COMPARED = 512  # pictures on which ways to run a file are compared, at most
_SHOWN = 256  # pictures that show integers their ranges, at most; of the rest one half proves
_TAIL = 0.025  # each side of a 95 % interval


def unproven(document: Row) -> list[str]:
    """Return what the search does not show."""
    row = recommended(document)
    sentences = [*_of_the_search(document)]
    if row is not None:
        sentences = [*_of_speed(document, row), *sentences]
    if row is not None and document["test"] is not None and not is_original(row):
        of_answers = _of_agreement if measure_of(document) is AGREEMENT else _of_accuracy
        sentences = [*of_answers(document, row), *sentences]
    return [*sentences, *_of_the_machine(document["machine"])]


def _of_accuracy(document: Row, row: Row) -> list[str]:
    found, allowed = document["test"], document["limits"]["drop"]
    drop, said = found["drop"], []
    if drop["value"] <= allowed < drop["high"]:
        said.append(
            f"That it loses no more than {points(allowed, sign=False)} is what was estimated, not proven: "
            f"the interval reaches to {100 * drop['high']:.1f} points (n={drop['n']:,}). More test pictures "
            "narrow it."
        )
    if drop["low"] <= 0 <= drop["high"]:
        said.append(
            f"“No difference shown” is not “equal”: from {_end(drop['low'])} to {_end(drop['high'])} is "
            f"compatible with {counted(drop['n'], 'test picture')}."
        )
    if drop["n"] < found["images"]:
        said.append(
            f"Some of the {found['images']:,} test pictures belong together. All are in the estimates; in "
            f"the intervals they say as much as {drop['n']:,} that stand alone."
        )
    return said + _of_the_engine(document, row)


def _of_the_engine(document: Row, row: Row) -> list[str]:
    """Return what other engines may answer, where it is not the reference that was measured."""
    if (row["engine"], row["precision"]) == _REFERENCE:
        return []
    measure = measure_of(document)
    told = f"{measure.title} is that of {row['engine']} {row['precision']}. In other engines up to"
    if measure not in (ACCURACY, AGREEMENT):
        most = limit(max(MOST_FLIPS_OF.values()))
        return [f"{told} {most} of what is shown on the pictures that were compared may be shown otherwise."]
    compared = counted(min(_COMPARED, document["chosen_on"]["images"]), "picture")
    return [f"{told} {limit(MOST_FLIPS)} of the {compared} that were compared may be named otherwise."]


def _of_agreement(document: Row, row: Row) -> list[str]:
    drop, allowed = document["test"]["drop"], document["limits"]["drop"]
    said = []
    if drop["value"] <= allowed < drop["high"]:
        said.append(
            f"That it changes no more than {limit(allowed)} of the answers was estimated, not proven: "
            f"the interval reaches to {percent(drop['high'])} (n={drop['n']:,}). {_more(allowed, drop['n'])}"
        )
    if drop["value"] == 0:
        said.append(
            f"No change among {counted(drop['n'], 'picture')} is not “none”: up to "
            f"{percent(drop['high'])} is compatible with it."
        )
    return said + _of_the_engine(document, row)


def pictures_needed(allowed: float) -> int | None:
    """Return how many pictures prove a limit on changed answers if none changes; None: no number does.

    The upper end of the exact interval of 0 in n is 1 - 0.025^(1/n) (Clopper & Pearson, 1934).

    >>> pictures_needed(0.01), pictures_needed(0.0)
    (368, None)
    """
    if allowed <= 0:
        return None
    return 1 if allowed >= 1 else math.ceil(math.log(_TAIL) / math.log1p(-allowed))


def _more(allowed: float, n: int) -> str:
    """Return how many pictures would be enough at best, where n were not."""
    needed = pictures_needed(allowed)
    if needed is None:
        return "No number of pictures proves that none changes: a --max-drop above 0 can be proven."
    if needed <= n:
        return "More pictures narrow it."
    in_all = 2 * needed + min(needed, _SHOWN)
    return f"Even if none changes, that takes {counted(needed, 'picture')} to prove, about {in_all:,} in all."


def _end(share: float) -> str:
    """Return one end of an interval of the drop.

    >>> _end(-0.002), _end(0.0)
    ('0.2 points better', '0.0 points worse')
    """
    return f"{abs(100 * share):.1f} points {'better' if share < 0 else 'worse'}"


def _of_speed(document: Row, row: Row) -> list[str]:
    allowed, latency, said = document["limits"]["latency_ms"], row["latency_ms"], []
    if not is_original(row) and not row["time_ratio"]["real"]:
        said.append(
            "That it is faster than the original is not shown: the difference is no larger than that of the "
            "same file timed twice, or below 3 %."
        )
    if allowed is not None and latency["p50_high"] is None:
        said.append("The median time has no upper end: too few rounds were timed.")
    elif allowed is not None and latency["p50"] <= allowed < latency["p50_high"]:
        said.append(
            f"That the median stays within {allowed:.3g} ms is not proven: its interval reaches to "
            f"{latency['p50_high']:.3g} ms."
        )
    tail = document["limits"]["p99_ms"]
    if tail is None and allowed is not None and latency["p99"] > allowed:
        said.append(
            "The limit on time is one on the median: one answer in a hundred took more than "
            f"{latency['p99']:.3g} ms (--max-p99 limits that)."
        )
    if tail is not None and (latency["p99_high"] is None or latency["p99"] <= tail < latency["p99_high"]):
        end = (
            "has no upper end: too few calls were timed"
            if latency["p99_high"] is None
            else (f"reaches to {latency['p99_high']:.3g} ms")
        )
        said.append(f"That 99 of 100 answers stay within {tail:.3g} ms is not proven: the interval {end}.")
    if document["limits"]["memory_bytes"] is not None and row["peak_rss_bytes"] is None:
        said.append("Whether it keeps the limit on memory is not known: its memory was not measured.")
    return said


def _of_the_search(document: Row) -> list[str]:
    rows, said = document["variants"], []
    pictures = counted(document["chosen_on"]["images"], "picture")
    independent = document["chosen_on"]["independent"]
    if independent < document["chosen_on"]["images"]:
        said.append(
            f"Some of the {pictures} that chose belong together. All are in the estimates; in the intervals "
            f"they say as much as {independent:,} that stand alone."
        )
    if document["chosen"] is None:
        taught = any(one["tried"] for one in document["levers"] if one["name"] == "training")
        longer = "A longer --time trains longer and may reach further; that" if taught else "That"
        made = counted(len(rows), "variant") + ("" if taught else ", without training,")
        said.append(
            f"Not feasible means: not among {made} that were made. {longer} nothing can reach the limits is "
            "not shown."
        )
    elif len(rows) > 1:
        said.append(
            f"{counted(len(rows), 'variant')} were compared on the same {pictures}: what is best among "
            f"several is flattered there. {measure_of(document).proof.capitalize()}, looked at once, do not "
            "flatter it."
        )
    if any("distill" in row["steps"] for row in rows):
        said.append(
            "Each network was trained once; another training of the same kind may come out otherwise."
        )
    if document["measure"] == "agreement":
        said.append(
            "The pictures have no labels: shares are of answers like the original's, right or wrong. On "
            "pictures like these accuracy cannot fall by more than the share that changed."
        )
    return said


def _of_the_machine(machine: Row) -> list[str]:
    said = [f"Times hold for this machine ({machine['cpu']}); on another one the order may be another."]
    load, processors = machine["load"], counted(machine["cores_usable"], "processor")
    if load is not None and load > machine["cores_usable"]:
        said.append(
            f"At the end {load:.1f} processes wanted {processors}, this "
            "search included: on a quiet machine intervals are narrower."
        )
    return said
