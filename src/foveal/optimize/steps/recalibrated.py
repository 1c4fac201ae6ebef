"""Batch-norm statistics of the network as it is now: after a cut the old ones describe another network."""

import copy
from dataclasses import replace

import numpy as np
import torch
from torch import nn

from foveal.core.batches import framed
from foveal.core.errors import UsageError
from foveal.data.dataset import UInt8
from foveal.tasks.classify import learn
from foveal.tasks.recognizer import Recognizer


@torch.no_grad()
def recalibrated(recognizer: Recognizer, images: UInt8, *, batch: int = 256) -> Recognizer:
    """Return the same recognizer with statistics measured on pictures; no weight changes.

    Every batch norm works on the statistics of the batch meanwhile, and remembers their mean over all
    pictures. Nothing else of the network is in training mode, and the given recognizer is left alone.
    Source: Li et al., "EagleEye: Fast Sub-net Evaluation for Efficient Neural Network Pruning", 2020, §3.3.

    Args:
        recognizer: Any; one without batch norm comes back equal.
        images: uint8 (N, H, W, C) at model size, or clips (N, T, H, W, C); no label is needed.
        batch: Images or frames at a time, at most, but two clips; the batches are equally large up to one.

    Raises:
        UsageError: `no_images`: fewer than two, which have no variance.
    """
    if len(images) < 2:
        raise UsageError(
            f"batch-norm statistics need two pictures at least; got {len(images)}",
            code="no_images",
            hint="give some hundred pictures like those it will see",
        )
    network = copy.deepcopy(recognizer.network).eval()
    norms = [m for m in network.modules() if isinstance(m, nn.BatchNorm2d) and m.track_running_stats]
    before = [(norm.momentum, norm.num_batches_tracked) for norm in norms]
    for norm in norms:
        norm.train()
        norm.num_batches_tracked = None
    seen, batch = 0, max(2, framed(batch, images.shape[1:]))
    # No batch of a single picture, which a norm behind pooling could not take.
    for part in np.array_split(images, max(1, min(-(-len(images) // batch), len(images) // 2))):
        seen += len(part)
        for norm in norms:
            norm.momentum = len(part) / seen  # 1 at first: the old statistics are gone
        network(learn.normalize(torch.from_numpy(part), recognizer.preprocess))
    for norm, (momentum, tracked) in zip(norms, before, strict=True):
        norm.momentum, norm.num_batches_tracked = momentum, tracked
    return replace(recognizer, network=network.eval())
