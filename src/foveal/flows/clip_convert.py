"""A CLIP network that lies in a folder of Hugging Face or open_clip, as a run; nothing is downloaded."""

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import safetensors
from safetensors.torch import load as read_tensors

from foveal.core import files, machine, runs
from foveal.core.errors import DataError, NotFoundError
from foveal.data.texts.bpe import PairTokenizer, read_merges
from foveal.flows import _clip_hugging_face, _clip_open
from foveal.flows._clip_pictures import MODEL
from foveal.flows._environment import ENVIRONMENT, write_environment
from foveal.flows._run_folder import clear
from foveal.flows.pretrain_clip import SCHEMA
from foveal.tasks import image_text
from foveal.tasks.image_text import ImageText

_VOCABULARY, _MERGES = "vocab.json", "merges.txt"
_LAYOUTS = (_clip_hugging_face, _clip_open)  # of a folder with both the first is read
_HINT = (
    f"the folder has {_VOCABULARY} and {_MERGES}, and either config.json and model.safetensors of a "
    "CLIPModel or open_clip_config.json and open_clip_model.safetensors"
)


def clip_convert(folder: str | Path, *, out: Path, force: bool = False) -> dict[str, Any]:
    """Write a run whose encoders have the weights of a published CLIP network, and return the document.

    Pictures come to size by our one way, which is bilinear; the published networks were trained with bicubic.

    Args:
        folder: With `vocab.json` and `merges.txt`, and either `config.json`, `model.safetensors` and perhaps
            `preprocessor_config.json`, as Hugging Face's `save_pretrained` writes them, or
            `open_clip_config.json` and `open_clip_model.safetensors`; nothing in it is run.
        out: Run folder to write.
        force: Replace a run that is there.

    Raises:
        NotFoundError: A file is missing.
        DataError: `bad_weights`: it is another kind of network, or damaged.
        WriteError: The run folder cannot be written.
    """
    folder = Path(folder)
    lacking = [_lacking(folder, layout) for layout in _LAYOUTS]
    if all(lacking):
        fewest = min(lacking, key=len)
        raise NotFoundError(f"{folder} has no {', '.join(fewest)}", hint=_HINT, path=folder)
    layout = _LAYOUTS[lacking.index([])]
    runs.keep_apart(out, folder)
    model = _read(folder, layout)
    run = runs.new_run("clip", out=out, force=force)
    with runs.locked(run):
        document = _document(run, folder, model)
        write_environment(run, machine.versions("foveal", "torch", "safetensors"))
        files.write_json(run / runs.CONVERTED, document)
        clear(run, keep=(ENVIRONMENT, runs.CONVERTED))  # a run that is replaced: it says nothing of this one
        image_text.save(model, run / MODEL)
    return document


def _document(run: Path, folder: Path, model: ImageText) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "ok": True,
        "action": "convert",
        "run": str(run),
        "source": str(folder),
        "size": model.preprocess.size,
        "dimensions": model.dimensions,
        "parameters": sum(p.numel() for p in model.network.parameters()),
        "scale": round(model.scale, 3),
    }


def _lacking(folder: Path, layout: ModuleType) -> list[str]:
    """Return which files of a layout are not there."""
    needed = (layout.CONFIG, layout.WEIGHTS, _VOCABULARY, _MERGES)
    return [name for name in needed if not (folder / name).is_file()]


def _read(folder: Path, layout: ModuleType) -> ImageText:
    try:
        config = json.loads((folder / layout.CONFIG).read_text("utf-8"))
        vocabulary = json.loads((folder / _VOCABULARY).read_text("utf-8"))
        merges = read_merges((folder / _MERGES).read_text("utf-8"))
        tokenizer = PairTokenizer({str(key): int(value) for key, value in vocabulary.items()}, merges)
        form = layout.form_of(config, tokenizer)
        tensors = read_tensors((folder / layout.WEIGHTS).read_bytes())
        network = form.build()
        network.load_state_dict(layout.renamed(tensors, form))
        preprocess = layout.preprocess_of(folder, config, form)
    except (
        OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError, safetensors.SafetensorError
    ) as error:  # fmt: skip
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(
            f"{folder} holds no CLIP network that can be read: {reason}",
            code="bad_weights",
            hint=_HINT,
            path=folder,
        ) from error
    return ImageText(network.eval(), form, tokenizer, preprocess)
