"""What speaks for an answer, as a picture: the occlusion map of `foveal explain`, over HTTP."""

import base64
import io
from typing import Any

from PIL import Image

from foveal.bundle.inputs import UInt8
from foveal.bundle.predictor import Predictor
from foveal.core.errors import UnknownNameError
from foveal.explain.black_box.occlusion import UNIT, occlusion
from foveal.explain.overlay import overlay

_DIGITS = 5  # of the map's values, as in the document of `foveal explain`


def heat(predictor: Predictor, content: bytes, *, about: str | None = None) -> dict[str, Any]:
    """Return why a class got its probability, as values for JSON.

    `label` is the answer; `class` and `confidence` say what the map is about; `map` has `shape`, `unit` and
    `values`, above 0 where hiding the area weakens the class; `strongest` is the largest of them; `png` is
    the map over the picture at model size, in base64. It takes some 80 answers.

    Args:
        predictor: The recognizer.
        content: A picture file.
        about: The class to explain; None: the answer.

    Raises:
        UnknownNameError: There is no such class.
        ImageError: The picture cannot be used.
    """
    if about is not None and about not in predictor.classes:
        raise UnknownNameError("classes", about, predictor.classes)
    image = predictor.preprocess.from_bytes(content)
    shares = predictor.run(image[None]).probabilities[0]
    answer = int(shares.argmax())
    index = answer if about is None else predictor.classes.index(about)
    heatmap = occlusion(predictor, image, index)
    return {
        "label": predictor.classes[answer],
        "class": predictor.classes[index],
        "confidence": float(shares[index]),
        "map": {
            "shape": list(heatmap.shape),
            "unit": UNIT,
            "values": [[round(float(v), _DIGITS) for v in row] for row in heatmap],
        },
        "strongest": round(float(heatmap.max()), _DIGITS),
        "png": base64.b64encode(_png(overlay(image, heatmap))).decode(),
    }


def _png(pixels: UInt8) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()
