"""Row: a recurrent network that reads a picture row by row, as a text.

    (N, C, H, W) → rows (N, T, features) → GRU or LSTM → last state → linear → (N, K)

Time runs down the picture: step t sees row t, all its columns and channels, and nothing else. The answer is
read from the state after the last row, so everything above has to be remembered. Source of the idea: Le,
Jaitly & Hinton, "A Simple Way to Initialize Recurrent Networks of Rectified Linear Units", 2015, §4.2, there
pixel by pixel; of the cells: Cho et al., "Learning Phrase Representations using RNN Encoder-Decoder", 2014
(GRU) and Hochreiter & Schmidhuber, "Long Short-Term Memory", 1997. Rows and columns, each in both directions,
are the four sweeps of Visin et al., "ReNet", 2015, in one layer.

Hundreds of steps are slow and forgetful. From 46 pixels on a step therefore reads a band of 2, 4, 8 … rows,
as they are: about 32 steps, and no detail is averaged away.
"""

import math
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from foveal.models import Card, Settings

CARD = Card(
    family="row",
    kind="network",
    source="after Le et al. 2015, arXiv:1504.00941, and Visin et al. 2015, arXiv:1505.00393",
    summary="a recurrent network over rows, to compare with convolutional ones",
    idea="A picture is read row by row, as a text; the state after the last row decides.",
    smallest_size=4,
)
SETTINGS = Settings(
    optimizer="adam", learning_rate=3e-3, weight_decay=0.02, batch_size=256, warm_up_share=0.05
)
MEMBERS = {
    "row_gru": {"cell": "gru"},
    "row_lstm": {"cell": "lstm"},
    "row_gru_both": {"cell": "gru", "both": True},
    "row_lstm_both": {"cell": "lstm", "both": True},
}
_STEPS = 32  # about as many are read
_CELLS = {"gru": nn.GRU, "lstm": nn.LSTM}


class Row(nn.Module):
    """See the module; built by `row`."""

    def __init__(self, *, channels: int, classes: int, size: int, cell: str, both: bool, hidden: int) -> None:
        super().__init__()
        self.band = 2 ** max(0, round(math.log2(size / _STEPS)))
        reader, features = _CELLS[cell], self.band * channels * size
        self.down = reader(features, hidden, batch_first=True, bidirectional=both)
        self.across = reader(features, hidden, batch_first=True, bidirectional=True) if both else None
        self.head = nn.Linear(4 * hidden if both else hidden, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (N, K) for normalized images (N, C, H, W)."""
        state = _last_state(self.down, self.rows(images))
        if self.across is not None:
            state = torch.cat([state, _last_state(self.across, self.rows(images.mT))], dim=1)
        logits: Tensor = self.head(state)
        return logits

    def rows(self, images: Tensor) -> Tensor:
        """Return what each step reads, from the top down: (N, C, H, W) → (N, ⌈H / band⌉, band · C · W).

        Where H is no multiple of the band, the last band ends in zeros.
        """
        missing = -images.shape[2] % self.band
        images = F.pad(images, (0, 0, 0, missing)) if missing else images
        by_row = images.transpose(1, 2)  # (N, H, C, W)
        return by_row.reshape(by_row.shape[0], by_row.shape[1] // self.band, -1)


def _last_state(reader: nn.GRU | nn.LSTM, rows: Tensor) -> Tensor:
    """Return the state after the last step, of both directions side by side: (N, T, D) → (N, hidden or 2×).

    Every call starts from zeros; nothing is carried over from one to the next.
    """
    start = rows.new_zeros(2 if reader.bidirectional else 1, rows.shape[0], reader.hidden_size)
    if isinstance(reader, nn.LSTM):
        _, (state, _) = reader(rows, (start, start))
    else:
        _, state = reader(rows, start)
    last: Tensor = state.transpose(0, 1).flatten(1)
    return last


def row(
    *,
    channels: int,
    classes: int,
    size: int,
    cell: Literal["gru", "lstm"],
    both: bool = False,
    hidden: int = 192,
) -> Row:
    """Return a new recurrent reader of rows.

    Args:
        channels: Of the images, ≥ 1.
        classes: K ≥ 2.
        size: Side of the input in pixels, ≥ 4; from 46 on a step reads several rows.
        cell: What remembers.
        both: Whether rows and columns are read, each in both directions, instead of rows from the top.
        hidden: Numbers in a state.
    """
    return Row(channels=channels, classes=classes, size=size, cell=cell, both=both, hidden=hidden)
