"""A folder as `save_pretrained` of transformers writes it, with a tiny RT-DETR in it."""

from pathlib import Path

import pytest
import torch

import scenes

TINY = {
    "encoder_in_channels": [32, 48, 64],
    "encoder_hidden_dim": 32,
    "encoder_ffn_dim": 64,
    "encoder_attention_heads": 4,
    "d_model": 32,
    "decoder_in_channels": [32] * 3,
    "decoder_ffn_dim": 64,
    "decoder_layers": 2,
    "decoder_attention_heads": 4,
    "num_queries": 40,
    "num_denoising": 20,
    "hidden_expansion": 0.5,
    "freeze_backbone_batch_norms": False,
    "backbone_config": {
        "model_type": "rt_detr_resnet",
        "embedding_size": 16,
        "hidden_sizes": [16, 32, 48, 64],
        "depths": [1] * 4,
        "layer_type": "basic",
        "out_indices": [2, 3, 4],
    },
}


def network(*, classes: int = 5, seed: int = 0, **changes):
    """Return transformers' network with random weights, or skip where that is not installed."""
    transformers = pytest.importorskip("transformers", reason="needs the extra `transformers`")
    torch.manual_seed(seed)
    made = transformers.RTDetrForObjectDetection(
        transformers.RTDetrConfig(**{**TINY, **changes}, num_labels=classes)
    )
    # Norms begin with factors around 0, and statistics of nothing: all places would have one score, and
    # rounding would choose the best of them.
    norms = [layer for layer in made.modules() if isinstance(layer, torch.nn.BatchNorm2d)]
    for layer in norms:
        torch.nn.init.ones_(layer.weight)
        layer.momentum = 1.0
    images, _, _ = scenes.squares(16)
    with torch.no_grad():
        made.train()(pixel_values=torch.from_numpy(images).movedim(3, 1) / 255)
    return made.eval()


def write(folder: Path, **given) -> Path:
    """Write `network(**given)` to a folder."""
    network(**given).save_pretrained(folder)
    return folder
