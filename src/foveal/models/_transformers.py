"""RT-DETR as Hugging Face transformers has it, built and read without its hub; nothing read is executed.

Only what is named here is taken out of a folder: `config.json` as far as it describes the network, tensors of
`model.safetensors`, and how `preprocessor_config.json` says that pictures become numbers.
"""

import inspect
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from foveal.core.errors import DataError, MissingExtraError
from foveal.models.pretrained._weights import Weights, read_weights

_CONFIG, _WEIGHTS, _PREPROCESSOR = "config.json", "model.safetensors", "preprocessor_config.json"
_TYPE, _BACKBONE = "rt_detr", "rt_detr_resnet"
# What follows from the size of the pictures, which is that of the data.
_OF_SIZE = ("anchor_image_size", "eval_size")
_OUT = ("out_indices",)
_OF_CLASSES = ("model.denoising_class_embed.", "model.enc_score_head.", "model.decoder.class_embed.")
_SHOWN = 3  # names of layers in a message
_WRONG = {"missing_keys": "without", "unexpected_keys": "too many:", "mismatched_keys": "of another shape:"}


def library() -> Any:
    """Return transformers.

    Raises:
        MissingExtraError: It is not installed.
    """
    os.environ.setdefault("HF_HUB_OFFLINE", "1")  # read once, as it is imported
    try:
        import transformers
    except ImportError as error:
        raise MissingExtraError("rt-detr", "transformers") from error
    return transformers


def detector(config: Mapping[str, Any], *, channels: int, classes: int) -> Any:
    """Return a new network with random weights.

    Args:
        config: What `RTDetrConfig` takes.
        channels: Of the pictures.
        classes: How many.

    Raises:
        MissingExtraError: transformers is not installed.
        DataError: `bad_weights`: nothing can be built with it.
    """
    configured = _configured(config, channels=channels, classes=classes)
    with _as_described():
        return library().RTDetrForObjectDetection(configured)


def take(network: Any, tensors: Mapping[str, Tensor]) -> None:
    """Take over weights; layers of classes stay as they are where there were others in number.

    Args:
        network: What `detector` returned.
        tensors: By the names of its layers.

    Raises:
        ValueError: A layer has none, or its shape is another one.
    """
    own: dict[str, Tensor] = network.state_dict()
    anew = {
        name
        for name, value in own.items()
        if name.startswith(_OF_CLASSES) and name in tensors and tensors[name].shape[1:] == value.shape[1:]
    }
    missing = [name for name in own if name not in tensors]
    other = [
        name
        for name in own
        if name in tensors and name not in anew and own[name].shape != tensors[name].shape
    ]
    if missing or other:
        raise ValueError(f"missing {missing[:_SHOWN]}, of another shape {other[:_SHOWN]}")
    kept = {name for name in anew if own[name].shape != tensors[name].shape}
    network.load_state_dict({name: own[name] if name in kept else tensors[name] for name in own})


def read(folder: Path) -> Weights:
    """Return the weights in a folder as `save_pretrained` writes it, by the names of today's layers.

    Their `arguments` hold the configuration, without classes, which the data decide.

    Raises:
        MissingExtraError: transformers is not installed.
        DataError: `bad_weights`: it is no such folder, holds another network, or nothing can be read of it
            without executing it; `weights_mismatch`: weights and configuration do not fit each other.
    """
    library()  # before anything is said of the folder
    said = _said(folder)
    if not (folder / _WEIGHTS).is_file():
        pickled = any(folder.glob("*.bin"))
        raise _refused(
            folder,
            f"has its weights as .bin, and those are programs; there is no {_WEIGHTS}"
            if pickled
            else f"has no {_WEIGHTS}",
            hint="save_pretrained of today's transformers writes safetensors, in one file up to 50 GB",
        )
    found = read_weights(folder, model=_TYPE)
    config, channels = _plain(said), said["backbone_config"].get("num_channels", 3)
    theirs = _configured(config, channels=channels, classes=_classes(said))
    normalized = _normalization(folder)
    return replace(
        found, tensors=_renamed(found, theirs), channels=channels, arguments={"config": config}, **normalized
    )


def _said(folder: Path) -> dict[str, Any]:
    """Return what a folder says of its network, if it is one that is known here."""
    said = _json(folder, _CONFIG)
    if said is None:
        raise _refused(folder, f"has no {_CONFIG}", hint="name a folder as save_pretrained writes it")
    if said.get("model_type") != _TYPE:
        what = f"holds {said.get('model_type')}, not {_TYPE}"
        raise _refused(folder, what, hint="--model rt-detr is for RT-DETR")
    inner = said.get("backbone_config")
    known = isinstance(inner, dict) and inner.get("model_type") == _BACKBONE
    if not known or said.get("learn_initial_query"):
        what = "starts queries from what it learned" if known else "has a backbone from elsewhere"
        raise _refused(folder, what, hint=f"only RT-DETR on {_BACKBONE}, whose queries are places, is known")
    return said


def _json(folder: Path, name: str) -> dict[str, Any] | None:
    """Return what a JSON file of a folder holds, or None where there is none."""
    try:
        found = json.loads((folder / name).read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        raise _refused(folder, f"has a {name} that cannot be read: {error}") from error
    if not isinstance(found, dict):
        raise _refused(folder, f"has a {name} that is no JSON object")
    return found


def _plain(said: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of a configuration describes the network; the rest is about files, classes and sizes."""
    models: Any = library().models
    of_whole = inspect.get_annotations(models.rt_detr.RTDetrConfig)
    of_backbone = {*inspect.get_annotations(models.rt_detr.RTDetrResNetConfig), *_OUT}
    whole = {name: said[name] for name in of_whole if name in said and name not in _OF_SIZE}
    inner = said["backbone_config"]
    maps = {name: inner[name] for name in of_backbone if name in inner and name != "num_channels"}
    return {**whole, "backbone_config": dict(sorted(maps.items()))}


def _configured(config: Mapping[str, Any], *, channels: int, classes: int) -> Any:
    """Return the configuration as transformers holds it.

    Raises:
        MissingExtraError: transformers is not installed.
        DataError: `bad_weights`: it refuses it.
    """
    inner = {**config["backbone_config"], "model_type": _BACKBONE, "num_channels": channels}
    given = {**config, "backbone_config": inner, "num_labels": classes}
    with _as_described():
        return library().RTDetrConfig(**given, attn_implementation="eager")


@contextmanager
def _as_described() -> Iterator[None]:
    """Raise as `bad_weights` what transformers says against a configuration."""
    library()
    from huggingface_hub.errors import StrictDataclassError

    try:
        yield
    except (StrictDataclassError, LookupError, RuntimeError, TypeError, ValueError) as error:
        raise DataError(
            f"RT-DETR cannot be built as its {_CONFIG} says: {error}",
            code="bad_weights",
            hint="it is of another version of transformers, or was changed",
        ) from error


def _classes(said: Mapping[str, Any]) -> int:
    """Return of how many classes a configuration is; transformers counts them by their names, two if none."""
    named = said.get("id2label")
    return len(named) if isinstance(named, dict) and named else 2


def _normalization(folder: Path) -> dict[str, Any]:
    """Return mean and deviation of pictures on the 0..1 scale; without a word of it they are 0 and 1."""
    said = _json(folder, _PREPROCESSOR)
    if said is None:
        return {"mean": (0.0,) * 3, "std": (1.0,) * 3, "assumed": True}
    mean: tuple[float, ...] = (0.0,) * 3
    std: tuple[float, ...] = (1.0,) * 3
    try:
        # How many times as large as ours, from 0 to 1, its numbers are.
        scale = 255 * float(said.get("rescale_factor", 1 / 255)) if said.get("do_rescale", True) else 255.0
        if said.get("do_normalize", False):
            mean, std = (tuple(float(value) for value in said[name]) for name in ("image_mean", "image_std"))
    except (LookupError, TypeError, ValueError) as error:
        raise _refused(folder, f"has a {_PREPROCESSOR} without a normalization: {error}") from error
    return {"mean": tuple(m / scale for m in mean), "std": tuple(s / scale for s in std)}


def _refused(folder: Path, why: str, *, hint: str = "save it again with save_pretrained") -> DataError:
    return DataError(f"{folder} {why}", code="bad_weights", hint=hint, path=folder)


def _renamed(found: Weights, config: Any) -> dict[str, Tensor]:
    """Return weights by the names of today's layers, as transformers translates older ones.

    Raises:
        DataError: `weights_mismatch`: a layer has none or other ones, or there are more.
    """
    with _quiet(), _as_described():
        loaded, told = library().RTDetrForObjectDetection.from_pretrained(
            None,
            config=config,
            state_dict=dict(found.tensors),
            dtype=torch.float32,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # they are told, and refused below
        )
    wrong = {name: sorted(map(str, told[name])) for name in _WRONG if told[name]}
    if wrong:
        what = "; ".join(f"{_WRONG[name]} {', '.join(some[:_SHOWN])}" for name, some in wrong.items())
        raise DataError(
            f"the weights of {found.source} are not what its {_CONFIG} describes: {what}",
            code="weights_mismatch",
            hint=f"{_WEIGHTS} and {_CONFIG} have to be of one save_pretrained",
        )
    return {name: tensor.detach().clone() for name, tensor in loaded.state_dict().items()}


@contextmanager
def _quiet() -> Iterator[None]:
    """Let transformers say nothing: what matters of it is told as an error."""
    said: Any = library().utils.logging
    level, bars = said.get_verbosity(), said.is_progress_bar_enabled()
    said.set_verbosity_error()
    said.disable_progress_bar()
    try:
        yield
    finally:
        said.set_verbosity(level)
        if bars:
            said.enable_progress_bar()
