"""`foveal inspect evaluate`: what an inspection finds and decides on parts that it has not seen."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from foveal.cli._frame import Group, Json, Quiet, Seed, Threads, Verbose, emit
from foveal.cli._progress import progress
from foveal.cli.inspect._options import (
    CostFalseCall,
    CostMiss,
    CostReview,
    DefectRate,
    HumanFalseCall,
    HumanMiss,
    HumanParts,
    costs_of,
    question_of,
)
from foveal.core.text import visible
from foveal.report import words

Model = Annotated[Path, typer.Argument(readable=False, help="A .foveal bundle, or a run folder.")]
Data = Annotated[Path, typer.Argument(readable=False, help="Parts whose truth is known.")]
Split = Annotated[str | None, typer.Option("--split", help="Part of the data; default test, or all of it.")]


def evaluate(
    model: Model,
    data: Data,
    split: Split = None,
    cost_miss: CostMiss = None,
    cost_false_call: CostFalseCall = None,
    cost_review: CostReview = None,
    defect_rate: DefectRate = None,
    human_miss: HumanMiss = None,
    human_false_call: HumanFalseCall = None,
    human_parts: HumanParts = None,
    group: Group = None,
    seed: Seed = 0,
    threads: Threads = None,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Measure an inspection: how well it finds defects, and what it accepts, rejects and sends to review."""
    from foveal.flows.inspect_evaluate import inspect_evaluate

    costs = costs_of(cost_miss, cost_false_call, cost_review)
    people = (human_miss, human_false_call, human_parts)
    with progress(quiet=quiet) as report:
        found = inspect_evaluate(
            model,
            data,
            split=split,
            seed=seed,
            question=question_of(costs, defect_rate, people, group),
            threads=threads,
            progress=report,
        )
    emit(found.document, as_json=as_json, human=lambda console: show(console, found.document))


def show(console: Console, document: dict[str, Any]) -> None:
    """Print what was measured of an inspection."""

    def line(title: str, text: str) -> None:
        console.print(f"{title:<12}{visible(text)}", markup=False)  # names are the user's

    line("parts", f"{document['parts']} ({document['split']}), {document['defective']} of them defective")
    for name, title in _NUMBERS.items():
        measured = document["metrics"].get(name)
        if isinstance(measured, dict):
            line(title, words.measured(measured))
    for kind in document["metrics"].get("kinds", []):
        if kind["defect_accuracy"] is not None:
            named = "" if kind["class_accuracy"] is None else f", named {_percent(kind['class_accuracy'])}"
            found = f"{kind['defects']} defects, {_percent(kind['defect_accuracy'])} found"
            line("", f"{kind['name']}: {found}{named}")
    for verdict, share in document["decisions"].items():
        line(verdict, words.measured(share))
    came = document["outcome"]
    for name, title in (("miss", "missed"), ("false_call", "false calls")):
        if came[name] is not None:
            line(title, words.measured(came[name]))
    if came["cost"] is not None:
        cost = came["cost"]
        line("cost", f"{cost['value']:.3g} a part ({cost['low']:.3g} to {cost['high']:.3g})")
    for name, beside in document["people"].items():
        if beside is not None:
            line("people", f"{name.replace('_', ' ')}: {beside['verdict']} (p {beside['p_value']:.2g})")
    for reason, fault in document["faults"].items():
        line("review", f"{reason}: {fault['count']}, such as {fault['examples'][0]}")
    if document["rule"] is None:
        line("rule", "none: every part is reviewed; foveal inspect train seals one")


def _percent(measured: dict[str, Any]) -> str:
    return f"{measured['value']:.1%}"


_NUMBERS = {
    "map33": "mAP33",
    "pooled33": "AP33 pooled",
    "f1": "F1",
    "defect_accuracy": "found",
    "class_accuracy": "named",
    "accuracy": "accuracy",
    "image_auroc": "AUROC",
    "false_call_at_99_recall": "calls at 99",
    "miou": "mIoU",
    "defect_iou": "defect IoU",
}
