"""`foveal doctor`: what is installed, what works here, and how to mend what does not."""

import locale
import os
import platform
import re
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import foveal
from foveal.bundle import engines
from foveal.bundle.roofline import roofline
from foveal.bundle.trial import trial
from foveal.core import catalog, child, limits, machine
from foveal.core.extras import EXTRAS, missing
from foveal.core.parallel import in_order
from foveal.flows._machine import describe
from foveal.flows._problems import problems
from foveal.flows._where import Where

SCHEMA = "foveal.doctor/1"
_TRIALS = "foveal.flows._trials"
_NEEDED = ("numpy", "pillow", "onnxruntime", "pydantic", "platformdirs", "rich", "tomli-w", "typer")


def doctor(*, quick: bool = False, peaks: bool = False, where: Where | None = None) -> dict[str, Any]:
    """Return the `foveal.doctor/1` document; what is missing or broken here is a problem in it, no error.

    Args:
        quick: Import neither torch nor matplotlib, which takes seconds: their versions are told, and
            `tried` is false.
        peaks: Also measure what this machine can do at most, in about four seconds.
        where: Also tell what machines this backend has.

    Raises:
        FovealError: Of the backend: it is not there, or its machines have other versions.
    """
    nodes = None if where is None else _nodes(where)
    tasks: list[Callable[[], dict[str, Any]]] = [
        *(partial(_engine, name) for name in catalog.names(engines)),
        partial(_torch, quick=quick),
        partial(_figures, quick=quick),
    ]
    *tried, torch, figures = in_order(_call, tasks, workers=len(tasks), name="foveal-doctor")
    found: dict[str, Any] = {
        "python": _python(),
        "foveal": {
            "version": foveal.__version__,
            "path": str(Path(foveal.__file__).parent),
            "needs": machine.versions(*_NEEDED),
        },
        "cpu": describe().as_json(),
        "memory": limits.memory().as_json(),
        "disk": _disk(),
        "engines": tried,
        "torch": torch,
        "figures": figures,
        "extras": {name: _extra(name) for name in EXTRAS},
        "text": _text(),
        "roofline": roofline().as_json() if peaks else None,
        "backend": nodes,
    }
    said = [asdict(problem) for problem in problems(found)]
    return {"schema": SCHEMA, "ok": True, **found, "problems": said}


def _nodes(where: Where) -> dict[str, Any]:
    with where.opened() as (backend, workers):
        return {"name": backend.name, "workers": workers, "nodes": [asdict(n) for n in backend.describe()]}


def _call(task: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    return task()


def _engine(name: str) -> dict[str, Any]:
    return trial(name).as_json()


def _python() -> dict[str, Any]:
    return {
        "version": platform.python_version(),
        "implementation": platform.python_implementation(),
        "executable": sys.executable,
        "platform": platform.platform(),
        "virtual_environment": sys.prefix != sys.base_prefix,
    }


def _torch(*, quick: bool) -> dict[str, Any]:
    """Return what the torch build is; details only where it was imported (`tried`)."""
    [version] = machine.versions("torch").values()
    spec = find_spec("torch")
    found: dict[str, Any] = {
        "installed": version is not None and spec is not None,
        "version": version,
        "torchvision": machine.versions("torchvision")["torchvision"],
        "build": None,
        "tried": False,
        "works": None,
        "error": None,
    }
    if not found["installed"]:
        return found
    found["build"] = _build(Path(spec.origin).parent / "version.py" if spec and spec.origin else None)
    return found if quick else {**found, **_tried("torch")}


def _build(file: Path | None) -> str | None:
    """Return `cuda` or `cpu` from torch's own version file, without importing it; None: not said."""
    try:
        text = "" if file is None else file.read_text(encoding="utf-8")
    except OSError:
        return None
    match = re.search(r"^cuda\b[^=]*=\s*(.+)$", text, flags=re.MULTILINE)
    if match is None:
        return None
    return "cpu" if match[1].strip() == "None" else "cuda"


def _figures(*, quick: bool) -> dict[str, Any]:
    [version] = machine.versions("matplotlib").values()
    found: dict[str, Any] = {
        "installed": version is not None,
        "matplotlib": version,
        "tried": False,
        "works": None,
        "error": None,
    }
    return found if quick or version is None else {**found, **_tried("figures")}


def _tried(what: str) -> dict[str, Any]:
    told = child.ask(_TRIALS, what)
    if told.answer is None:
        return {"tried": True, "works": False, "error": told.error}
    return {"tried": True, "works": True, **told.answer}


def _extra(name: str) -> dict[str, Any]:
    lacking = missing(name)
    return {"installed": not lacking, "missing": lacking, "install": f'pip install "foveal[{name}]"'}


def _disk() -> dict[str, Any]:
    """Return the room in the working folder and in the folder of temporary files."""
    here, temporary = Path.cwd(), Path(tempfile.gettempdir())
    try:
        with tempfile.NamedTemporaryFile(dir=temporary) as file:
            file.write(b"foveal")
        written = True
    except OSError:
        written = False
    return {
        "working_folder": str(here),
        "writable": os.access(here, os.W_OK),
        "free_bytes": _free(here),
        "temporary_folder": str(temporary),
        "temporary_writable": written,
        "temporary_free_bytes": _free(temporary),
    }


def _free(folder: Path) -> int | None:
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return None


def _text() -> dict[str, Any]:
    return {
        "stdout": None if sys.stdout is None else sys.stdout.encoding,
        "locale": locale.getlocale()[0],
        "preferred": locale.getpreferredencoding(do_setlocale=False),
        "file_names": sys.getfilesystemencoding(),
    }
