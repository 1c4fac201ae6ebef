"""Parts that are installed only when somebody wants them: `pip install "foveal[train]"`."""

import os
import sys
from importlib.util import find_spec
from typing import Any

from foveal.core.errors import MissingExtraError

# One package per extra that nothing else brings along.
_WITNESS = {
    "train": ("torch", "onnxscript", "safetensors", "jinja2", "matplotlib", "sklearn", "timm"),
    "openvino": ("openvino",),
    "ray": ("ray",),
    "video": ("av",),
    "bands": ("tifffile",),
    "parquet": ("pyarrow",),
    "mqtt": ("paho",),
    "search": ("usearch",),
    "transformers": ("transformers",),
}
_REPORTER = "openvino_telemetry"  # what openvino tells its maker with, over the network


EXTRAS = tuple(_WITNESS)


def missing(extra: str) -> list[str]:
    """Return which packages of an extra are not installed, by their import names; nothing is imported."""
    return [name for name in _WITNESS[extra] if not _is_there(name)]


def need(extra: str, *, what: str = "this command") -> None:
    """Check that an extra is installed; nothing is imported.

    Raises:
        MissingExtraError: It is not; the message says how to install it.
    """
    if missing(extra):
        raise MissingExtraError(what, extra)


def openvino(*, what: str = "the engine openvino") -> Any:
    """Import OpenVINO without its telemetry, and return the module.

    Importing it as it comes sends an event to its maker, and notes an identity in the home folder
    (openvino/tools/ovc/__init__.py of 2026.4). It does without where `openvino_telemetry` cannot be
    imported, so that is what it finds: in this process, from now on, unless somebody imported it before.

    Raises:
        MissingExtraError: OpenVINO is not installed.
    """
    if not _is_there("openvino"):
        raise MissingExtraError(what, "openvino")
    without_telemetry()
    import openvino

    return openvino


def onnxruntime() -> Any:
    """Import ONNX Runtime without its telemetry, and return the module.

    Importing 1.32 as it comes notes an identity below `~/.cache/Microsoft`, and its library knows where to
    report to. The variable is read at that moment; its `disable_telemetry_events` alone comes too late.
    """
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime

    return onnxruntime


def without_telemetry() -> None:
    """Keep `openvino_telemetry` from being imported in this process; called before openvino is."""
    sys.modules.setdefault(_REPORTER, None)  # type: ignore[arg-type]  # what the import system takes for "absent"


def _is_there(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:  # where somebody blocks it
        return False
