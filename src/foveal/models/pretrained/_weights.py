"""Weights to start from: out of an installed package, a file, or a folder; nothing of them is executed."""

import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib import import_module, metadata
from pathlib import Path
from typing import Any

import safetensors
import torch
from safetensors.torch import load as read_safetensors
from torch import Tensor

from foveal.core import catalog
from foveal.core.errors import DataError, MissingExtraError, NotFoundError, UsageError
from foveal.models import pretrained
from foveal.models.pretrained import IMAGENET_MEAN, IMAGENET_STD, Package

_SAFE, _TORCH = (".safetensors",), (".pth", ".pt", ".bin", ".tar")
# Of a run folder; of a folder as timm and Hugging Face write it.
_RUN, _HUB = ("model/weights.safetensors", "model/structure.json"), ("model.safetensors", "pytorch_model.bin")
_DECIDED_ANEW = ("channels", "classes", "size")
_INNER = ("state_dict_ema", "model_ema", "state_dict", "model")  # under which training scripts save weights
_ADDED = ("module.", "_orig_mod.")  # what wrappers put before every name


@dataclass(frozen=True)
class Weights:
    """Weights of a network, by the names that its architecture has, and what its pictures were like.

    Attributes:
        tensors: By name.
        sha256: Of the file that they were read from.
        source: What they are, for people.
        mean, std: What its pictures were normalized with, on the 0..1 scale; None: nobody said.
        size: Side of the pictures that it was trained on, in pixels; None: nobody said.
        license: As far as it is known.
        assumed: Whether `mean`, `std` and `size` are those of the published weights: nobody said any.
        channels: Of the pictures that its network takes; None: nobody looked.
        arguments: What its network was built with besides channels, classes and size; only a run says it.
        headless: Whether they are of a run that learned features and names nothing, as `pretrain` and
            `fewshot train` do.
    """

    tensors: dict[str, Tensor] = field(repr=False)
    sha256: str
    source: str
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    size: int | None = None
    license: str | None = None
    assumed: bool = False
    channels: int | None = None
    arguments: Mapping[str, Any] = field(default_factory=dict)
    headless: bool = False


def package_of(model: str) -> Package | None:
    """Return the package with the weights of an architecture, or None where there is none."""
    for family in catalog.names(pretrained):
        if model.startswith(family):
            packages: dict[str, Package] = import_module(f"{pretrained.__name__}.{family}").PACKAGES
            if model in packages:
                return packages[model]
    return None


def packaged(model: str) -> Weights:
    """Return the weights of an architecture out of the package that holds them.

    Raises:
        UsageError: `no_weights`: no package has any.
        MissingExtraError: The package is not installed; the message says how to install it.
        DataError: `other_weights`: the file is not the one that is known.
    """
    package = package_of(model)
    if package is None:
        raise UsageError(
            f"no package holds weights of {catalog.spoken(model)}",
            code="no_weights",
            hint=f"give a file with --weights, or take one of {', '.join(_having_weights())}",
        )
    try:
        found = metadata.distribution(package.name)
        content = Path(str(found.locate_file(package.file))).read_bytes()
    except (metadata.PackageNotFoundError, OSError) as error:
        what = f"transfer learning with {catalog.spoken(model)}"
        raise MissingExtraError(what, package.name, install=package.install) from error
    digest = hashlib.sha256(content).hexdigest()
    if digest != package.sha256:
        raise DataError(
            f"{package.name} {found.version} holds another file than the one that was tested "
            f"(sha256 {digest[:12]}…, not {package.sha256[:12]}…)",
            code="other_weights",
            hint=f"{package.install} --force-reinstall, or give a file of yours with --weights",
        )
    family = next(f for f in catalog.names(pretrained) if model.startswith(f))
    named = catalog.find(pretrained, family)(_torch_tensors(content, package.name))
    source = f"{package.name} {found.version}, trained on ImageNet"
    return Weights(named, digest, source, package.mean, package.std, package.size, package.license)


def _having_weights() -> list[str]:
    modules = [import_module(f"{pretrained.__name__}.{family}") for family in catalog.names(pretrained)]
    return [catalog.spoken(model) for module in modules for model in module.PACKAGES]


def read_weights(path: Path, *, model: str) -> Weights:
    """Return weights that somebody has, with what is known about the pictures that they were trained on.

    Args:
        path: A file of safetensors; one of torch that holds a state dict, maybe inside a training script's
            checkpoint; a folder as timm or Hugging Face write it; a run folder.
        model: The architecture that they are for: where the file says nothing of the pictures, what its
            published weights take is assumed.

    Raises:
        NotFoundError: Nothing is there.
        DataError: `bad_weights`: no weights can be read, or only by executing what is in the file.
    """
    if not path.exists():
        raise NotFoundError(f"no weights at {path}", path=path)
    file = path
    said: dict[str, Any] = {}
    if path.is_dir():
        file, said = _inside(path)
    try:
        content = file.read_bytes()
    except OSError as error:
        raise DataError(f"cannot read {file}: {error.strerror}", code="bad_weights", path=file) from error
    if file.suffix in _SAFE:
        try:
            tensors = read_safetensors(content)
        except (ValueError, safetensors.SafetensorError) as error:
            raise _unreadable(str(path), error) from error
    elif file.suffix in _TORCH:
        tensors = _torch_tensors(content, str(path))
    else:
        raise _unreadable(str(path), f"its name ends in {file.suffix!r}")
    _check_plain(tensors, str(path))
    # Without the folders above it: what is sealed into a bundle says nothing of the disk it was made on.
    weights = Weights(_plainly_named(tensors), hashlib.sha256(content).hexdigest(), path.absolute().name)
    published = package_of(model)
    if not said and published is not None:
        said = {"mean": published.mean, "std": published.std, "size": published.size, "assumed": True}
    headless = _part(path / _RUN[1], "classes") == []
    return replace(weights, **said, arguments=_arguments_in(path), headless=headless)


def architecture_in(path: Path) -> str | None:
    """Return the architecture that a run folder names, or None where it is no run, or does not say."""
    found = _part(path / _RUN[1], "architecture")
    return found if isinstance(found, str) else None


def _arguments_in(path: Path) -> dict[str, Any]:
    """Return what the network of a run was built with, without what other data decide anew."""
    found = _part(path / _RUN[1], "arguments")
    if not isinstance(found, dict):
        return {}
    return {name: value for name, value in found.items() if name not in _DECIDED_ANEW}


def _part(path: Path, name: str) -> Any:
    """Return an entry of a JSON file, or None where there is none."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))[name]
    except (OSError, ValueError, LookupError, TypeError):
        return None


def _inside(folder: Path) -> tuple[Path, dict[str, Any]]:
    """Return the file with the weights in a folder, and what the file beside it says of the pictures."""
    if (folder / _RUN[0]).is_file():
        return folder / _RUN[0], _said(folder / _RUN[1], "preprocess")
    for name in _HUB:
        if (folder / name).is_file():
            return folder / name, _said(folder / "config.json", "pretrained_cfg")
    raise DataError(
        f"{folder} holds no weights: neither {_RUN[0]} nor {' nor '.join(_HUB)}",
        code="bad_weights",
        hint="name a run folder, a folder as timm writes it, or the file itself",
        path=folder,
    )


def _said(path: Path, part: str) -> dict[str, Any]:
    """Return mean, deviation and size as far as a JSON file states them."""
    told = _part(path, part)
    try:
        size = told["size"] if "size" in told else int(told["input_size"][-1])
        numbers = {name: tuple(float(value) for value in told[name]) for name in ("mean", "std")}
    except (ValueError, LookupError, TypeError):
        return {}
    return {**numbers, "size": int(size)}


def _torch_tensors(content: bytes, name: str) -> dict[str, Tensor]:
    """Return the state dict in a file of torch; only tensors and plain containers are ever made of it."""
    try:
        found = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:  # torch's errors for broken and for refused files have no common class
        raise _unreadable(name, _why_not(content, error)) from error
    for inner in _INNER:
        if isinstance(found, Mapping) and isinstance(found.get(inner), Mapping):
            found = found[inner]
    pairs = found.items() if isinstance(found, Mapping) else ()
    tensors = {key: t for key, t in pairs if isinstance(key, str) and isinstance(t, Tensor)}
    if not tensors:
        raise _unreadable(name, "it holds no state dict")
    return tensors


def _why_not(content: bytes, error: Exception) -> str:
    """Return why torch reads no tensors; it speaks of its own options, and of reading without care."""
    archive = content.startswith(b"PK")
    if not (archive and b"/data.pkl" in content) and not content.startswith(b"\x80"):
        return "it is no file that torch writes"  # archives today, and before 1.6 a pickle
    program = archive and b"/constants.pkl" in content  # TorchScript, whatever torch says of it
    cut_off = isinstance(error, RuntimeError | EOFError | ValueError) or "truncated" in str(error)
    if cut_off and not program:
        return "it is damaged, or was cut off"
    return "it holds more than tensors and plain containers, and nothing of it is executed"


def _check_plain(tensors: Mapping[str, Tensor], name: str) -> None:
    """Refuse weights that have no value for each place, or one that is no number: of them no answer comes."""
    for key, tensor in tensors.items():
        if tensor.layout != torch.strided or tensor.is_quantized or tensor.device.type != "cpu":
            raise _unreadable(name, f"{key} is sparse, quantized or without values")
        # In float32, as networks have them: not every short type can be asked.
        if tensor.is_floating_point() and not bool(tensor.float().isfinite().all()):
            raise _unreadable(name, f"{key} has values that are not finite")


def _plainly_named(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    for added in _ADDED:
        if all(name.startswith(added) for name in tensors):
            tensors = {name.removeprefix(added): tensor for name, tensor in tensors.items()}
    return tensors


def _unreadable(name: str, why: object) -> DataError:
    return DataError(
        f"no weights can be read from {name}: {str(why).splitlines()[0] if str(why) else type(why).__name__}",
        code="bad_weights",
        hint="save them as safetensors, or with torch.save(network.state_dict(), FILE)",
    )


def normalization(weights: Weights, *, channels: int) -> tuple[tuple[float, ...], tuple[float, ...], str]:
    """Return mean and deviation per channel, and who says so.

    Channels beyond the third repeat the first three, as the filters do; see `fitting.fit_to`.
    """
    mean, std, who = weights.mean, weights.std, "as the weights were trained"
    if weights.assumed:
        who = "that of the model's published weights: the file does not say how its pictures were normalized"
    if mean is None or std is None:
        mean, std = IMAGENET_MEAN, IMAGENET_STD
        who = "that of ImageNet: the file does not say how its pictures were normalized"
    return repeated(mean, channels), repeated(std, channels), who


def repeated(values: tuple[float, ...], count: int) -> tuple[float, ...]:
    """Return as many values, the given ones over and over."""
    return tuple(values[i % len(values)] for i in range(count))
