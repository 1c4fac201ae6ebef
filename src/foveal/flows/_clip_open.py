"""A CLIP network in the layout of open_clip: what its configuration says, and its tensors by our names."""

from pathlib import Path
from typing import Any

from torch import Tensor

from foveal.data.preprocess import Preprocess
from foveal.data.texts.bpe import START, PairTokenizer
from foveal.flows._clip_hugging_face import MEAN, STD
from foveal.models.image_text.dual_encoder import PATCHES
from foveal.tasks.image_text import Form

CONFIG, WEIGHTS = "open_clip_config.json", "open_clip_model.safetensors"
# What a configuration may say; whatever else it says, such as another tower or pooling, ours has not.
_MODEL = {"embed_dim", "quick_gelu", "vision_cfg", "text_cfg"}
_VISION = {"image_size", "layers", "width", "patch_size", "head_width", "mlp_ratio"}
_TEXT = {"context_length", "vocab_size", "layers", "width", "heads", "mlp_ratio"}
_TOWERS = {
    "text.words.weight": "token_embedding.weight",
    "text.places": "positional_embedding",
    "image.cut.weight": "visual.conv1.weight",
    "image.whole": "visual.class_embedding",
    "image.places": "visual.positional_embedding",
    "logit_scale": "logit_scale",
}
_NORMS = {"text.norm": "ln_final", "image.norm_before": "visual.ln_pre", "image.norm": "visual.ln_post"}
_PROJECTIONS = {"text.project.weight": "text_projection", "image.project.weight": "visual.proj"}
_LAYER = {
    "norm_attention.": "ln_1.",
    "read.": "attn.in_proj_",
    "write.": "attn.out_proj.",
    "norm_hidden.": "ln_2.",
    "widen.": "mlp.c_fc.",
    "narrow.": "mlp.c_proj.",
}


def form_of(config: dict[str, Any], tokenizer: PairTokenizer) -> Form:
    """Return what our encoders are built with for a configuration of theirs.

    Raises:
        ValueError: It is another kind of network, or has what ours has not.
    """
    model = config["model_cfg"]
    text, vision = model["text_cfg"], model["vision_cfg"]
    for part, known in ((model, _MODEL), (text, _TEXT), (vision, _VISION)):
        other = sorted(name for name in part.keys() - known if part[name] not in (None, False))
        if other:
            raise ValueError(f"its {CONFIG} says {', '.join(other)}, which these encoders have not")
    if START not in tokenizer.numbers:
        raise ValueError(f"its vocabulary has no {START}")
    if tokenizer.size > text["vocab_size"]:
        raise ValueError(
            f"its vocabulary has {tokenizer.size} numbers, its text encoder {text['vocab_size']}"
        )
    shared = {
        "dimensions": int(model["embed_dim"]),
        "activation": "quick_gelu" if model.get("quick_gelu") else "gelu",
    }

    def tower(part: dict[str, Any], heads: int) -> dict[str, Any]:
        width = int(part["width"])
        hidden = int(width * part.get("mlp_ratio", 4.0))
        return {"width": width, "layers": int(part["layers"]), "heads": heads, "hidden": hidden, **shared}

    return Form(
        PATCHES,
        {
            "size": int(vision["image_size"]),
            "patch": int(vision["patch_size"]),
            "channels": 3,
            **tower(vision, int(vision["width"]) // int(vision.get("head_width", 64))),
        },
        {
            "vocabulary": int(text["vocab_size"]),
            "length": int(text["context_length"]),
            "end": tokenizer.end,
            **tower(text, int(text["heads"])),
        },
    )


def renamed(tensors: dict[str, Tensor], form: Form) -> dict[str, Tensor]:
    """Return their tensors under our names, in float32.

    Raises:
        KeyError: One is missing.
    """
    found = {ours: tensors[theirs] for ours, theirs in _TOWERS.items()}
    found |= {ours: tensors[theirs].T for ours, theirs in _PROJECTIONS.items()}
    for kind in ("weight", "bias"):
        found |= {f"{ours}.{kind}": tensors[f"{theirs}.{kind}"] for ours, theirs in _NORMS.items()}
        for tower, prefix, arguments in (("text", "", form.text), ("image", "visual.", form.image)):
            for layer in range(arguments["layers"]):
                block, source = f"{tower}.blocks.{layer}", f"{prefix}transformer.resblocks.{layer}"
                for ours, theirs in _LAYER.items():
                    found[f"{block}.{ours}{kind}"] = tensors[f"{source}.{theirs}{kind}"]
    return {name: tensor.float().contiguous() for name, tensor in found.items()}


def preprocess_of(folder: Path, config: dict[str, Any], form: Form) -> Preprocess:
    """Return how pictures come to the image encoder, with the mean and deviation that are stated."""
    stated = config.get("preprocess_cfg", {})
    mean, std = tuple(stated.get("mean", MEAN)), tuple(stated.get("std", STD))
    return Preprocess(size=form.image["size"], channels=form.image["channels"], mean=mean, std=std)
