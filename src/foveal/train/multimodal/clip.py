"""Learn which text belongs to which picture."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from foveal.core import catalog
from foveal.data.preprocess import Preprocess
from foveal.models.image_text.dual_encoder import DualEncoder
from foveal.tasks.classify import learn
from foveal.train import augment, optimizer
from foveal.train.objective import Batch, Losses, Objective
from foveal.train.plan import Plan
from foveal.train.setting import Setting

SETTINGS = {
    "dimensions": Setting(128, 8, 1024, "of the space that pictures and texts share", whole=True),
    "text_layers": Setting(2, 1, 12, "of the text encoder", whole=True),
    "text_width": Setting(128, 32, 1024, "numbers of a word inside the text encoder, 32 a head", whole=True),
    "text_length": Setting(0, 0, 512, "words and signs of a text; 0: as long as the longest", whole=True),
    "vocabulary": Setting(8192, 0, 100_000, "words that are not spelled in bytes, at most", whole=True),
    "text_rate": Setting(1e-3, 1e-6, 0.1, "learning rate of the text encoder, by Adam"),
    "scale_rate": Setting(1e-2, 0.0, 0.1, "learning rate of the scale of the cosines, by Adam"),
}


@dataclass(frozen=True)
class Captions:
    """Which text belongs to which picture.

    Attributes:
        tokens: Numbers of each different text, int64 (T, L).
        texts: Of each pair, int64 (N,) into `tokens`.
        pictures: Of each pair, a number that pictures of equal content share, int64 (N,).
    """

    tokens: NDArray[np.int64] = field(repr=False)
    texts: NDArray[np.int64] = field(repr=False)
    pictures: NDArray[np.int64] = field(repr=False)


class Clip(Objective):
    """Cross-entropy over the cosines of a batch, from pictures to texts and from texts to pictures.

    A text that is known to belong to a picture counts as right for it wherever in the batch it stands: with
    ten captions for all pictures, a batch of 250 holds each text 25 times, and to count 24 of them as wrong
    would train against correct pairs. The target is shared out evenly among all that are right.

    Sources: Radford et al., "Learning Transferable Visual Models From Natural Language Supervision", 2021,
    figure 3; several right ones: Yang et al., "Unified Contrastive Learning in Image-Text-Label Space", 2022,
    eq. 3 to 5.
    """

    def __init__(
        self,
        network: DualEncoder,
        captions: Captions,
        *,
        preprocess: Preprocess,
        augmentation: Mapping[str, float],
        settings: Mapping[str, float],
    ) -> None:
        """Hold what is trained.

        Args:
            network: Both encoders.
            captions: Of the pairs that are learned from, in their order.
            preprocess: Gives the normalization.
            augmentation: Names of files in `train/augment` with their strength, in order.
            settings: The rates of `SETTINGS`.
        """
        super().__init__()
        self.rates = {name: settings[name] for name in ("text_rate", "scale_rate")}
        self.network = network
        self.preprocess = preprocess
        self.changes = [(catalog.find(augment, name), strength) for name, strength in augmentation.items()]
        self.text_count = len(captions.tokens)
        # They follow from the data and never change: a checkpoint does not need them.
        self.tokens: Tensor
        self.texts: Tensor
        self.pictures: Tensor
        self.known: Tensor
        self.register_buffer("tokens", torch.from_numpy(captions.tokens), persistent=False)
        self.register_buffer("texts", torch.from_numpy(captions.texts), persistent=False)
        self.register_buffer("pictures", torch.from_numpy(captions.pictures), persistent=False)
        known = torch.unique(self._pair(self.pictures, self.texts))
        self.register_buffer("known", known, persistent=False)

    def forward(self, batch: Batch) -> Losses:
        """Return the loss, and for how many pictures the nearest text is right.

        Each rank encodes the whole batch, since every picture is compared with every text, and answers for
        the rows of its part.
        """
        texts, pictures = self.texts[batch.rows], self.pictures[batch.rows]
        images = self.network.images(self.views(batch))
        words = self.network.texts(self.tokens[texts])
        right = self.right(pictures, texts)
        with torch.autocast("cpu", enabled=False):
            logits = self.network.scale * images @ words.T
            part = batch.part
            loss = (shared_loss(logits[part], right[part]) + shared_loss(logits.T[part], right.T[part])) / 2
            found = right[part].gather(1, logits[part].argmax(1, keepdim=True))
        return Losses(loss, found.sum(), len(found))

    @torch.no_grad()
    def views(self, batch: Batch) -> Tensor:
        """Return augmented network input (N, C, H, W); the texts stay as they are."""
        with torch.autocast("cpu", enabled=False):
            images = learn.normalize(batch.images, self.preprocess)
            unused = torch.zeros(len(images), 1)  # no change that is allowed here moves targets
            for change, strength in self.changes:
                images, _ = change(images, unused, strength=strength, batch=batch)
            return images.contiguous(memory_format=torch.channels_last)

    @torch.no_grad()
    def right(self, pictures: Tensor, texts: Tensor) -> Tensor:
        """Return whether each text (M,) is known of each picture (N,), bool (N, M)."""
        asked = self._pair(pictures[:, None], texts[None, :])
        places = torch.searchsorted(self.known, asked).clamp(max=len(self.known) - 1)
        return self.known[places] == asked

    def _pair(self, pictures: Tensor, texts: Tensor) -> Tensor:
        return pictures * self.text_count + texts

    def after_step(self, share: float) -> None:
        """Keep the scale within its bound."""
        self.network.bound_scale()

    def parameter_groups(self, plan: Plan) -> list[dict[str, Any]]:
        """Return the image encoder's as the plan wants it, and the text encoder's and the scale by Adam."""
        groups = optimizer.parameter_groups(
            self.network.image,
            weight_decay=plan.weight_decay,
            optimizer=plan.optimizer,
            head_rate=plan.head_rate,
        )
        text_rate = self.rates["text_rate"] / plan.learning_rate
        text = optimizer.parameter_groups(self.network.text, weight_decay=0.05, optimizer="adam")
        scale = {
            "params": [self.network.logit_scale],
            "kind": "adam",
            "momentum": 0.9,
            "rate": self.rates["scale_rate"] / plan.learning_rate,
        }
        return [*groups, *({**group, "rate": text_rate} for group in text), scale]

    def deployable(self) -> nn.Module:
        """Return both encoders."""
        return self.network


def shared_loss(logits: Tensor, right: Tensor) -> Tensor:
    """Return the mean cross-entropy of rows whose target is shared out evenly among the right columns.

    Args:
        logits: (N, M).
        right: bool (N, M), at least one in each row.
    """
    shares = right.float() / right.sum(dim=1, keepdim=True)
    return -(shares * logits.log_softmax(dim=1)).sum(dim=1).mean()
