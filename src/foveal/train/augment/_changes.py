"""Simple changes of many pictures at once, from which others are mixed.

Each takes images (N, C, H, W), normalized, of clips (N, T·C, H, W), an amount for each in [0, 1] and beyond,
(N,), and the step's batch, which gives the generator and the channels of a frame; it returns new images. Grey
levels have no fixed range after normalization: the darkest and brightest value of a channel in the batch
stand for black and white. Whatever is measured of a clip is measured over all of its frames.
"""

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from foveal.train.objective import Batch

Change = Callable[[Tensor, Tensor, Batch], Tensor]

_TURN = torch.pi / 6  # 30° at amount 1
_SHEAR = 0.3
_MOVE = 0.33  # of the side


def one_each(images: Tensor, changes: Sequence[Change], amounts: Tensor, batch: Batch) -> Tensor:
    """Return each image after one of the changes, drawn for it alone."""
    drawn = torch.randint(len(changes), (len(images),), generator=batch.generator)
    result = images.clone()
    for number, change in enumerate(changes):
        chosen = (drawn == number).nonzero()[:, 0]
        if len(chosen):
            result[chosen] = change(images[chosen], amounts[chosen], batch)
    return result


def rotated(images: Tensor, amounts: Tensor, batch: Batch) -> Tensor:
    """Turn by up to 30°, to either side."""
    angle = _signed(amounts, batch) * _TURN
    return _mapped(images, [angle.cos(), -angle.sin(), angle.sin(), angle.cos()])


def sheared(images: Tensor, amounts: Tensor, batch: Batch) -> Tensor:
    """Shear by up to 0.3, along rows or columns."""
    amount, along = _signed(amounts, batch) * _SHEAR, _coin(amounts, batch)
    one = torch.ones_like(amount)
    return _mapped(images, [one, amount * along, amount * (1 - along), one])


def moved(images: Tensor, amounts: Tensor, batch: Batch) -> Tensor:
    """Shift by up to a third of the side, along rows or columns."""
    amount, along = _signed(amounts, batch) * (2 * _MOVE), _coin(amounts, batch)
    one, still = torch.ones_like(amount), torch.zeros_like(amount)
    return _mapped(images, [one, still, still, one], (amount * along, amount * (1 - along)))


def stretched(images: Tensor, amounts: Tensor, batch: Batch) -> Tensor:
    """Stretch the grey levels of each channel over the whole range; the amount says how far towards that."""
    black, white = _range(images, batch)
    frames = _frames(images, batch)
    low, high = _planes(frames.amin((1, 3, 4)), frames), _planes(frames.amax((1, 3, 4)), frames)
    full = (images - low) / (high - low).clamp(min=1e-6) * (white - black) + black
    return images.lerp(full, _wide(amounts.clamp(max=1)))


def coarsened(images: Tensor, amounts: Tensor, batch: Batch) -> Tensor:
    """Keep few grey levels: from 64 at amount 0 to 4 at amount 1."""
    black, white = _range(images, batch)
    step = (white - black).clamp(min=1e-6) / (2 ** (6 - 4 * _wide(amounts.clamp(max=1)))).round()
    return ((images - black) / step).floor() * step + black


def inverted(images: Tensor, amounts: Tensor, batch: Batch) -> Tensor:
    """Turn over what is brighter than a threshold: white at amount 0, the middle at amount 1."""
    black, white = _range(images, batch)
    threshold = white - (white - black) * 0.5 * _wide(amounts.clamp(max=1))
    return torch.where(images > threshold, white + black - images, images)


def brightened(images: Tensor, amounts: Tensor, batch: Batch) -> Tensor:
    """Add up to 1.2 standard deviations, or take as much away."""
    return _kept(images + _wide(_signed(amounts, batch) * 1.2), images, batch)


def flattened(images: Tensor, amounts: Tensor, batch: Batch) -> Tensor:
    """Draw the grey levels together around the mean of each channel, to a fifth at amount 1."""
    frames = _frames(images, batch)
    mean = _planes(frames.mean((1, 3, 4)), frames)
    return mean + (images - mean) * (1 - 0.8 * _wide(amounts.clamp(max=1)))


def blurred(images: Tensor, amounts: Tensor, batch: Batch) -> Tensor:
    """Convolve with a Gaussian of up to 4 % of the side; edges repeat."""
    sigma = (amounts * 0.04 * min(images.shape[2:])).clamp(min=1e-3)
    reach = int((2.5 * sigma.max()).ceil())
    offsets = torch.arange(-reach, reach + 1)
    kernels = torch.exp(-0.5 * (offsets / sigma[:, None]) ** 2)
    kernels = (kernels / kernels.sum(1, keepdim=True)).repeat_interleave(images.shape[1], 0)
    planes = F.pad(images, (reach,) * 4, mode="replicate").flatten(0, 1)[None]
    planes = F.conv2d(planes, kernels[:, None, :, None], groups=len(kernels))
    planes = F.conv2d(planes, kernels[:, None, None, :], groups=len(kernels))
    return planes.view(images.shape)


def blocky(images: Tensor, amounts: Tensor, batch: Batch) -> Tensor:
    """Show fewer pixels: down to 0.4 of the side, by the mean amount and so the same for all images."""
    share = 1 - 0.6 * float(amounts.mean().clamp(max=1))
    size = [max(1, round(side * share)) for side in images.shape[2:]]
    few = F.interpolate(images, size=size, mode="area")
    return F.interpolate(few, size=list(images.shape[2:]), mode="nearest")


def noisy(images: Tensor, amounts: Tensor, batch: Batch) -> Tensor:
    """Add normal noise of up to 0.6 standard deviations."""
    drawn = torch.randn(images.shape, generator=batch.generator)
    return _kept(images + drawn * _wide(amounts * 0.6), images, batch)


def _signed(amounts: Tensor, batch: Batch) -> Tensor:
    return amounts * (2 * _coin(amounts, batch) - 1)


def _coin(amounts: Tensor, batch: Batch) -> Tensor:
    return torch.randint(2, amounts.shape, generator=batch.generator).float()


def _wide(amounts: Tensor) -> Tensor:
    return amounts[:, None, None, None]


def _range(images: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
    frames = _frames(images, batch)
    return _planes(frames.amin((0, 1, 3, 4))[None], frames), _planes(frames.amax((0, 1, 3, 4))[None], frames)


def _frames(images: Tensor, batch: Batch) -> Tensor:
    """Return (N, T, C, H, W); of pictures T is 1."""
    return images.reshape(len(images), -1, batch.channels, *images.shape[2:])


def _planes(values: Tensor, frames: Tensor) -> Tensor:
    """Return values for each channel, (M, C), so that they meet the planes of all frames, (M, T·C, 1, 1)."""
    return values.repeat(1, frames.shape[1])[:, :, None, None]


def _kept(changed: Tensor, images: Tensor, batch: Batch) -> Tensor:
    """Return the values stopped at black and white."""
    black, white = _range(images, batch)
    return torch.minimum(torch.maximum(changed, black), white)


def _mapped(images: Tensor, square: list[Tensor], move: tuple[Tensor, Tensor] | None = None) -> Tensor:
    """Return images under the affine map of each; mirrored beyond the edges.

    Args:
        images: (N, C, H, W).
        square: Its four numbers by rows, (N,) each.
        move: Across and down, in halves of the side, (N,) each; None: none.
    """
    across, down = move or (torch.zeros_like(square[0]),) * 2
    maps = torch.stack([*square[:2], across, *square[2:], down], dim=1).view(-1, 2, 3)
    grid = F.affine_grid(maps, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, padding_mode="reflection", align_corners=False)
