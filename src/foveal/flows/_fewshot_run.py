"""What a few-shot run keeps of its model, and how it is found again."""

import json
from pathlib import Path
from typing import Any

import safetensors
from safetensors.torch import load as read_tensors
from safetensors.torch import save as tensor_bytes
from torch import Tensor

from foveal import models
from foveal.core import files
from foveal.core.errors import DataError, NotFoundError
from foveal.data.preprocess import Preprocess
from foveal.flows._run_folder import METRICS
from foveal.models._head import head_of
from foveal.tasks.recognizer import STRUCTURE, WEIGHTS
from foveal.train.episodic import _method
from foveal.train.episodic._episodic import Episodic
from foveal.train.fit_plan import FitPlan
from foveal.train.plan import Plan, read_plan

MODEL, PLAN = "model", "plan.json"
TASK = "fewshot"


def save_model(run: Path, objective: Episodic, plan: Plan, classes: list[str]) -> None:
    """Write `model/`: weights under the network's own names, so that training can start from them.

    A head is there where the method has one: one row, which all classes of a task start from.

    Args:
        run: The run folder.
        objective: What was learned.
        plan: How.
        classes: That were learned from.
    """
    head, _ = head_of(models.architecture(plan.model).build(**plan.arguments))
    tensors = {}
    for name, tensor in objective.deployable().state_dict().items():
        part, _, rest = name.partition(".")
        tensors[rest if part == "backbone" else f"{head}.{rest}"] = tensor.contiguous()
    folder = run / MODEL
    files.make_folder(folder)
    files.write_bytes(folder / WEIGHTS, tensor_bytes(tensors))
    structure = {
        "schema": "foveal.model/1",
        "task": TASK,
        "method": plan.objective,
        "architecture": plan.model,
        "arguments": plan.arguments,
        "classes": classes,
        "preprocess": objective.preprocess.model_dump(),
    }
    files.write_json(folder / STRUCTURE, structure)


def read_model(run: Path) -> tuple[Episodic, Plan]:
    """Return what a finished few-shot run learned, in eval mode, and its plan.

    Raises:
        NotFoundError: It is no few-shot run, or not finished.
        DataError: A file of it is damaged.
    """
    plan = read_plan(run / PLAN)
    if plan is None or isinstance(plan, FitPlan) or "way" not in plan.settings:
        raise NotFoundError(
            f"{run} is no few-shot run", hint="RUN is a folder of foveal fewshot train", path=run
        )
    if not (run / METRICS).is_file():
        raise NotFoundError(
            f"{run} is not finished", hint=f"foveal fewshot train DATA --resume {run} finishes it", path=run
        )
    try:
        structure = json.loads((run / MODEL / STRUCTURE).read_text(encoding="utf-8"))
        tensors = read_tensors((run / MODEL / WEIGHTS).read_bytes())
        objective = _method.begin(plan, Preprocess(**structure["preprocess"]))
        objective.deployable().load_state_dict(_by_part(tensors, plan))
    except (OSError, ValueError, KeyError, RuntimeError, safetensors.SafetensorError) as error:
        raise DataError(
            f"{run / MODEL} holds no readable model: {error}",
            code="damaged",
            hint="train it again, or copy it again from where it was whole",
            path=run / MODEL,
        ) from error
    objective.eval()
    return objective, plan


def _by_part(tensors: dict[str, Tensor], plan: Plan) -> dict[str, Tensor]:
    head, _ = head_of(models.architecture(plan.model).build(**plan.arguments))
    return {
        f"head.{name.removeprefix(f'{head}.')}" if name.startswith(f"{head}.") else f"backbone.{name}": tensor
        for name, tensor in tensors.items()
    }


def about(plan: Plan, objective: Episodic) -> dict[str, Any]:
    """Return what every document says of the model."""
    return {
        "method": plan.objective,
        "name": _method.label(plan.objective, plan.settings),
        "first_order": objective.first_order,
        "model": plan.model,
        "parameters": sum(p.numel() for p in objective.deployable().parameters()),
        "size": objective.preprocess.size,
        "learned": {name: plan.settings[name] for name in sorted(plan.settings)},
    }
