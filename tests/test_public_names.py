"""What users may rely on: a new public name is a visible change of this list."""

import importlib
import pkgutil
import subprocess
import sys
from types import ModuleType

import pytest

import foveal

PUBLIC = {
    "foveal": {
        *("Predictor", "learn", "load", "resume", "__version__"),
        *(
            "bundle",
            "calibrate",
            "data",
            "evaluate",
            "export",
            "metrics",
            "models",
            "perturb",
            "tasks",
            "train",
        ),
    },
    "foveal.cli": {"main"},
    "foveal.data": {"Dataset", "open"},
    "foveal.export": {"Exported", "Origin", "bundle"},
    "foveal.evaluate": {"HeldOut", "Report", "report"},
    "foveal.models": {
        *(
            "Architecture",
            "Builder",
            "Card",
            "Course",
            "FollowsSize",
            "HasAuxiliary",
            "LearnsFromImages",
            "OverTime",
            "Settings",
            "architecture",
            "card",
            "is_known",
            "is_own",
            "names",
            "scene_names",
        ),
    },
    "foveal.optimize.channels": {"Group", "Place", "groups"},
    "foveal.train": {"Examples", "Fitted", "Plan", "Recipe", "fit", "plan_training"},
}


def packages() -> list[ModuleType]:
    found = [m.name for m in pkgutil.walk_packages(foveal.__path__, "foveal.") if m.ispkg]
    return [foveal, *(importlib.import_module(name) for name in found)]


def test_public_names_are_the_list() -> None:
    assert {p.__name__: set(p.__all__) for p in packages() if hasattr(p, "__all__")} == PUBLIC


@pytest.mark.parametrize("package", PUBLIC)
def test_every_public_name_exists(package: str) -> None:
    module = importlib.import_module(package)

    assert all(getattr(module, name) is not None for name in PUBLIC[package])


@pytest.mark.parametrize("package", PUBLIC)
def test_an_unknown_name_is_an_attribute_error(package: str) -> None:
    module = importlib.import_module(package)

    with pytest.raises(AttributeError, match="no attribute 'nothing_like_it'"):
        _ = module.nothing_like_it


@pytest.mark.parametrize("package", packages(), ids=lambda package: package.__name__)
def test_no_public_function_shares_its_name_with_a_file(package: ModuleType) -> None:
    """Importing `package/name.py` would replace the function `package.name` by the module."""
    files = {m.name for m in pkgutil.iter_modules(package.__path__)}
    functions = {
        n for n in getattr(package, "__all__", ()) if not isinstance(getattr(package, n), ModuleType)
    }

    assert functions.isdisjoint(files)


def test_importing_changes_nothing_in_the_process() -> None:
    code = """
import logging, os, signal, sys, warnings

def state():
    hooks = (warnings.showwarning, sys.excepthook, signal.getsignal(signal.SIGTERM), sys.stdout)
    return (*hooks, warnings.filters[:], logging.root.handlers[:], dict(os.environ))

before = state()
import foveal, foveal.cli, foveal.data
assert state() == before
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
