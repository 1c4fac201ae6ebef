"""Pictures and texts in one space, and all it takes to bring them there: what `foveal clip` makes."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import torch
from numpy.typing import NDArray
from safetensors.torch import load as read_tensors
from safetensors.torch import save as tensor_bytes
from torch import Tensor

from foveal.core import files
from foveal.core.batches import batches
from foveal.core.errors import DataError, UsageError
from foveal.data.dataset import UInt8
from foveal.data.preprocess import Preprocess
from foveal.data.texts.stored import tokenizer_in
from foveal.data.texts.tokenizer import Tokenizer, token_table
from foveal.models.image_text.dual_encoder import DualEncoder, PromptedClassifier, image_encoder
from foveal.models.image_text.transformer import TextTransformer
from foveal.tasks.classify import learn
from foveal.tasks.recognizer import Recognizer

WEIGHTS, STRUCTURE, TOKENIZER = "weights.safetensors", "structure.json", "tokenizer.json"
SCHEMA = "foveal.image_text/1"
PLACE = "{}"  # in a template, where the name of the class goes
TEMPLATES = ("a photo of {}", "{}")
_TEXTS = 256  # encoded at once

Float32 = NDArray[np.float32]


@dataclass(frozen=True)
class Form:
    """What both encoders are built with.

    Attributes:
        architecture: Of the image encoder: of `models/`, or `clip_patches`.
        image: Arguments of its builder.
        text: Arguments of the text encoder.
    """

    architecture: str
    image: dict[str, Any]
    text: dict[str, Any]

    def build(self) -> DualEncoder:
        """Return new encoders.

        Raises:
            UnknownNameError: No such architecture.
        """
        image = image_encoder(self.architecture, self.image)
        return DualEncoder(image, TextTransformer(**self.text))


@dataclass(frozen=True)
class ImageText:
    """What training makes; immutable.

    Attributes:
        network: Both encoders, in eval mode.
        form: What they were built with.
        tokenizer: From a text to the numbers of the text encoder.
        preprocess: From a picture to the input of the image encoder.
    """

    network: DualEncoder = field(repr=False)
    form: Form
    tokenizer: Tokenizer = field(repr=False)
    preprocess: Preprocess

    @property
    def length(self) -> int:
        """How many numbers of a text are seen."""
        return int(self.form.text["length"])

    def with_weights(self, weights: dict[str, Tensor]) -> "ImageText":
        """Return the same with other weights."""
        network = self.form.build()
        network.load_state_dict(weights)
        return replace(self, network=network.eval())

    @torch.no_grad()
    def images(self, images: UInt8, rows: NDArray[np.int64] | None = None) -> Float32:
        """Return unit vectors (N, D) for uint8 images (M, H, W, C) at model size.

        Args:
            images: The pictures.
            rows: Which of them, in which order, (N,); None: all.
        """
        found = [
            self.network.images(learn.normalize(torch.from_numpy(part), self.preprocess)).numpy()
            for part in batches(images, rows)
        ]
        return np.concatenate(found) if found else np.empty((0, self.dimensions), np.float32)

    @torch.no_grad()
    def texts(self, texts: Sequence[str]) -> Float32:
        """Return unit vectors (N, D) for texts."""
        found = [
            self.network.texts(torch.from_numpy(self.tokens(texts[start : start + _TEXTS]))).numpy()
            for start in range(0, len(texts), _TEXTS)
        ]
        return np.concatenate(found) if found else np.empty((0, self.dimensions), np.float32)

    def tokens(self, texts: Sequence[str]) -> NDArray[np.int64]:
        """Return the numbers of texts, int64 (N, length)."""
        return token_table(self.tokenizer, texts, length=self.length)

    @property
    def dimensions(self) -> int:
        """Of the space that pictures and texts share."""
        return int(self.form.text["dimensions"])

    @property
    def scale(self) -> float:
        """What cosines are multiplied by."""
        return float(self.network.scale.detach())

    def classes(self, names: Sequence[str], templates: Sequence[str]) -> Float32:
        """Return a unit vector for each class, (K, D): the direction of the mean of its prompts.

        In a prompt the `-` and `_` of a name are spaces.

        Source: Radford et al. 2021, §3.1.4 (prompt ensembling in the space of embeddings).

        Args:
            names: K of them.
            templates: Each with `{}` where the name goes.

        Raises:
            UsageError: A template has no place for the name, or a name is empty or there twice.
        """
        check_prompts(names, templates)
        prompts = [template.replace(PLACE, spoken(name)) for name in names for template in templates]
        means = self.texts(prompts).reshape(len(names), len(templates), -1).mean(axis=1)
        lengths = np.linalg.norm(means, axis=1, keepdims=True)
        vectors: Float32 = (means / np.maximum(lengths, 1e-12)).astype(np.float32)
        return vectors

    def classifier(self, names: Sequence[str], templates: Sequence[str]) -> Recognizer:
        """Return the recognizer of some classes: the image encoder, and their vectors as its last layer.

        Args:
            names: Of the classes; raises as `classes` does.
            templates: Each with `{}`.
        """
        vectors = torch.from_numpy(self.classes(names, templates))
        network = PromptedClassifier(self.network.image, vectors, self.scale).eval()
        name = f"clip-{self.form.architecture}".replace("_", "-")
        return Recognizer(network, name, {"templates": list(templates)}, self.preprocess, tuple(names))


def spoken(name: str) -> str:
    """Return the name of a class as a text has it.

    >>> spoken("Golden-Delicious")
    'Golden Delicious'
    """
    return " ".join(name.replace("-", " ").replace("_", " ").split())


def check_prompts(names: Sequence[str], templates: Sequence[str]) -> None:
    """Refuse prompts that name no class, or the same one twice.

    Raises:
        UsageError: A template has no place for the name, or a name is empty or, as it is spoken, there twice.
    """
    lacking = [template for template in templates if PLACE not in template]
    if lacking or not templates:
        raise UsageError(
            f"a prompt needs {PLACE} where the class goes; got {lacking[0] if lacking else 'none'!r}",
            code="bad_prompt",
            hint='--prompts "a photo of {}"',
        )
    said = [spoken(name) for name in names]
    if not all(said) or len(set(said)) < len(said) or len(said) < 2:
        raise UsageError(
            f"need two or more classes with different names; got {', '.join(map(repr, names)) or 'none'}",
            code="bad_classes",
            hint="--classes red,green,blue",
        )


def save(model: ImageText, folder: Path) -> None:
    """Write `weights.safetensors`, `tokenizer.json` and `structure.json` to a folder, made if missing.

    Raises:
        WriteError: They cannot be written.
    """
    files.make_folder(folder)
    tensors = {name: tensor.contiguous() for name, tensor in model.network.state_dict().items()}
    files.write_bytes(folder / WEIGHTS, tensor_bytes(tensors))
    files.write_json(folder / TOKENIZER, model.tokenizer.as_json())
    structure = {
        "schema": SCHEMA,
        "image": {"architecture": model.form.architecture, "arguments": model.form.image},
        "text": model.form.text,
        "preprocess": model.preprocess.model_dump(),
    }
    files.write_json(folder / STRUCTURE, structure)  # last: it says that all is there


def load(folder: Path) -> ImageText:
    """Read what `save` wrote.

    Raises:
        DataError: A file is missing, damaged, or does not fit the others.
    """
    hint = "RUN is a finished run of foveal clip train or convert"

    def form(found: dict[str, Any]) -> tuple[Form, Preprocess]:
        if found["schema"] != SCHEMA:
            raise ValueError(f"it is {found['schema']}")
        image = found["image"]
        return Form(image["architecture"], image["arguments"], found["text"]), Preprocess(
            **found["preprocess"]
        )

    built, preprocess = files.read_json(folder / STRUCTURE, form, hint=hint)
    tokenizer = files.read_json(folder / TOKENIZER, tokenizer_in, hint=hint)
    try:
        network = built.build()
        network.load_state_dict(read_tensors((folder / WEIGHTS).read_bytes()))
    except (OSError, ValueError, TypeError, RuntimeError, safetensors.SafetensorError) as error:
        reason = str(error).splitlines()[0]
        raise DataError(
            f"{folder} holds no readable model: {reason}", code="damaged", hint=hint, path=folder
        ) from error
    return ImageText(network.eval(), built, tokenizer, preprocess)
