"""The curve of a network that decides in time: accuracy against the step at which it is asked."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, PercentFormatter

from foveal.core.wording import counted
from foveal.report import words
from foveal.report.chart import Chart
from foveal.report.drawing import ACCENT, INK, LINE, MUTED, WARM, svg

_LINES = {
    "potential": (ACCENT, "-"),
    "first_spike": (WARM, "-"),
    "spike_count": (MUTED, (0, (4, 2))),
    "spikes_alone": (MUTED, (0, (1, 1))),
}


def over_time(document: Mapping[str, Any]) -> Chart:
    """Draw accuracy by readout and the share of decided images at every step, with 95 % intervals.

    Args:
        document: The `over_time` object of `foveal.train/1`.
    """
    steps = np.arange(1, document["steps"] + 1)
    accuracy, decided = document["accuracy"], [one["value"] for one in document["decided"]]

    def paint(axes: Axes) -> None:
        axes.bar(steps, decided, width=0.9, color=LINE, edgecolor="none", label="decided by a spike")
        for name, (color, style) in _LINES.items():
            value, low, high = (
                np.array([one[key] for one in accuracy[name]]) for key in ("value", "low", "high")
            )
            axes.fill_between(steps, low, high, color=color, alpha=0.25, linewidth=0)
            axes.plot(steps, value, color=color, linestyle=style, label=name.replace("_", " "))
        axes.axvline(document["enough"]["step"], color=INK, linewidth=0.8, linestyle=(0, (1, 2)))
        axes.set(xlabel="step at which it is asked", ylabel="share of right answers", ylim=(0, 1.02))
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=3, fontsize=7)

    return Chart(
        name="over_time",
        title="How right is it when?",
        says=f"Read by the potential, {words.percent(accuracy['potential'][0]['value'])} are right after the "
        f"first step and {words.percent(accuracy['potential'][-1]['value'])} after the last.",
        columns=(
            "step",
            *(f"{name}{part}" for name in _LINES for part in ("", "_low", "_high")),
            "decided",
            "spikes_per_image",
            "operations_per_image",
        ),
        rows=tuple(
            (
                int(step),
                *(accuracy[name][t][key] for name in _LINES for key in ("value", "low", "high")),
                decided[t],
                document["spikes_per_image"][t],
                document["operations_per_image"][t],
            )
            for t, step in enumerate(steps)
        ),
        svg=svg("over_time", paint),
    )


def sentences(document: Mapping[str, Any]) -> list[str]:
    """Return what the curve says, each sentence without its full stop."""
    accuracy, last, enough = document["accuracy"], document["steps"], document["enough"]
    step = enough["step"]
    return [
        f"by the potential, {words.measured(accuracy['potential'][-1])} right after all {last} steps, "
        f"and {words.measured(accuracy['potential'][step - 1])} after {step}: from there on it is never more "
        f"than {counted(round(100 * enough['within']), 'point')} below the end",
        f"by the first output spike, {words.measured(accuracy['first_spike'][-1])} right; "
        f"{words.measured(document['decided'][-1])} of the images get one, "
        + (
            f"in the mean at step {document['decision_step']['mean']:.1f}"
            if document["decision_step"]
            else "so the potential decides"
        ),
        f"by the number of spikes, {words.measured(accuracy['spike_count'][-1])} right; "
        f"{words.measured(document['ties']['spike_count'])} end in a tie, which the potential decides; "
        f"without its help {words.measured(accuracy['spikes_alone'][-1])} are right",
        f"{document['spikes_per_image'][-1]:,.0f} spikes per image inside the network, "
        f"{document['operations_per_image'][-1]:,.0f} synaptic operations; the same layers on plain numbers "
        f"need {document['multiply_adds']:,} multiply-adds. This counts operations; it is no measurement of "
        f"energy, and a CPU runs both alike",
    ]
