"""Probe features while they are learned, at steps that the plan decides, and keep what was found."""

import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import nn

from foveal.core import files
from foveal.core.progress import Progress
from foveal.flows._pretrain_data import Gathered
from foveal.report import words
from foveal.train.plan import Plan
from foveal.train.probes import Probe, Prober

PROBES = "probes.jsonl"  # of a run folder


@dataclass
class Probing:
    """What is asked about a network at step 0, which is untrained, and so many times until the last.

    Attributes:
        path: The file with a row for each probe.
        plan: Of the training.
        network: Whose features they are.
        prober: Asks.
        probes: How often, after step 0.
        progress: Told what was found.
        most_seconds: That all of them may take together, by what the first one took; None: however many.
        rows: What was found, by step.
    """

    path: Path
    plan: Plan
    network: nn.Module
    prober: Prober
    probes: int
    progress: Progress
    most_seconds: float | None = None
    rows: dict[int, dict[str, Any]] = field(default_factory=dict)

    @classmethod
    def of(
        cls, run: Path, plan: Plan, network: nn.Module, gathered: Gathered, *, probes: int, progress: Progress
    ) -> "Probing":
        """Return the probes of a run; what was found before it was stopped is not asked again."""
        probing = cls(run / PROBES, plan, network, gathered.prober, probes, progress)
        if probing.path.is_file():
            found = [json.loads(line) for line in probing.path.read_text(encoding="utf-8").splitlines()]
            probing.rows = {row["step"]: row for row in found}
        return probing

    def at(self, step: int) -> None:
        """Probe, if it is time to and was not done before."""
        if step in self.rows or (step and step not in self._marks()):
            return
        begun = time.monotonic()
        probe = self.prober.of(self.network)
        seen = step * self.plan.batch_size
        self.rows[step] = {
            "step": step,
            "seen": seen,
            "epoch": round(seen / self.plan.images, 4),
            "seconds": round(time.monotonic() - begun, 3),
            **probe.as_json(),
        }
        lines = [json.dumps(self.rows[number]) + "\n" for number in sorted(self.rows)]
        files.write_text(self.path, "".join(lines))
        self.progress("probe", step, self.plan.steps, said(probe))

    def _marks(self) -> set[int]:
        """Return at which steps it is time: how many follows from what the first probe took, once for all."""
        count = min(self.probes, self.plan.steps)
        if self.most_seconds is not None:
            count = max(1, min(count, int(self.most_seconds / max(1e-3, self.rows[0]["seconds"]))))
        return {round(self.plan.steps * number / count) for number in range(1, count + 1)}


def said(probe: Probe) -> str:
    """Return a probe in a few words."""
    named = [
        f"{name} {words.percent(share.value)}"
        for name, share in (("kNN", probe.knn), ("linear", probe.linear))
        if share is not None
    ]
    warning = ["collapsed"] if probe.collapsed else []
    return ", ".join([*named, f"rank {probe.rank:.1f}", f"spread {probe.spread:.2f}", *warning])
