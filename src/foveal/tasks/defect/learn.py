"""What looks for defects answers in torch: the reference that the exported graph is compared with."""

import numpy as np
import torch

from foveal.core.batches import at_once
from foveal.data.dataset import UInt8
from foveal.tasks.classify.learn import normalize
from foveal.tasks.defect.decode import DefectAnswers
from foveal.tasks.recognizer import Recognizer


@torch.no_grad()
def answers(recognizer: Recognizer, images: UInt8) -> DefectAnswers:
    """Return what a recognizer answers for pictures at model size, uint8 (N, H, W, C), in float32.

    Args:
        recognizer: Its network returns scores (N,) and maps (N, K, h, w) of normalized images.
        images: N ≥ 1.
    """
    network = recognizer.network.eval()
    step = max(1, at_once(recognizer.preprocess.shape) // 4)
    scores, maps = [], []
    for start in range(0, len(images), step):
        seen = normalize(torch.from_numpy(images[start : start + step]), recognizer.preprocess)
        score, where = network(seen)
        scores.append(score.float().numpy())
        maps.append(where.float().numpy())
    return DefectAnswers(np.concatenate(scores), np.concatenate(maps))
