"""What a run folder keeps of a transfer: the weights it started from, the fitted head, and what that took."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors
from safetensors.torch import load as read_tensors
from safetensors.torch import save as tensor_bytes
from torch import Tensor

from foveal.core import files
from foveal.core.errors import DataError
from foveal.models.pretrained._weights import Weights

FOLDER = "pretrained"
_WEIGHTS, _ABOUT = "weights.safetensors", "about.json"
_START, _SECONDS = "start.safetensors", "seconds.json"
_HASH = "kept_sha256"
_ANEW = "train anew: the run lost the weights that it started from"


def keep(run: Path, weights: Weights) -> None:
    """Write the weights into a run folder, so that it goes on without the package or the file."""
    files.make_folder(run / FOLDER)
    about = {key: value for key, value in vars(weights).items() if key != "tensors"}
    about[_HASH] = _write(run / FOLDER / _WEIGHTS, weights.tensors)
    files.write_json(run / FOLDER / _ABOUT, about)


def kept(run: Path) -> Weights:
    """Return what `keep` wrote.

    Raises:
        DataError: It is damaged, another one, or gone.
    """

    def weights(about: dict[str, Any]) -> Weights:
        pairs = {key: tuple(about[key]) if about[key] is not None else None for key in ("mean", "std")}
        tensors, _ = _read(run / FOLDER / _WEIGHTS, about.pop(_HASH, None))
        return Weights(tensors, **{**about, **pairs})

    return files.read_json(run / FOLDER / _ABOUT, weights, hint=_ANEW)


def has_start(run: Path) -> bool:
    """Return whether `keep_start` has written anything."""
    return (run / FOLDER / _START).is_file()


def keep_start(run: Path, tensors: Mapping[str, Tensor]) -> None:
    """Write the weights with their fitted head, which unfreezing starts from."""
    _write(run / FOLDER / _START, tensors)


def kept_start(run: Path) -> tuple[dict[str, Tensor], str]:
    """Return what `keep_start` wrote, and the sha256 of the file.

    Raises:
        DataError: It is damaged or gone.
    """
    return _read(run / FOLDER / _START, None)


def keep_seconds(run: Path, seconds: float) -> None:
    """Write down what features and head take where nothing was computed before."""
    files.make_folder(run / FOLDER)
    files.write_json(run / FOLDER / _SECONDS, {"head_seconds": seconds})


def head_seconds(run: Path) -> float:
    """Return what `keep_seconds` wrote, or 0 where nothing is.

    Raises:
        DataError: It is damaged.
    """
    path = run / FOLDER / _SECONDS
    if not path.is_file():
        return 0.0
    return files.read_json(path, lambda told: float(told["head_seconds"]), hint="remove the file")


def _write(path: Path, tensors: Mapping[str, Tensor]) -> str:
    content = tensor_bytes({name: tensor.contiguous() for name, tensor in tensors.items()})
    files.write_bytes(path, content)
    return hashlib.sha256(content).hexdigest()


def _read(path: Path, sha256: str | None) -> tuple[dict[str, Tensor], str]:
    """Return the tensors of a file, and its sha256, which has to be the given one unless that is None."""
    try:
        content = path.read_bytes()
        found = hashlib.sha256(content).hexdigest()
        if sha256 not in (None, found):
            raise DataError(f"{path} is not the file that was written", code="damaged", hint=_ANEW, path=path)
        return read_tensors(content), found
    except (OSError, ValueError, safetensors.SafetensorError) as error:
        raise DataError(f"{path} is damaged: {error}", code="damaged", hint=_ANEW, path=path) from error
