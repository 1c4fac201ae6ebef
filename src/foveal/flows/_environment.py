"""What the last digits of the weights depend on besides plan and data."""

import platform
from pathlib import Path
from typing import Any

import foveal
from foveal.core import files, machine
from foveal.core.errors import UsageError
from foveal.train.episodic._recipe import FewshotRecipe
from foveal.train.pretext_recipe import PretextRecipe
from foveal.train.recipe import Recipe

ENVIRONMENT = "env.json"
_DECIDING = ("foveal", "cpu", "threads", "ranks", "torch", "numpy", "pillow", "onnxruntime")


def environment(recipe: Recipe | PretextRecipe | FewshotRecipe, *, ranks: int = 1) -> dict[str, Any]:
    """Return versions, processor, threads, ranks; `bit_exact` as long as a run stays in one environment."""
    return {
        "foveal": foveal.__version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpu": machine.cpu_name(),
        "threads": recipe.threads or machine.usable_cpus(),
        "ranks": ranks,
        **machine.versions("torch", "numpy", "pillow", "onnx", "onnxruntime"),
        "bit_exact": True,
    }


def write_environment(run: Path, now: dict[str, Any]) -> None:
    """Write `env.json`."""
    files.write_json(run / ENVIRONMENT, now)


def compare_environment(run: Path, now: dict[str, Any], *, force: bool) -> dict[str, Any] | None:
    """Refuse to go on with a run where its weights would end in other digits.

    Returns:
        None, or with `force` what `env.json` has to say once the run goes on: that it is not bit-exact.

    Raises:
        UsageError: `other_environment`: this is another machine, number of threads or ranks, or version.
    """
    path = run / ENVIRONMENT
    before = {"ranks": 1} | (_read(run) if path.is_file() else {})
    different = [name for name in _DECIDING if before.get(name) != now[name]]
    if not different:
        return None
    if not force:
        name = different[0]
        raise UsageError(
            f"the run was started with {name} {before.get(name)!r}, here it is {now[name]!r}: "
            "the weights would not be bit-identical",
            code="other_environment",
            hint="resume where it was started, or accept that with --force",
            path=run,
        )
    return {**now, "bit_exact": False, "started_with": before}


def bit_exact(run: Path) -> bool:
    """Return whether the whole run took place in one environment."""
    return bool(_read(run)["bit_exact"])


def ranks_of(run: Path) -> int:
    """Return how many processes trained together last."""
    return int(_read(run).get("ranks", 1))


def _read(run: Path) -> dict[str, Any]:
    return files.read_json(
        run / ENVIRONMENT, lambda found: {**found}, hint="delete it, and go on with --force"
    )
