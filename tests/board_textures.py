"""Boards as textures, and a recognizer of pairs whose score is how much a board differs from its template."""

import io

import numpy as np
from PIL import Image

from foveal.bundle import archive, golden
from foveal.bundle.engines.onnxruntime import onnxruntime

# Of three layers `red` is the inspected picture, `green` the template and `blue` their difference.
RULE = {"accept_below": 0.042, "reject_from": 0.045, "chosen": ["accept_below", "reject_from"]}
QUALITY = {"layers": 3, "light_from": 60, "crispness_from": 0.9, "correlation_from": 0.6, "shift_to": 2}
PAIRS = {"size": 64, "channels": 3, "mean": [0, 0, 0], "std": [1, 1, 1], "pair": "registered"}


def texture(seed):
    rng = np.random.default_rng(seed)
    coarse = rng.permutation(np.arange(144) % 2).reshape(12, 12).astype(np.uint8) * 160 + 40
    return np.kron(coarse, np.ones((16, 16), np.uint8))


def png(pixels) -> bytes:
    target = io.BytesIO()
    Image.fromarray(pixels).save(target, "PNG")
    return target.getvalue()


def defective(seed):
    """Return a board with a defect of 48 by 48 pixels."""
    pixels = texture(seed)
    pixels[48:96, 48:96] = 240 - pixels[48:96, 48:96]
    return pixels


def seal_comparing(path, classifier, draft):
    """Seal the recognizer; see `classifier` and `draft` in conftest.py."""
    model = classifier(size=64)
    stated = draft(preprocess=PAIRS, inspection={**RULE, "good": ["red", "green"], "quality": QUALITY})
    vectors = golden.measure(onnxruntime(model, threads=1), stated.preprocess)
    archive.seal(path, stated, model=model, golden=vectors, force=True)
    return path
