"""Drawing of what a bench measured: one dot with its interval for each way to run a bundle."""

from matplotlib.axes import Axes

from foveal.report.chart import Chart
from foveal.report.drawing import ACCENT, MUTED, WARM, svg
from foveal.report.speed_words import Document, called

_ROW_INCHES = 0.24
_TABLE = ("engine", "precision", "threads", "batch", "p50_ms", "p99_ms", "images_per_second", "rss_bytes")


def speed(document: Document) -> Chart:
    """Draw the median time a picture of every candidate, the fastest on top; the chosen ones are warm.

    Args:
        document: `foveal.bench/1`.
    """
    rows = sorted(document["engines"], key=lambda row: float(row["p50_ms"] / row["batch"]))
    chosen = {_key(choice) for choice in document["choices"]}
    names = [
        f"{row['engine']} {row['precision']}, {row['threads']} thr., batch {row['batch']}" for row in rows
    ]

    def paint(axes: Axes) -> None:
        for place, row in enumerate(rows):
            found = row["intervals"]["p50_ms"]
            ends = [found["value"] if found[end] is None else found[end] for end in ("low", "high")]
            colour = WARM if _key(row) in chosen else ACCENT if row["eligible"] else MUTED
            axes.hlines(place, *(end / row["batch"] for end in ends), color=colour, alpha=0.4, lw=4)
            axes.plot(row["p50_ms"] / row["batch"], place, "o", color=colour, markersize=4)
        axes.set_yticks(range(len(names)), names)
        axes.set(ylim=(len(names) - 0.2, -0.8), xlabel="milliseconds a picture (95% interval)")
        axes.set_xlim(left=0)

    return Chart(
        name="speed",
        title=f"Time a picture on this machine; orange: to take (n={document['noise']['rounds']} rounds)",
        says="; ".join(
            f"{called(row)}, batch {row['batch']}: {row['p50_ms'] / row['batch']:.3g} ms" for row in rows
        ),
        columns=_TABLE,
        rows=tuple(tuple(row[name] for name in _TABLE) for row in rows),
        svg=svg("speed", paint, width=5.2, height=0.9 + _ROW_INCHES * len(rows)),
    )


def _key(row: Document) -> tuple[object, ...]:
    return tuple(row[name] for name in ("engine", "precision", "threads", "batch"))
