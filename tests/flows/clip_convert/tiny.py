"""A tiny CLIPModel in Hugging Face's layout, with weights that follow from a seed."""

import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

TEXTS = (
    "a photo of a red thing",
    "It's 23 RED things, isn't it?!",
    "grün  und   blau",
    "a",
    "the low lower lowest",
)
_PAIRS = (
    "r e",
    "re d</w>",
    "t h",
    "th i",
    "thi n",
    "thin g</w>",
    "l o",
    "lo w",
    "lo w</w>",
    "o f</w>",
    "' s</w>",
)
_WIDTH, _HIDDEN, _LAYERS, _HEADS, _DIMENSIONS = 16, 40, 2, 2, 12
_SIZE, _PATCH, _LENGTH = 16, 8, 24


def shown() -> list[str]:
    """The letters that stand for the 256 bytes, in the order of the published vocabulary."""
    seen = [*range(33, 127), *range(161, 173), *range(174, 256)]
    hidden = [byte for byte in range(256) if byte not in seen]
    return [*(chr(byte) for byte in seen), *(chr(256 + n) for n in range(len(hidden)))]


def vocabulary() -> dict[str, int]:
    pieces = [*shown(), *(letter + "</w>" for letter in shown()), *("".join(p.split()) for p in _PAIRS)]
    pieces += ["<|startoftext|>", "<|endoftext|>"]
    return {piece: number for number, piece in enumerate(pieces)}


def config() -> dict[str, object]:
    shared = {
        "hidden_size": _WIDTH, "intermediate_size": _HIDDEN, "num_hidden_layers": _LAYERS,
        "num_attention_heads": _HEADS, "hidden_act": "quick_gelu", "projection_dim": _DIMENSIONS,
    }  # fmt: skip
    words = vocabulary()
    ends = {"bos_token_id": words["<|startoftext|>"], "eos_token_id": words["<|endoftext|>"]}
    text = {**shared, **ends, "vocab_size": len(words), "max_position_embeddings": _LENGTH, "pad_token_id": 1}
    vision = {**shared, "image_size": _SIZE, "patch_size": _PATCH}
    return {
        "model_type": "clip", "architectures": ["CLIPModel"], "projection_dim": _DIMENSIONS,
        "text_config": {**text, "model_type": "clip_text_model"},
        "vision_config": {**vision, "model_type": "clip_vision_model"},
    }  # fmt: skip


def weights() -> dict[str, Tensor]:
    draw = torch.Generator().manual_seed(7)

    def tensor(*shape: int, mean: float = 0.0) -> Tensor:
        return torch.randn(*shape, generator=draw) * 0.3 + mean

    def both(name: str, rows: int, columns: int | None = None) -> dict[str, Tensor]:
        shape, mean = ((rows,), 1.0) if columns is None else ((rows, columns), 0.0)
        return {f"{name}.weight": tensor(*shape, mean=mean), f"{name}.bias": tensor(rows)}

    found = {
        "logit_scale": torch.tensor(2.6592),
        "text_projection.weight": tensor(_DIMENSIONS, _WIDTH),
        "visual_projection.weight": tensor(_DIMENSIONS, _WIDTH),
        "text_model.embeddings.token_embedding.weight": tensor(len(vocabulary()), _WIDTH),
        "text_model.embeddings.position_embedding.weight": tensor(_LENGTH, _WIDTH),
        "vision_model.embeddings.class_embedding": tensor(_WIDTH),
        "vision_model.embeddings.patch_embedding.weight": tensor(_WIDTH, 3, _PATCH, _PATCH),
        "vision_model.embeddings.position_embedding.weight": tensor((_SIZE // _PATCH) ** 2 + 1, _WIDTH),
        **both("text_model.final_layer_norm", _WIDTH),
        **both("vision_model.pre_layrnorm", _WIDTH),
        **both("vision_model.post_layernorm", _WIDTH),
    }
    for tower in ("text_model", "vision_model"):
        for layer in range(_LAYERS):
            name = f"{tower}.encoder.layers.{layer}"
            for part in ("q_proj", "k_proj", "v_proj", "out_proj"):
                found |= both(f"{name}.self_attn.{part}", _WIDTH, _WIDTH)
            found |= both(f"{name}.layer_norm1", _WIDTH) | both(f"{name}.layer_norm2", _WIDTH)
            found |= both(f"{name}.mlp.fc1", _HIDDEN, _WIDTH) | both(f"{name}.mlp.fc2", _WIDTH, _HIDDEN)
    return found


def images() -> Tensor:
    """Normalized pictures (3, 3, 16, 16)."""
    return torch.randn(3, 3, _SIZE, _SIZE, generator=torch.Generator().manual_seed(8))


def write_open(folder: Path) -> None:
    """The same network in the layout of open_clip, whose projections are the other way round."""
    theirs = weights()
    towers = {"text": ("text_model", ""), "vision": ("vision_model", "visual.")}
    found = {
        "logit_scale": theirs["logit_scale"],
        "token_embedding.weight": theirs["text_model.embeddings.token_embedding.weight"],
        "positional_embedding": theirs["text_model.embeddings.position_embedding.weight"],
        "text_projection": theirs["text_projection.weight"].T.contiguous(),
        "visual.class_embedding": theirs["vision_model.embeddings.class_embedding"],
        "visual.conv1.weight": theirs["vision_model.embeddings.patch_embedding.weight"],
        "visual.positional_embedding": theirs["vision_model.embeddings.position_embedding.weight"],
        "visual.proj": theirs["visual_projection.weight"].T.contiguous(),
    }
    names = {
        "layer_norm1": "ln_1", "layer_norm2": "ln_2", "mlp.fc1": "mlp.c_fc", "mlp.fc2": "mlp.c_proj",
        "self_attn.out_proj": "attn.out_proj",
    }  # fmt: skip
    for kind in ("weight", "bias"):
        found[f"ln_final.{kind}"] = theirs[f"text_model.final_layer_norm.{kind}"]
        found[f"visual.ln_pre.{kind}"] = theirs[f"vision_model.pre_layrnorm.{kind}"]
        found[f"visual.ln_post.{kind}"] = theirs[f"vision_model.post_layernorm.{kind}"]
        for name, prefix in towers.values():
            for layer in range(_LAYERS):
                source, block = f"{name}.encoder.layers.{layer}", f"{prefix}transformer.resblocks.{layer}"
                found |= {f"{block}.{o}.{kind}": theirs[f"{source}.{t}.{kind}"] for t, o in names.items()}
                parts = [theirs[f"{source}.self_attn.{part}_proj.{kind}"] for part in "qkv"]
                found[f"{block}.attn.in_proj_{kind}"] = torch.cat(parts)
    folder.mkdir(exist_ok=True)
    (folder / "open_clip_config.json").write_text(json.dumps(open_config()), "utf-8")
    (folder / "vocab.json").write_text(json.dumps(vocabulary()), "utf-8")
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *_PAIRS, ""]), "utf-8")
    save_file(found, folder / "open_clip_model.safetensors", metadata={"format": "pt"})


def open_config() -> dict[str, object]:
    shared = {"width": _WIDTH, "layers": _LAYERS, "mlp_ratio": _HIDDEN / _WIDTH}
    text = {**shared, "context_length": _LENGTH, "vocab_size": len(vocabulary()), "heads": _HEADS}
    vision = {**shared, "image_size": _SIZE, "patch_size": _PATCH, "head_width": _WIDTH // _HEADS}
    model = {"embed_dim": _DIMENSIONS, "quick_gelu": True, "vision_cfg": vision, "text_cfg": text}
    return {"model_cfg": model, "preprocess_cfg": {"mean": [0.5, 0.4, 0.3], "std": [0.2, 0.3, 0.4]}}


def write(folder: Path) -> None:
    (folder / "config.json").write_text(json.dumps(config()), "utf-8")
    (folder / "vocab.json").write_text(json.dumps(vocabulary()), "utf-8")
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *_PAIRS, ""]), "utf-8")
    save_file(weights(), folder / "model.safetensors", metadata={"format": "pt"})
