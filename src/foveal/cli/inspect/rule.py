"""`foveal inspect rule`: prove thresholds for a bundle that is there, and seal it with them."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from foveal.cli._frame import Force, Group, Json, Quiet, Threads, Verbose, emit
from foveal.cli._progress import progress
from foveal.cli.inspect._options import (
    Choose,
    Confidence,
    CostFalseCall,
    CostMiss,
    CostReview,
    DefectRate,
    Good,
    MaxFalseCall,
    MaxMiss,
    costs_of,
    good_of,
    show_rule,
)
from foveal.core.text import visible

Model = Annotated[Path, typer.Argument(readable=False, help="A .foveal bundle, or a run folder.")]
Data = Annotated[Path, typer.Argument(readable=False, help="What it was trained on.")]
Out = Annotated[Path, typer.Option("--out", help="The bundle to write; its name ends in .foveal.")]


def rule(
    model: Model,
    data: Data,
    out: Out,
    good: Good = None,
    max_miss: MaxMiss = 0.01,
    max_false_call: MaxFalseCall = 0.05,
    confidence: Confidence = 0.95,
    choose: Choose = False,
    cost_miss: CostMiss = None,
    cost_false_call: CostFalseCall = None,
    cost_review: CostReview = None,
    defect_rate: DefectRate = None,
    group: Group = None,
    threads: Threads = None,
    force: Force = False,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Prove thresholds by a bundle's own answers, such as one of foveal optimize, and seal it with them."""
    from foveal.calibrate.inspection.fit import Demands
    from foveal.flows.inspect_rule import inspect_rule

    costs = costs_of(cost_miss, cost_false_call, cost_review)
    demands = Demands(max_miss, max_false_call, 1 - confidence, costs, defect_rate, choose)
    with progress(quiet=quiet) as report:
        document = inspect_rule(
            model,
            data,
            out,
            demands,
            good=good_of(good),
            group=group,
            threads=threads,
            force=force,
            progress=report,
        )
    emit(document, as_json=as_json, human=lambda console: _show(console, document))


def _show(console: Console, document: dict[str, Any]) -> None:
    show_rule(console, document)
    console.print(visible(f"{'bundle':<12}{document['bundle']}"), markup=False)
