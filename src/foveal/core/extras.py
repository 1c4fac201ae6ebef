"""Parts that are installed only when somebody wants them: `pip install "foveal[train]"`."""

from importlib.util import find_spec

from foveal.core.errors import MissingExtraError

# One package per extra that nothing else brings along.
_WITNESS = {"train": ("torch", "onnxscript", "safetensors", "jinja2", "matplotlib", "sklearn")}


EXTRAS = tuple(_WITNESS)


def missing(extra: str) -> list[str]:
    """Return which packages of an extra are not installed, by their import names; nothing is imported."""
    return [name for name in _WITNESS[extra] if find_spec(name) is None]


def need(extra: str, *, what: str = "this command") -> None:
    """Check that an extra is installed; nothing is imported.

    Raises:
        MissingExtraError: It is not; the message says how to install it.
    """
    if missing(extra):
        raise MissingExtraError(what, extra)
