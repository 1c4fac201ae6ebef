"""A convolutional network for each frame of a clip, and what reads the frames' features one after the other.

    (N, T, C, H, W) → backbone, frame by frame → (N, T, D) → gru | lstm | pool | frame → (N, K)

`cnn_gru` and `cnn_lstm` read the features in their order (Donahue et al., "Long-term Recurrent Convolutional
Networks", 2015, §3); the gates are those of Cho et al. 2014 and of Hochreiter & Schmidhuber 1997. `cnn_pool`
takes the mean and the maximum over the frames, and `cnn_frame` the mean of what each frame alone would be
taken for: both see the same whatever the order. They are there to compare with: where they do as well, time
plays no part.

A transferred backbone ends before its own head: what its weights make of a frame, a linear layer brings to D
numbers. Where it is frozen, `Reading` is all that learns.
"""

from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn

from foveal import models
from foveal.core import catalog
from foveal.core.errors import RecipeError, UsageError
from foveal.models import Architecture, Card, Settings
from foveal.models._head import head_of, without_expansion, without_head
from foveal.models.nano import Nano, nano

CARD = Card(
    family="cnn",
    kind="network",
    source="after Donahue et al. 2015, arXiv:1411.4389",
    summary="for clips: cnn_gru where the order of the frames matters; cnn_frame shows whether it does",
    idea="A network for pictures looks at each frame of a clip; what reads its features decides, in order or "
    "without it.",
    smallest_size=16,
    task="video",
)
SETTINGS = Settings(
    optimizer="adam", learning_rate=2e-3, weight_decay=0.01, batch_size=64, warm_up_share=0.05
)
MEMBERS: dict[str, dict[str, Any]] = {
    f"cnn_{head}": {"head": head} for head in ("gru", "lstm", "pool", "frame")
}
Head = Literal["gru", "lstm", "pool", "frame"]
Start = Literal["scratch", "transfer", "frozen"]

_FEATURES = 64  # D, and the size of a recurrent state
_PLACED = 16  # numbers for each place
_WIDTHS = (32, 64, 128)  # of the stages of nano: a clip costs as much as all of its frames


class Cnn(nn.Module):
    """See the module; built by `cnn`.

    Attributes:
        backbone: What looks at each frame: (N, C, H, W) → (N, B).
        project: What brings that to (N, D).
        head: What reads the frames: (N, T, D) → (N, K).
        features: D, numbers that each frame becomes.
    """

    def __init__(
        self, backbone: nn.Module, project: nn.Module, head: nn.Module, *, features: int, frozen: bool = False
    ) -> None:
        super().__init__()
        self.backbone, self.project, self.head = backbone, project, head
        self.features, self.frozen = features, frozen
        if frozen:
            backbone.requires_grad_(False)

    def forward(self, clips: Tensor) -> Tensor:
        """Return logits (N, K) for normalized clips (N, T, C, H, W)."""
        return self.answer(self.look(clips))

    def look(self, clips: Tensor) -> Tensor:
        """Return the features (N, T, D) of frames (N, T, C, H, W), each seen by itself."""
        count, frames = clips.shape[:2]
        seen: Tensor = self.project(self.backbone(clips.flatten(0, 1)))
        return seen.reshape(count, frames, self.features)

    def answer(self, window: Tensor) -> Tensor:
        """Return logits (N, K) for the features (N, T, D) of frames in their order."""
        logits: Tensor = self.head(window)
        return logits

    def train(self, mode: bool = True) -> "Cnn":
        """Set the mode; a frozen backbone always evaluates: its statistics are kept, too."""
        super().train(mode)
        if self.frozen:
            self.backbone.eval()
        return self

    @torch.no_grad()
    def learn_from(self, images: Tensor) -> None:
        """Show frames of normalized training clips (N, T, C, H, W) to a backbone that wants to see some."""
        if isinstance(self.backbone, models.LearnsFromImages) and not self.frozen:
            self.backbone.learn_from(images.flatten(0, 1))


class Reading(nn.Module):
    """All of a network but its backbone, under the same names: (N, T, B) → (N, K)."""

    def __init__(self, network: Cnn) -> None:
        super().__init__()
        self.project, self.head = network.project, network.head

    def forward(self, seen: Tensor) -> Tensor:
        """Return logits (N, K) for what the backbone made of frames, (N, T, B)."""
        logits: Tensor = self.head(self.project(seen))
        return logits


class _Placed(nn.Module):
    """A nano that says what there is and where: (N, C, H, W) → (N, D).

    What is the maximum over its last maps, as in nano. Where is read from the maps of the stage before, a few
    numbers for each place, weighed place by place: without that the same thing elsewhere would be the same,
    and nothing could be said of a movement.
    """

    def __init__(self, plain: Nano, *, channels: int, size: int, inner: int) -> None:
        super().__init__()
        self.nano = plain
        self.reduce = nn.Conv2d(inner, _PLACED, 1)
        with torch.no_grad():  # evaluating: zeros must not count among what the norms have seen
            maps, _ = self.eval()._maps(torch.zeros(1, channels, size, size))
        self.train()
        self.where = nn.Linear(_PLACED * maps.shape[2] * maps.shape[3], _FEATURES)

    def forward(self, images: Tensor) -> Tensor:
        """Return features (N, D) for normalized images (N, C, H, W)."""
        before, last = self._maps(images)
        what: Tensor = self.nano.head(last.amax(dim=(2, 3)))
        where: Tensor = self.where(self.reduce(before).flatten(1))
        return what + where

    def _maps(self, images: Tensor) -> tuple[Tensor, Tensor]:
        first, second, third = self.nano.stages
        before = second(first(self.nano.stem(self.nano.whiten(images))))
        return before, third(before)

    def learn_from(self, images: Tensor) -> None:
        """Show normalized training images (N, C, H, W) to the nano."""
        self.nano.learn_from(images)


class _Recurrent(nn.Module):
    """The last state of a recurrent network over (N, T, D), and a linear layer: (N, K)."""

    def __init__(self, recurrent: nn.GRU | nn.LSTM, classes: int) -> None:
        super().__init__()
        self.recurrent = recurrent
        self.last = nn.Linear(recurrent.hidden_size, classes)

    def forward(self, window: Tensor) -> Tensor:
        states, _ = self.recurrent(window)
        logits: Tensor = self.last(states[:, -1])
        return logits


class _Pooled(nn.Module):
    """Mean and, if wanted, maximum over the frames, and a linear layer: (N, T, D) → (N, K).

    Of the mean alone it is the mean of the logits that each frame would get, as the layer is linear.
    """

    def __init__(self, features: int, classes: int, *, maximum: bool) -> None:
        super().__init__()
        self.maximum = maximum
        self.last = nn.Linear(features * (1 + maximum), classes)

    def forward(self, window: Tensor) -> Tensor:
        pooled = window.mean(1)
        if self.maximum:
            pooled = torch.cat([pooled, window.amax(1)], dim=1)
        logits: Tensor = self.last(pooled)
        return logits


def cnn(
    *,
    channels: int,
    classes: int,
    size: int,
    head: Head,
    backbone: str | Sequence[int] = "nano",
    start: Start = "scratch",
) -> Cnn:
    """Return a new network for clips of any number of frames.

    Args:
        channels: Of the frames, ≥ 1.
        classes: K ≥ 2.
        size: Side of the frames in pixels, ≥ 16 and as the backbone needs it.
        head: What reads the frames: `gru`, `lstm`, `pool` or `frame`.
        backbone: What looks at each: `nano`, which keeps where things are, or any other network for pictures
            of `models/`, with 64 outputs in place of classes. Auxiliary classifiers of it are left out.
            Three numbers are the channels of a nano's stages; by its name it has 32, 64 and 128.
        start: Of the backbone: `scratch`; `transfer`, built without its head and what only widens the input
            of that, so that weights from elsewhere fit; or `frozen`, built so and left as it is, weights and
            statistics.

    Raises:
        UsageError: `bad_backbone`: it is a baseline, or takes clips itself; `no_transfer`: it is nano and
            does not start from scratch.
        RecipeError: `wrong_size`: it takes no frames that small.
    """
    reader = _head(head, classes)
    if start == "scratch":
        look = _backbone(backbone, channels=channels, size=size)
        return Cnn(look, nn.Identity(), reader, features=_FEATURES)
    if backbone == "nano" or not isinstance(backbone, str):
        raise UsageError(
            "of nano a network for clips has a form of its own, which weights from elsewhere do not fit",
            code="no_transfer",
            hint="--backbone takes efficientnet-lite0, resnet18 …; or train from scratch",
        )
    found = _architecture(backbone, size)
    plain = without_expansion(found(channels=channels, classes=classes, size=size), found.expansion)
    project = nn.Linear(head_of(plain)[1].in_features, _FEATURES)
    return Cnn(without_head(plain), project, reader, features=_FEATURES, frozen=start == "frozen")


def _head(kind: Head, classes: int) -> nn.Module:
    if kind == "gru":
        return _Recurrent(nn.GRU(_FEATURES, _FEATURES, batch_first=True), classes)
    if kind == "lstm":
        return _Recurrent(nn.LSTM(_FEATURES, _FEATURES, batch_first=True), classes)
    return _Pooled(_FEATURES, classes, maximum=kind == "pool")


def _backbone(name: str | Sequence[int], *, channels: int, size: int) -> nn.Module:
    if name == "nano" or not isinstance(name, str):
        widths = _WIDTHS if isinstance(name, str) else tuple(name)
        plain = nano(channels=channels, classes=_FEATURES, size=size, widths=widths)
        return _Placed(plain, channels=channels, size=size, inner=widths[-2])
    return _architecture(name, size)(channels=channels, classes=_FEATURES, size=size)


def _architecture(name: str, size: int) -> Architecture:
    """Return the architecture of a backbone that looks at frames of a size."""
    card = models.card(name)
    if card.kind != "network" or card.task != "classify":
        raise UsageError(
            f"{name} is no network that looks at a frame",
            code="bad_backbone",
            hint="--backbone takes a network for pictures: nano, resnet18 …",
        )
    found = models.architecture(name)
    if size < found.smallest_size:
        raise RecipeError(
            f"the backbone {catalog.spoken(name)} needs frames of at least {found.smallest_size} pixels; "
            f"got {size}",
            code="wrong_size",
            hint=f"--size {found.smallest_size} or more, or another --backbone",
        )
    return found
