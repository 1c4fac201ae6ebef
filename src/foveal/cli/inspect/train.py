"""`foveal inspect train`: from parts to a bundle that accepts, rejects or sends to review."""

from typing import Annotated, Any

import typer
from rich.console import Console

from foveal.cli._frame import Force, Group, Json, Out, Quiet, Strict, Threads, Verbose, emit
from foveal.cli._progress import progress
from foveal.cli._recipe import Data, Epochs, Images, RecipeFile, Seed, Size, Time, Transfer, recipe_of
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
from foveal.cli.inspect.evaluate import show as show_evaluation
from foveal.core.extras import need
from foveal.core.text import visible

Mode = Annotated[
    str | None,
    typer.Option("--mode", help="pairs, surface, good or classes; default: as the data suggest."),
]
Model = Annotated[
    str | None, typer.Option("--model", help="Default candidates of pairs, surface of masks, memory of good.")
]
Objective = Annotated[
    str | None, typer.Option("--objective", help="Of surface: synthetic makes defects up on good parts.")
]


def train(
    data: Data,
    mode: Mode = None,
    good: Good = None,
    model: Model = None,
    recipe: RecipeFile = None,
    objective: Objective = None,
    size: Size = None,
    images: Images = None,
    epochs: Epochs = None,
    time: Time = None,
    transfer: Transfer = None,
    max_miss: MaxMiss = 0.01,
    max_false_call: MaxFalseCall = 0.05,
    confidence: Confidence = 0.95,
    choose: Choose = False,
    cost_miss: CostMiss = None,
    cost_false_call: CostFalseCall = None,
    cost_review: CostReview = None,
    defect_rate: DefectRate = None,
    group: Group = None,
    seed: Seed = None,
    threads: Threads = None,
    out: Out = None,
    force: Force = False,
    strict: Strict = False,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Train on pairs, masks, good parts or classes, prove thresholds on held-out parts, seal and measure."""
    need("train")
    from foveal.calibrate.inspection.fit import Demands
    from foveal.flows import inspect_train as flow
    from foveal.flows.inspect_evaluate import Question

    costs = costs_of(cost_miss, cost_false_call, cost_review)
    demands = Demands(max_miss, max_false_call, 1 - confidence, costs, defect_rate, choose)
    question = Question(costs, defect_rate, group=group)
    wanted = flow.Wanted(flow.mode_named(mode), good_of(good), demands, question)
    wishes = {"model": model, "objective": objective, "size": size, "images": images, "epochs": epochs}
    wishes |= {"transfer": transfer, "group": group, "seed": seed, "threads": threads}
    chosen = recipe_of(recipe, wishes, time=time)
    with progress(quiet=quiet) as report:
        document = flow.inspect_train(
            data, wanted, chosen, out=out, strict=strict, force=force, progress=report
        )
    exit_code = 0 if document["ok"] else 10
    emit(document, as_json=as_json, human=lambda to: _show(to, document), exit_code=exit_code)


def _show(console: Console, document: dict[str, Any]) -> None:
    def line(title: str, text: object) -> None:
        console.print(f"{title:<12}{visible(str(text))}", markup=False)  # names are the user's

    line("mode", document["mode"])
    line("run", document["run"])
    if document["bundle"] is None:
        line("gate", "failed: file and network do not answer alike; no bundle was written")
        return
    show_rule(console, document)
    show_evaluation(console, document["evaluation"])
    line("bundle", document["bundle"])
    line("next", f"foveal inspect run {document['bundle']} SOURCE --log FOLDER")
