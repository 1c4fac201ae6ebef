"""What a `foveal.optimize/1` document says, in sentences: what to take, within which limits, how sure."""

from collections.abc import Mapping
from typing import Any

from foveal.bundle.ways import MOST_FLIPS
from foveal.core.units import show_bytes
from foveal.core.wording import counted
from foveal.metrics.clopper_pearson import clopper_pearson
from foveal.report.optimized_measure import ACCURACY, AGREEMENT, Measure, measure_of
from foveal.report.words import limit, measured, percent

Row = Mapping[str, Any]

_REFERENCE = ("onnxruntime", "fp32")  # in which answers are measured
_LIMITS = {"latency": "time", "p99": "time of 99 in 100", "size": "size", "memory": "memory"}
_JUDGED = {
    "original": "the original",
    "recommended": "recommended",
    "feasible": "within the limits",
    "dominated": "beaten by another one",
    "no_real_gain": "no real gain",
}


def recommended(document: Row) -> Row | None:
    """Return the variant that is recommended, or None."""
    return next((row for row in document["variants"] if row["name"] == document["recommended"]), None)


def headline(document: Row) -> str:
    """Return what the search came to, in a few words."""
    row = recommended(document)
    if row is None:
        return "Not feasible"
    if not document["feasible"]:
        return f"Not proven on {measure_of(document).proof}"
    if is_original(row):
        return "Keep the original"
    if not row["steps"]:
        return f"Keep the file, run it in {row['engine']} {row['precision']}"
    return f"Take {row['name']}"


def is_original(row: Row) -> bool:
    """Return whether it is the original, run as it was; the same file in a faster way is a variant."""
    return bool(row["name"] == "original")


def verdict(document: Row) -> str:
    """Return what is recommended, or what would be feasible."""
    row = recommended(document)
    if row is None:
        tried = counted(len(document["variants"]), "variant")
        return f"None of {tried} keeps all limits. Best reachable: {_best(document)}."
    if document["feasible"] and is_original(row):
        return "The original: nothing that was tried is a real gain within the limits."
    told = f"“{row['name']}” is {factor(row)}, {smaller(row['size_ratio'])}"
    measure = measure_of(document)
    if document["test"] is None:
        return f"{told}; it was not measured on {measure.proof}."
    told += f"; on {measure.proof} it {_costs(document['test']['drop'], measure)}"
    if document["feasible"]:
        return f"{told}."
    allowed = allowance(document["limits"]["drop"], measure)
    return f"{told}; allowed is {allowed}. It was chosen on other pictures, where it kept the limit."


def _best(document: Row) -> str:
    return reachable(document["nearest"], measure_of(document))


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


def reachable(nearest: Mapping[str, float], measure: Measure = ACCURACY) -> str:
    """Return the best value of every limit that binds.

    >>> reachable({"drop": 0.024, "latency_ms": 1.2})
    'accuracy lost 2.4 points, median time 1.2 ms'
    """
    show = {
        "latency_ms": lambda value: f"median time {value:.3g} ms",
        "p99_ms": lambda value: f"99th percentile {value:.3g} ms",
        "size_bytes": lambda value: f"size {show_bytes(value)}",
        "memory_bytes": lambda value: f"memory {show_bytes(value)}",
        "drop": lambda value: f"{measure.lost} {allowance(value, measure)}",
    }
    return ", ".join(show[name](value) for name, value in nearest.items())


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


def change(drop: Row) -> str:
    """Return the points that are lost with their interval, for a table that says above what they are.

    >>> change({"value": 0.002, "low": -0.0021, "high": 0.0061})
    '+0.2 (-0.2 to +0.6)'
    """
    return f"{100 * drop['value']:+.1f} ({100 * drop['low']:+.1f} to {100 * drop['high']:+.1f})"


def times(ratio: float) -> str:
    """Return by which factor something is faster, from its time as a share of the other's.

    >>> times(0.25), times(2.0)
    ('4.00×', '0.50×')
    """
    return f"{1 / ratio:.2f}×"


def factor(row: Row) -> str:
    """Return how much faster a variant is than the original, with its interval, if that is more than noise.

    >>> row = {"name": "int8", "time_ratio": {"value": 0.25, "low": 0.2, "high": 0.5, "real": True}}
    >>> factor(row)
    '4.00× as fast (95% interval 2.00× to 5.00×)'
    >>> factor({"name": "int8", "time_ratio": {"value": 0.9, "low": 0.8, "high": 1.1, "real": False}})
    'not really faster or slower'
    """
    ratio = row["time_ratio"]
    if is_original(row):
        return "as fast as it was"
    if not ratio["real"]:
        return "not really faster or slower"
    return f"{times(ratio['value'])} as fast ({factors(ratio)})"


def factors(ratio: Row) -> str:
    """Return the interval of a factor of speed, from `time_ratio`."""
    if ratio["low"] is None or ratio["high"] is None:
        return "too few rounds for an interval"
    return f"95% interval {times(ratio['high'])} to {times(ratio['low'])}"


def smaller(ratio: float) -> str:
    """Return how a file compares in size.

    >>> smaller(0.25), smaller(1.0), smaller(1.5)
    ('4.0× smaller', 'of the same size', '1.5× larger')
    """
    if abs(ratio - 1) < 0.005:
        return "of the same size"
    return f"{1 / ratio:.1f}× smaller" if ratio < 1 else f"{ratio:.1f}× larger"


def judged(row: Row, measure: Measure = ACCURACY) -> str:
    """Return what is said of a variant; which limits it breaks comes first."""
    if row["outside"] and row["code"] != "recommended":
        names = _LIMITS | {"drop": measure.lost}
        return f"outside: {', '.join(names[name] for name in row['outside'])}"
    return _JUDGED[row["code"]]


def way(row: Row) -> str:
    """Return in which way a variant was timed.

    >>> way({"engine": "openvino", "computed": "int8+bf16", "threads": 1})
    'openvino int8+bf16, 1 thread'
    """
    return f"{row['engine']} {row['computed']}, {counted(row['threads'], 'thread')}"


def time_interval(latency: Row, quantile: str = "p50") -> str:
    """Return only the interval of the time of one picture, of its median or of the 99th percentile.

    >>> time_interval({"p50": 0.407, "p50_low": 0.4, "p50_high": 0.4132})
    '95% interval 0.4 to 0.413 ms'
    """
    low, high = latency[f"{quantile}_low"], latency[f"{quantile}_high"]
    if low is None or high is None:
        return "too few rounds for an interval"
    return f"95% interval {low:.3g} to {high:.3g} ms"


def milliseconds(latency: Row, quantile: str = "p50") -> str:
    """Return the time of one picture with its interval: the median or the 99th percentile.

    >>> milliseconds({"p50": 0.407, "p50_low": 0.4, "p50_high": 0.4132})
    '0.407 ms (95% interval 0.4 to 0.413 ms)'
    """
    return f"{latency[quantile]:.3g} ms ({time_interval(latency, quantile)})"


def span(value: float, low: float | None, high: float | None, unit: str = "") -> str:
    """Return a number with its interval, for a table that says above what it is.

    >>> span(0.40697, 0.4, 0.4132), span(1.5, None, 2.0)
    ('0.407 (0.4 to 0.413)', '1.5 (too few rounds)')
    >>> span(4.05, 3.78, 4.3, "×")
    '4.05× (3.78 to 4.3)'
    """
    known = "too few rounds" if low is None or high is None else f"{low:.3g} to {high:.3g}"
    return f"{value:.3g}{unit} ({known})"


def speed(row: Row) -> str:
    """Return the factor of speed with its interval, for a table; a difference within the noise is none."""
    return "1" if is_original(row) else faster(row["time_ratio"])


def faster(ratio: Row) -> str:
    """Return one factor of speed with its interval, for a table, from a `time_ratio`.

    >>> faster({"value": 0.25, "low": 0.2, "high": 0.5, "real": True})
    '4× (2 to 5)'
    """
    if not ratio["real"]:
        return "no real difference"
    low, high = ratio["low"], ratio["high"]
    return span(1 / ratio["value"], high and 1 / high, low and 1 / low, "×")


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
        said.append(f"Of pictures that belong together one counts: {drop['n']:,} of {found['images']:,}.")
    if (row["engine"], row["precision"]) != _REFERENCE:
        said.append(
            f"Accuracy is that of {row['engine']} {row['precision']}. In other engines up to "
            f"{limit(MOST_FLIPS)} of the pictures that were compared may be named otherwise."
        )
    return said


def _of_agreement(document: Row, _row: Row) -> list[str]:
    drop, allowed = document["test"]["drop"], document["limits"]["drop"]
    said = []
    if drop["value"] <= allowed < drop["high"]:
        said.append(
            f"That it changes no more than {limit(allowed)} of the answers was estimated, not proven: "
            f"the interval reaches to {percent(drop['high'])} (n={drop['n']:,}). More pictures narrow it."
        )
    if drop["value"] == 0:
        said.append(
            f"No change among {counted(drop['n'], 'picture')} is not “none”: up to "
            f"{percent(drop['high'])} is compatible with it."
        )
    return said


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
            "same file timed twice."
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
    if document["recommended"] is None:
        said.append(
            f"Not feasible means: not among {counted(len(rows), 'variant')} that were made. A longer --time "
            "trains longer and may reach further; that nothing can reach the limits is not shown."
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


def share(value: Row) -> str:
    """Return a share with its interval, for a table that says n and 95% above.

    >>> share({"value": 0.8904, "low": 0.88, "high": 0.9002})
    '89.0% (88.0 to 90.0)'
    """
    return f"{percent(value['value'])} ({100 * value['low']:.1f} to {100 * value['high']:.1f})"


def agreement(found: Row) -> str:
    """Return how often the recommended one answers as the original does, right or wrong, from `test`.

    >>> agreement({"images": 5000, "agreement": 0.9732})
    '97.3% (95% interval 96.8% to 97.7%, n=5,000)'
    """
    n = found["images"]
    return measured(clopper_pearson(round(found["agreement"] * n), n).as_json())
