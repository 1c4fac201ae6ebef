"""What a `foveal.optimize/1` document says, in sentences: what to take, within which limits, how sure."""

from collections.abc import Mapping, Sequence
from typing import Any

from foveal.core.units import show_bytes
from foveal.core.wording import counted
from foveal.metrics.clopper_pearson import clopper_pearson
from foveal.report.optimized_cells import factor, is_original, milliseconds, smaller
from foveal.report.optimized_measure import ACCURACY, AGREEMENT, Measure, measure_of
from foveal.report.words import limit, measured

Row = Mapping[str, Any]

LEVERS = {"engine": "Engine and threads", "rounding": "Coarser numbers", "training": "Training"}


def recommended(document: Row) -> Row | None:
    """Return the variant that was chosen, whether its proof then held or not, or None."""
    return next((row for row in document["variants"] if row["name"] == document["chosen"]), None)


def headline(document: Row) -> str:
    """Return what the search came to, in a few words."""
    row = recommended(document)
    if row is None:
        return "Not feasible"
    if not document["feasible"]:
        return f"Not kept on {measure_of(document).proof}"
    if is_original(row):
        return "Keep the original"
    if not row["steps"]:
        return f"Keep the file, run it in {row['engine']} {row['precision']}"
    return f"Take {row['name']}"


def verdict(document: Row) -> str:
    """Return what is recommended and which limits are not proven, or what would be feasible."""
    row = recommended(document)
    if row is None:
        tried = counted(len(document["variants"]), "variant")
        return f"None of {tried} keeps all limits. Best reachable: {_best(document)}."
    if document["feasible"] and is_original(row):
        told = "The original: nothing that was tried is a real gain within the limits."
        return " ".join([told, *reserves(document)])
    told = f"“{row['name']}” is {factor(row)}, {smaller(row['size_ratio'])}"
    measure = measure_of(document)
    if document["test"] is None:
        return f"{told}; it was not measured on {measure.proof}."
    told += f"; on {measure.proof} it {_costs(document['test']['drop'], measure)}"
    if document["feasible"]:
        return " ".join([f"{told}.", *reserves(document)])
    allowed = allowance(document["limits"]["drop"], measure)
    return f"{told}; allowed is {allowed}. It was chosen on other pictures, where it kept the limit."


def reserves(document: Row) -> list[str]:
    """Return a sentence for each limit that what is recommended keeps by the estimate alone."""
    return [f"Not proven: that {_kept(name, document)}." for name in document["unproven"]]


def _kept(name: str, document: Row) -> str:
    measure, limits = measure_of(document), document["limits"]
    if name == "drop":
        allowed = allowance(limits["drop"], measure)
        what = "the answers change" if measure is AGREEMENT else f"{measure.name} is lost"
        return f"no more than {allowed} of {what}"
    told = {"latency": "the median time stays", "p99": "99 of 100 answers stay"}[name]
    return f"{told} within {limits[f'{name}_ms']:.3g} ms"


def untried(document: Row) -> list[str]:
    """Return what the file or its network did not allow, and what to type instead, a line for each."""
    levers = [
        f"{LEVERS[one['name']]}: {one['says']}. Instead: {one['instead']}"
        for one in document["levers"]
        if not one["tried"]
    ]
    return levers + [f"{name}: {why}" for name, why in document["without_candidates"].items()]


def _best(document: Row) -> str:
    return reachable(document["nearest"], document["variants"], measure_of(document))


def _costs(drop: Row, measure: Measure) -> str:
    if measure is AGREEMENT:
        return f"changes {changed(drop)} of the answers"
    return f"loses {lost(drop)}"


def allowance(share: float, measure: Measure) -> str:
    """Return what a drop may be, in the words of a measure.

    >>> allowance(0.01, ACCURACY), allowance(0.01, AGREEMENT)
    ('1 point', '1%')
    """
    return limit(share) if measure is AGREEMENT else points(share, sign=False)


def found(drop: Row, measure: Measure) -> str:
    """Return what a drop is, in the words of a measure, with its interval and n."""
    return changed(drop) if measure is AGREEMENT else lost(drop)


def changed(drop: Row) -> str:
    """Return the share of answers that are not the original's, with its interval and n.

    >>> changed({"value": 0.002, "low": 0.0011, "high": 0.0061, "n": 5000})
    '0.2% (95% interval 0.1% to 0.6%, n=5,000)'
    """
    return measured(drop)


def reachable(nearest: Mapping[str, float], rows: Sequence[Row], measure: Measure = ACCURACY) -> str:
    """Return the best value of every limit that binds, with its interval.

    Args:
        nearest: From a document.
        rows: All variants, among them those that reach these values.
        measure: By which is searched.
    """
    return ", ".join(_reached(name, value, rows, measure) for name, value in nearest.items())


def _reached(name: str, value: float, rows: Sequence[Row], measure: Measure) -> str:
    if name == "size_bytes":
        return f"size {show_bytes(value)}"
    if name == "memory_bytes":
        return f"memory {show_bytes(value)}"
    if name == "drop":
        drop = next(row["drop"] for row in rows if row["drop"]["value"] == value)
        return f"{measure.lost} {found(drop, measure)}"
    quantile, told = ("p50", "median time") if name == "latency_ms" else ("p99", "99th percentile")
    latency = next(row["latency_ms"] for row in rows if row["latency_ms"][quantile] == value)
    return f"{told} {milliseconds(latency, quantile)}"


def points(share: float, *, sign: bool = True) -> str:
    """Return a difference of shares.

    >>> points(0.002), points(0.01, sign=False)
    ('+0.2 points', '1 point')
    """
    if sign:
        return f"{100 * share:+.1f} points"
    number = f"{100 * share:.3g}"
    return f"{number} point" if number == "1" else f"{number} points"


def lost(drop: Row) -> str:
    """Return the accuracy that is lost, with its interval and n.

    >>> lost({"value": 0.002, "low": -0.0021, "high": 0.0061, "n": 5000})
    '+0.2 points (95% interval -0.2 to +0.6, n=5,000)'
    """
    low, high = 100 * drop["low"], 100 * drop["high"]
    return f"{points(drop['value'])} (95% interval {low:+.1f} to {high:+.1f}, n={drop['n']:,})"


def agreement(found: Row) -> str:
    """Return how often the recommended one answers as the original does, right or wrong, from `test`.

    >>> agreement({"images": 5000, "independent": 5000, "agreement": 0.9732})
    '97.3% (95% interval 96.8% to 97.7%, n=5,000)'
    """
    n = found["independent"]
    return measured(clopper_pearson(found["agreement"] * n, n).as_json())
