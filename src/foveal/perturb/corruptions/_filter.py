"""Convolution with mirrored edges, in an order of operations that every machine keeps."""

import math

import numpy as np
from numpy.typing import NDArray

from foveal.perturb.corruptions._pixels import Floats
from foveal.perturb.corruptions._severity import UInt8

_ONE = 2**15  # weights are whole parts of this, so that exp() of another machine gives the same ones
_FEW = 50  # taps; with more, the Fourier transform is faster


def gaussian(sigma: float, *, reach: int | None = None) -> NDArray[np.float64]:
    """Return weights of a Gaussian in whole parts of 2¹⁵, float64 (2·reach + 1,); sum 2¹⁵.

    Args:
        sigma: Standard deviation in pixels.
        reach: Pixels on each side; None: three standard deviations.
    """
    reach = math.ceil(3 * sigma) if reach is None else reach
    offsets = np.arange(-reach, reach + 1)
    return whole(np.exp(-(offsets**2) / (2 * sigma**2)))


def whole(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return weights in whole parts of 2¹⁵ with the sum 2¹⁵; the largest takes what rounding leaves."""
    parts: NDArray[np.float64] = np.rint(weights * (_ONE / weights.sum()))
    parts.flat[np.argmax(parts)] += _ONE - parts.sum()
    return parts


def blurred(images: UInt8 | Floats, kernel: NDArray[np.float64]) -> Floats:
    """Return images (N, H, W, C) convolved with the same weights along both sides."""
    return _along(_along(images, kernel, axis=1), kernel, axis=2)


def convolved(images: UInt8, kernel: NDArray[np.float64]) -> Floats:
    """Return images (N, H, W, C) convolved with a symmetric kernel (2r + 1, 2r + 1) of whole parts.

    Small kernels go tap by tap, large ones through Fourier space; both are exact, because the sums are
    whole numbers below 2²³.
    """
    reach = len(kernel) // 2
    padded = mirrored(images, reach, reach)
    if np.count_nonzero(kernel) > _FEW:
        total = _by_fourier(padded, kernel)
    else:
        total = np.zeros(images.shape, dtype=np.float32)
        height, width = images.shape[1:3]
        for row, column in np.argwhere(kernel):
            part = padded[:, row : row + height, column : column + width]
            total += part * np.float32(kernel[row, column])
    return total * np.float32(1 / _ONE)


def mirrored(images: UInt8 | Floats, down: int, across: int) -> Floats:
    """Return images (N, H, W, C) with margins that mirror them, also several times where they are smaller."""
    if down:
        images = images.take(_there_and_back(images.shape[1], down), axis=1)
    if across:
        images = images.take(_there_and_back(images.shape[2], across), axis=2)
    return images.astype(np.float32, copy=False)


def _there_and_back(length: int, margin: int) -> NDArray[np.intp]:
    places = np.arange(-margin, length + margin) % max(1, 2 * length)
    return np.minimum(places, 2 * length - 1 - places)


def _along(images: UInt8 | Floats, kernel: NDArray[np.float64], *, axis: int) -> Floats:
    reach, length = len(kernel) // 2, images.shape[axis]
    padded = mirrored(images, *(reach if axis == side else 0 for side in (1, 2)))
    total = np.zeros(images.shape, dtype=np.float32)
    for start, weight in enumerate(kernel * (1 / _ONE)):
        if weight:
            part = padded[:, start : start + length] if axis == 1 else padded[:, :, start : start + length]
            total += part * np.float32(weight)
    return total


def _by_fourier(padded: Floats, kernel: NDArray[np.float64]) -> Floats:
    height, width = (size - len(kernel) + 1 for size in padded.shape[1:3])
    sides = _round_up(padded.shape[1]), _round_up(padded.shape[2])
    spectrum = np.fft.rfft2(kernel[::-1, ::-1], sides)
    planes = np.ascontiguousarray(padded.transpose(0, 3, 1, 2), dtype=np.float64)
    sums = np.fft.irfft2(np.fft.rfft2(planes, sides) * spectrum, sides)
    first = len(kernel) - 1
    sums = sums[:, :, first : first + height, first : first + width]
    return np.ascontiguousarray(np.rint(sums).transpose(0, 2, 3, 1), dtype=np.float32)


def _round_up(length: int) -> int:
    """Return the next length that the transform is fast for: a power of two, or 1.5 times one."""
    power = 1 << (length - 1).bit_length()
    return power * 3 // 4 if length <= power * 3 // 4 else power
