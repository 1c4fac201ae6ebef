"""Checkpoints: safetensors and JSON, whole or not there, the last two kept.

A checkpoint is valid when its JSON exists and the hash in it fits the tensors; the JSON is written
last. A damaged newest generation therefore falls back to the one before.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors.torch import load as read_tensors
from safetensors.torch import save as tensor_bytes
from torch import Tensor

from foveal.core import files

_KEPT = 2


@dataclass(frozen=True)
class Checkpoint:
    """What was saved.

    Attributes:
        tensors: All tensors by name; the part before the first dot says what they belong to.
        about: The plain values saved with them; `step` is how many steps were done.
        passed_over: Names of newer checkpoints that were damaged and not used.
    """

    tensors: dict[str, Tensor]
    about: dict[str, Any]
    passed_over: tuple[str, ...] = ()

    def part(self, name: str) -> dict[str, Tensor]:
        """Return the tensors whose name starts with `name.`, without that prefix."""
        return {k.removeprefix(f"{name}."): t for k, t in self.tensors.items() if k.startswith(f"{name}.")}


def save(folder: Path, *, tensors: Mapping[str, Tensor], about: Mapping[str, Any], plan: str) -> None:
    """Write one checkpoint; of the others only the newest of the same plan stays.

    What has a later step was damaged, or belongs to a plan that was given up: it goes too.

    Args:
        folder: Made if missing.
        tensors: By name.
        about: Plain values; must have `step`, the number of steps done.
        plan: Digest of the plan it belongs to.

    Raises:
        WriteError: It cannot be written; older checkpoints are as they were.
    """
    files.make_folder(folder)
    data = tensor_bytes({name: tensor.contiguous() for name, tensor in tensors.items()})
    path = folder / f"step-{about['step']:09d}"
    files.write_bytes(path.with_suffix(".safetensors"), data)
    digest = hashlib.sha256(data).hexdigest()
    files.write_json(path.with_suffix(".json"), {**about, "sha256": digest, "plan": plan})
    kept = _kept(folder, path.with_suffix(".json"), plan)
    for old in folder.glob("step-*.json"):
        if old not in kept:
            files.remove(old)
    for tensors_file in folder.glob("step-*.safetensors"):
        if not tensors_file.with_suffix(".json").exists():
            files.remove(tensors_file)


def _kept(folder: Path, newest: Path, plan: str) -> list[Path]:
    """Return the newest checkpoint and those before it, of the same plan, that are worth keeping."""
    same = [p for p in sorted(folder.glob("step-*.json")) if p <= newest and _about(p).get("plan") == plan]
    return same[-_KEPT:]


def _about(path: Path) -> dict[str, Any]:
    try:
        about: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return about


def adopt(folder: Path, *, plan: str, by: str) -> None:
    """Let the checkpoints of one plan belong to another with the same steps; done twice, it does nothing.

    Args:
        folder: May be missing.
        plan: Digest of the plan they were saved under.
        by: Digest of the plan that goes on from them.

    Raises:
        WriteError: One cannot be written; what was not reached still belongs to the first plan.
    """
    for path in sorted(folder.glob("step-*.json")):
        about = _about(path)
        if about.get("plan") == plan:
            files.write_json(path, {**about, "plan": by})


def latest(folder: Path, *, plan: str) -> Checkpoint | None:
    """Return the newest checkpoint of this plan that is whole, or None.

    Args:
        folder: May be missing.
        plan: Digest of the plan; checkpoints of another plan are not looked at.
    """
    passed_over: list[str] = []
    for path in sorted(folder.glob("step-*.json"), reverse=True):
        about = _about(path)
        try:
            data = path.with_suffix(".safetensors").read_bytes()
        except OSError:
            passed_over.append(path.stem)
            continue
        if hashlib.sha256(data).hexdigest() != about.get("sha256"):
            passed_over.append(path.stem)
        elif about.get("plan") == plan:
            return Checkpoint(read_tensors(data), about, tuple(passed_over))
    return None
