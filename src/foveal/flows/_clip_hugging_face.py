"""A CLIP network in the layout of Hugging Face: what its configuration says, and its tensors by our names."""

import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from foveal.data.preprocess import Preprocess
from foveal.data.texts.bpe import START, PairTokenizer
from foveal.models.image_text.dual_encoder import PATCHES
from foveal.tasks.image_text import Form

CONFIG, WEIGHTS = "config.json", "model.safetensors"
MEAN = (0.48145466, 0.4578275, 0.40821073)  # of the pictures the published networks learned from
STD = (0.26862954, 0.26130258, 0.27577711)
_EPSILON = 1e-5
_OLD_END = 2  # what the first published configurations say; they read at the largest number of a text


def form_of(config: dict[str, Any], tokenizer: PairTokenizer) -> Form:
    """Return what our encoders are built with for a configuration of theirs.

    Raises:
        ValueError: It is another kind of network, or has what ours has not.
    """
    if config.get("model_type") != "clip":
        raise ValueError(f"its config.json says model_type {config.get('model_type')!r}, not 'clip'")
    text, vision = config["text_config"], config["vision_config"]
    for part in (text, vision):
        if part.get("hidden_act", "quick_gelu") not in ("gelu", "quick_gelu"):
            raise ValueError(f"its activation is {part['hidden_act']}")
        if part.get("layer_norm_eps", _EPSILON) != _EPSILON:
            raise ValueError(f"its norms have an epsilon of {part['layer_norm_eps']}, not {_EPSILON}")
    if START not in tokenizer.numbers:
        raise ValueError(f"its vocabulary has no {START}")
    words = int(text.get("vocab_size", 49408))
    if tokenizer.size > words:
        raise ValueError(f"its vocabulary has {tokenizer.size} numbers, its text encoder {words}")
    dimensions = config.get("projection_dim", 512)
    end = text.get("eos_token_id", _OLD_END)
    if end not in (_OLD_END, tokenizer.end):
        raise ValueError(f"its texts end with {end}, its vocabulary with {tokenizer.end}")

    def shared(part: dict[str, Any], usual: dict[str, int]) -> dict[str, Any]:
        found = {key: int(part.get(theirs, usual[key])) for key, theirs in _SHARED.items()}
        return {**found, "dimensions": dimensions, "activation": part.get("hidden_act", "quick_gelu")}

    return Form(
        PATCHES,
        {
            "size": int(vision.get("image_size", 224)),
            "patch": int(vision.get("patch_size", 32)),
            "channels": int(vision.get("num_channels", 3)),
            **shared(vision, {"width": 768, "layers": 12, "heads": 12, "hidden": 3072}),
        },
        {
            "vocabulary": words,
            "length": int(text.get("max_position_embeddings", 77)),
            "end": tokenizer.end,
            **shared(text, {"width": 512, "layers": 12, "heads": 8, "hidden": 2048}),
        },
    )


_SHARED = {
    "width": "hidden_size",
    "layers": "num_hidden_layers",
    "heads": "num_attention_heads",
    "hidden": "intermediate_size",
}
_TOWERS = {
    "text.words.weight": "text_model.embeddings.token_embedding.weight",
    "text.places": "text_model.embeddings.position_embedding.weight",
    "text.norm": "text_model.final_layer_norm",
    "text.project.weight": "text_projection.weight",
    "image.cut.weight": "vision_model.embeddings.patch_embedding.weight",
    "image.whole": "vision_model.embeddings.class_embedding",
    "image.places": "vision_model.embeddings.position_embedding.weight",
    "image.norm_before": "vision_model.pre_layrnorm",  # spelled so
    "image.norm": "vision_model.post_layernorm",
    "image.project.weight": "visual_projection.weight",
    "logit_scale": "logit_scale",
}
_LAYER = {
    "norm_attention": "layer_norm1",
    "write": "self_attn.out_proj",
    "norm_hidden": "layer_norm2",
    "widen": "mlp.fc1",
    "narrow": "mlp.fc2",
}


def renamed(tensors: dict[str, Tensor], form: Form) -> dict[str, Tensor]:
    """Return their tensors under our names, in float32; queries, keys and values become one matrix.

    Raises:
        KeyError: One is missing.
    """

    def both(ours: str, theirs: str) -> dict[str, Tensor]:
        return {f"{ours}.{kind}": tensors[f"{theirs}.{kind}"] for kind in ("weight", "bias")}

    found: dict[str, Tensor] = {}
    for ours, theirs in _TOWERS.items():
        if theirs in tensors:
            found[ours] = tensors[theirs]
        else:
            found |= both(ours, theirs)
    for tower, name, arguments in (("text", "text_model", form.text), ("image", "vision_model", form.image)):
        for layer in range(arguments["layers"]):
            block, source = f"{tower}.blocks.{layer}", f"{name}.encoder.layers.{layer}"
            for ours, theirs in _LAYER.items():
                found |= both(f"{block}.{ours}", f"{source}.{theirs}")
            for kind in ("weight", "bias"):
                parts = [tensors[f"{source}.self_attn.{part}_proj.{kind}"] for part in "qkv"]
                found[f"{block}.read.{kind}"] = torch.cat(parts)
    return {name: tensor.float().contiguous() for name, tensor in found.items()}


def preprocess_of(folder: Path, config: dict[str, Any], form: Form) -> Preprocess:
    """Return how pictures come to the image encoder, with the mean and deviation that the folder states."""
    path, mean, std = folder / "preprocessor_config.json", MEAN, STD
    if path.is_file():
        stated = json.loads(path.read_text("utf-8"))
        mean, std = tuple(stated.get("image_mean", mean)), tuple(stated.get("image_std", std))
    return Preprocess(size=form.image["size"], channels=form.image["channels"], mean=mean, std=std)
