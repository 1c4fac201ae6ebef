"""Pictures as measures look at them: normalized, with the class that the loss asks for."""

from collections.abc import Iterator

import torch
from torch import Tensor

from foveal.core.batches import framed
from foveal.core.errors import UsageError
from foveal.tasks.classify import learn
from foveal.tasks.recognizer import Recognizer
from foveal.train.examples import Examples

_BATCH = 64  # pictures or frames


def batches(recognizer: Recognizer, examples: Examples | None) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield normalized images (N, C, H, W), or clips, in the network's precision, and class shares (N, K).

    Raises:
        UsageError: `no_images`: there are none.
    """
    if examples is None or not len(examples):
        raise UsageError(
            "this importance follows from gradients, and there is no picture to take them from",
            code="no_images",
            hint="give examples, or take group_norm, which needs weights only",
        )
    kind = next(recognizer.network.parameters())
    at_once = framed(_BATCH, recognizer.preprocess.shape)
    for start in range(0, len(examples), at_once):
        rows = examples.indices[start : start + at_once]
        images = learn.normalize(torch.from_numpy(examples.images[rows]), recognizer.preprocess).to(kind)
        labels = torch.from_numpy(examples.labels[rows])
        with torch.no_grad():
            labels = torch.where(labels < 0, recognizer.network(images).argmax(dim=1), labels)
        yield images, learn.targets(labels, classes=len(recognizer.classes), smoothing=0.0)
