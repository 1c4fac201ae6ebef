"""C12: whether changes that no person would notice change the answer."""

import io
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from PIL import Image

from foveal.certify.claim import Claim
from foveal.certify.measurement import Measurement, Section
from foveal.certify.profile import Profile
from foveal.certify.subject import Subject
from foveal.data.clip import framewise
from foveal.data.dataset import UInt8
from foveal.metrics.clopper_pearson import clopper_pearson

_FLIPS = Claim(
    "benign_flips", "answers that change under harmless changes, the worst of them", "estimate", "at_most"
)
_DEGREES = 5


def _claims(profile: Profile) -> Sequence[Claim]:
    return (_FLIPS,)


def _changes(size: int) -> dict[str, Callable[[UInt8], UInt8]]:
    """Return harmless changes to one picture by name; shifts are 2 pixels of 224, at least one."""
    by = max(1, round(2 * size / 224))
    return {
        "jpeg 95": lambda image: _written(image, "JPEG", quality=95),
        "jpeg 75": lambda image: _written(image, "JPEG", quality=75),
        "webp 90": lambda image: _written(image, "WEBP", quality=90),
        "shifted right": lambda image: _shifted(image, by, axis=1),
        "shifted down": lambda image: _shifted(image, by, axis=0),
        f"turned {_DEGREES}° left": lambda image: _turned(image, _DEGREES),
        f"turned {_DEGREES}° right": lambda image: _turned(image, -_DEGREES),
        "resampled": _resampled,
    }


def _measure(subject: Subject) -> Section:
    images, _ = subject.test.some(subject.level.invariant)
    before = subject.named(images)
    flips: dict[str, tuple[int, int]] = {}
    told = subject.told("harmless changes")
    changes = _changes(images.shape[-2])
    for place, (name, change) in enumerate(changes.items()):
        changed = framewise(partial(_each, change), images)  # of films every frame alike
        turned = int((subject.named(changed) != before).sum())
        flips[name] = (turned, len(images))
        told(place + 1, len(changes))
    rows = [{"change": name, "flips": clopper_pearson(*found).as_json()} for name, found in flips.items()]
    found = _FLIPS.worst(
        flips,
        note=f"of {len(flips)} changes the one that turns most; right and wrong answers count alike",
        details={"changes": rows},
    )
    return Section((found,))


def _each(change: Callable[[UInt8], UInt8], images: UInt8) -> UInt8:
    return np.stack([change(image) for image in images])


def _written(image: UInt8, kind: str, *, quality: int) -> UInt8:
    channels = [image] if image.shape[2] == 3 else [image[:, :, k] for k in range(image.shape[2])]
    back = []
    for pixels in channels:
        file = io.BytesIO()
        Image.fromarray(np.ascontiguousarray(pixels)).save(file, kind, quality=quality)
        with Image.open(file) as opened:
            # WebP knows no grey pictures: it gives three equal channels back.
            read = np.asarray(opened if pixels.ndim == 3 else opened.convert("L"))
        back.append(read if read.ndim == 3 else read[:, :, None])
    return np.concatenate(back, axis=2)


def _shifted(image: UInt8, by: int, *, axis: int) -> UInt8:
    margins = [(0, 0)] * 3
    margins[axis] = (by, 0)
    return np.pad(image, margins, mode="edge").take(range(image.shape[axis]), axis=axis)


def _turned(image: UInt8, degrees: float) -> UInt8:
    height, width = image.shape[:2]
    wide = np.pad(image, [(height // 4,) * 2, (width // 4,) * 2, (0, 0)], mode="symmetric")
    layers = [
        np.asarray(Image.fromarray(wide[:, :, k]).rotate(degrees, resample=Image.Resampling.BILINEAR))
        for k in range(image.shape[2])
    ]
    turned = np.stack(layers, axis=2)
    top, left = height // 4, width // 4
    return turned[top : top + height, left : left + width]


def _resampled(image: UInt8) -> UInt8:
    """Enlarge a picture to one and a half times its size and bring it back with another filter."""
    height, width = image.shape[:2]
    layers = []
    for k in range(image.shape[2]):
        large = Image.fromarray(image[:, :, k]).resize(
            (round(1.5 * width), round(1.5 * height)), Image.Resampling.BICUBIC
        )
        layers.append(np.asarray(large.resize((width, height), Image.Resampling.LANCZOS)))
    return np.stack(layers, axis=2)


invariance = Measurement("C12", "Harmless changes", _claims, _measure)
