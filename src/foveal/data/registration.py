"""How a template lies on an inspected picture, to a fraction of a pixel, and the template brought there.

First the whole shift that a Fourier transform finds, where the pictures do not nearly lie on each other, then
Gauss–Newton steps over shift, turn and scale: Baker & Matthews, "Lucas–Kanade 20 Years On", 2004, the inverse
compositional way, with residuals cut off so that a defect does not pull.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from foveal.core.errors import ImageError
from foveal.data.dataset import UInt8

NOT_REGISTERED = "not_registered"
_SIDE, _FINE = 160, 320  # pixels of the longer side that motion is looked for at, and refined at
_STILL = 0.25  # pixels at the corners below which nothing is moved
_LEVEL = 1.0  # pixels by which a turn alone moves the corners, below which nothing is turned
_NEAR = 4.0  # pixels at the corners up to which the coarser pictures tell enough
_ALIKE = 0.9  # correlation from which on what lies nearly still is believed to
_BETTER = 0.9  # of what correlation lacks, a motion has to leave no more than this
_WRONG = 0.5  # correlation below which the template is of something else
_SHIFT = 0.15  # of the longer side at most
_SCALE, _TURN = 0.05, math.radians(5)
_STEPS, _SETTLED = 8, 0.02
_CUT = 1.0  # deviations that a residual counts at most
_FLAT = 2.0  # grey levels of deviation below which there is nothing to go by
# What is expected before anything is seen: shift in pixels, growth and turn; and what differs by chance.
_EXPECTED = np.array([100.0, 100.0, 0.01, 0.01])
_CHANCE = 3.0

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]


@dataclass(frozen=True)
class Motion:
    """Where the places of the inspected picture lie on the template.

    Attributes:
        matrix: (x, y) of the inspected picture, in pixels from its corner, to that of the template:
            x' = matrix[:, :2] · x + matrix[:, 2], float64 (2, 3).
        correlation: Of both pictures once they lie on each other, from −1 to 1.
    """

    matrix: Float64
    correlation: float

    def farthest(self, height: int, width: int) -> float:
        """Return by how many pixels the corner that moves most does."""
        return _farthest(self.matrix, height, width)


def motion_between(inspected: UInt8, template: UInt8) -> Motion:
    """Return how a template lies on a picture.

    Args:
        inspected: Grey, uint8 (H, W).
        template: Of the same shape.

    Raises:
        ImageError: `not_registered`: they do not look alike however the template is laid, or it would have to
            be moved, turned or stretched by more than a fixture allows.
    """
    height, width = inspected.shape
    images = Image.fromarray(inspected), Image.fromarray(template)
    (first, factor), (second, _) = (_reduced(image, _SIDE) for image in images)
    if max(first.std(), second.std()) < _FLAT:
        return Motion(_identity(), 1.0)
    alike = correlation(first, second)
    aligner = _Aligner(first)
    matrix = aligner.settle(second, _identity())
    if alike < _ALIKE:
        other = aligner.settle(second, _shifted(first, second))
        matrix = max((matrix, other), key=lambda one: correlation(first, _moved(second, one)))
    if _farthest(matrix, *first.shape) * factor > _NEAR:
        (first, finer), (second, _) = (_reduced(image, _FINE) for image in images)
        matrix = _Aligner(first).settle(second, _scaled(matrix, factor / finer))
        alike, factor = correlation(first, second), finer
    reached = correlation(first, _moved(second, matrix))
    if 1 - reached > _BETTER * (1 - alike):
        matrix, reached = _identity(), alike
    found = Motion(_scaled(matrix, factor), reached)
    _check(found, height, width)
    return found


def _check(found: Motion, height: int, width: int) -> None:
    linear = found.matrix[:, :2]
    scale, turn = math.hypot(linear[0, 0], linear[1, 0]), math.atan2(linear[1, 0], linear[0, 0])
    middle = linear @ [width / 2, height / 2] + found.matrix[:, 2] - [width / 2, height / 2]
    shift = float(np.hypot(*middle))
    if found.correlation < _WRONG:
        raise ImageError(
            f"the template does not look like the picture (correlation {found.correlation:.2f})",
            code=NOT_REGISTERED,
            hint="take the template of this kind of part, photographed in the same way",
        )
    if shift > _SHIFT * max(height, width) or abs(scale - 1) > _SCALE or abs(turn) > _TURN:
        raise ImageError(
            f"the part lies {shift:.0f} pixels, {math.degrees(turn):.1f}° and {scale - 1:+.1%} in size "
            "off its template",
            code=NOT_REGISTERED,
            hint="place the part as the template was placed",
        )


def laid_on(template: Image.Image, motion: Motion, inspected: UInt8) -> UInt8:
    """Return a template in the places of the inspected picture, uint8 of its shape (H, W, C).

    Where the template ends, the inspected picture itself is taken: nothing differs there.
    """
    height, width, channels = inspected.shape
    if motion.farthest(height, width) < _STILL:
        return np.asarray(template).reshape(height, width, channels)
    if _turned(motion.matrix, height, width) < _LEVEL:
        return _stretched(template, motion.matrix, inspected)
    (a, b, c), (d, e, f) = motion.matrix
    moved = template.transform(
        (width, height), Image.Transform.AFFINE, (a, b, c, d, e, f), Image.Resampling.BILINEAR
    )
    x, y = np.arange(width) + 0.5, np.arange(height)[:, None] + 0.5
    across, down = a * x + b * y + c, d * x + e * y + f
    there = (across >= 0.5) & (across <= width - 0.5) & (down >= 0.5) & (down <= height - 0.5)
    return np.where(there[:, :, None], np.asarray(moved).reshape(height, width, channels), inspected)


def _turned(matrix: Float64, height: int, width: int) -> float:
    """Return by how many pixels a corner moves because of the turn alone."""
    return abs(float(matrix[1, 0])) * math.hypot(height, width) / 2


def _stretched(template: Image.Image, matrix: Float64, inspected: UInt8) -> UInt8:
    """Return the same without the turn: rows and columns one after the other take a quarter of the time."""
    height, width, channels = inspected.shape
    turned = matrix[:, :2] @ [width / 2, height / 2] + matrix[:, 2]
    scale = matrix[0, 0]
    starts = turned - scale * np.array([width / 2, height / 2])
    (left, right), (top, bottom) = (
        (max(0, math.ceil(-start / scale)), min(side, math.floor((side - start) / scale)))
        for start, side in zip(starts, (width, height), strict=True)
    )
    box = tuple(np.array([left, top, right, bottom]) * scale + np.tile(starts, 2))
    box = (max(0.0, box[0]), max(0.0, box[1]), min(float(width), box[2]), min(float(height), box[3]))
    moved = template.resize((right - left, bottom - top), Image.Resampling.BILINEAR, box=box)
    laid = inspected.copy()
    laid[top:bottom, left:right] = np.asarray(moved).reshape(bottom - top, right - left, channels)
    return laid


def correlation(first: NDArray[np.generic], second: NDArray[np.generic]) -> float:
    """Return how alike two grey pictures of one shape are, whatever their brightness and contrast: −1 to 1.

    Of two without any structure it is 1, of one without it is 0.
    """
    a, b = (np.asarray(part, np.float32) for part in (first, second))
    a, b = a - a.mean(), b - b.mean()
    lengths = float(np.sqrt((a * a).sum() * (b * b).sum()))
    if lengths == 0:
        return float(not a.any() and not b.any())
    return float((a * b).sum()) / lengths


class _Aligner:
    """Gauss–Newton steps that bring a template onto one picture."""

    def __init__(self, picture: Float32) -> None:
        """Compute what is the same in each step from the picture, float32 (h, w)."""
        self.height, self.width = picture.shape
        self.picture = _standard(picture)
        down, across = np.gradient(self.picture)
        x = (np.arange(self.width) - (self.width - 1) / 2)[None]
        y = (np.arange(self.height) - (self.height - 1) / 2)[:, None]
        # Shift along x and y, growth, and a turn about the middle.
        columns = [across, down, across * x + down * y, down * x - across * y]
        self.slopes = np.stack([column.ravel() for column in columns]).astype(np.float32)
        curvature = (self.slopes @ self.slopes.T).astype(np.float64)
        self.inverse = np.linalg.inv(curvature + np.diag(_CHANCE / _EXPECTED**2))

    def step(self, template: Float32, matrix: Float64) -> Float64:
        """Return a better matrix than the one that is given."""
        residual = np.clip(_standard(_moved(template, matrix)) - self.picture, -_CUT, _CUT)
        dx, dy, growth, turn = self.inverse @ (self.slopes @ residual.ravel()).astype(np.float64)
        middle = np.array([self.width / 2, self.height / 2])
        linear = np.array([[1 + growth, -turn], [turn, 1 + growth]])
        change = _whole(np.column_stack([linear, middle + np.array([dx, dy]) - linear @ middle]))
        stepped: Float64 = (_whole(matrix) @ np.linalg.inv(change))[:2]
        return stepped

    def settle(self, template: Float32, matrix: Float64) -> Float64:
        """Return the matrix from which no step leads on."""
        for _ in range(_STEPS):
            before, matrix = matrix, self.step(template, matrix)
            if not np.isfinite(matrix).all() or abs(np.linalg.det(matrix[:, :2]) - 1) > 0.5:
                return _identity()
            if _farthest(matrix - before + _identity(), self.height, self.width) < _SETTLED:
                break
        return matrix


def _shifted(picture: Float32, template: Float32) -> Float64:
    """Return the whole shift at which both correlate most, as their spectra tell."""
    height, width = picture.shape
    a, b = (np.fft.rfft2(_standard(part), s=(2 * height, 2 * width)) for part in (picture, template))
    product = np.conj(a) * b
    where = np.fft.irfft2(product / np.sqrt(np.abs(product) + 1e-6), s=(2 * height, 2 * width))
    most = max(1, round(_SHIFT * max(height, width)))
    near = np.concatenate([np.arange(most + 1), np.arange(-most, 0)])
    window = where[np.ix_(near, near)]
    down, across = np.unravel_index(int(window.argmax()), window.shape)
    return np.array([[1, 0, near[across]], [0, 1, near[down]]], np.float64)


def _reduced(image: Image.Image, side: int) -> tuple[Float32, int]:
    """Return a picture whose longer side is at most so long, float32, and by which factor it is smaller."""
    factor = math.ceil(max(image.size) / side)
    small = image if factor == 1 else image.reduce(factor)
    return np.asarray(small, np.float32), factor


def _standard(picture: Float32) -> Float32:
    standard: Float32 = (picture - picture.mean()) / max(float(picture.std()), 1e-3)
    return standard


def _moved(template: Float32, matrix: Float64) -> Float32:
    if (matrix == _identity()).all():
        return template
    height, width = template.shape
    image = Image.fromarray(template)
    fill = float(template.mean())
    moved = image.transform(
        (width, height), Image.Transform.AFFINE, tuple(matrix.ravel()), Image.Resampling.BILINEAR,
        fillcolor=fill,
    )  # fmt: skip
    return np.asarray(moved)


def _scaled(matrix: Float64, factor: float) -> Float64:
    """Return a matrix for pictures that are larger by a factor."""
    return np.column_stack([matrix[:, :2], matrix[:, 2] * factor])


def _farthest(matrix: Float64, height: int, width: int) -> float:
    corners = np.array([[0, 0], [width, 0], [0, height], [width, height]], np.float64)
    return float(np.hypot(*(corners @ matrix[:, :2].T + matrix[:, 2] - corners).T).max())


def _whole(matrix: Float64) -> Float64:
    return np.vstack([matrix, [0.0, 0.0, 1.0]])


def _identity() -> Float64:
    return np.eye(2, 3)
