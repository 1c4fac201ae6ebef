"""Parts that are installed only when somebody wants them: `pip install "foveal[train]"`."""

from importlib.util import find_spec

from foveal.core.errors import MissingExtraError

# One package per extra that nothing else brings along.
_WITNESS = {"train": ("torch", "onnxscript", "safetensors", "jinja2", "matplotlib", "sklearn")}


def need(extra: str, *, what: str = "this command") -> None:
    """Check that an extra is installed; nothing is imported.

    Raises:
        MissingExtraError: It is not; the message says how to install it.
    """
    if not installed(extra):
        raise MissingExtraError(what, extra)


def installed(extra: str) -> bool:
    """Return whether an extra is installed; nothing is imported."""
    return all(find_spec(name) is not None for name in _WITNESS[extra])
