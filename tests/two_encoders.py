"""A network of pictures and texts with random weights, for what does not ask whether it is right."""

import torch

from foveal.data.preprocess import Preprocess
from foveal.data.texts.tokenizer import WordTokenizer
from foveal.tasks.image_text import Form, ImageText

TEXTS = ("a red circle left of a blue square", "a blue circle right of a red square, small")
DIMENSIONS, LENGTH = 12, 10


def two_encoders(*, seed: int = 0) -> ImageText:
    """Return encoders of pictures of 16 pixels and texts of ten numbers, which know the words of `TEXTS`."""
    tokenizer = WordTokenizer.learned([*TEXTS, *TEXTS], most=100)
    text = {
        "vocabulary": tokenizer.size,
        "length": LENGTH,
        "width": 32,
        "layers": 2,
        "heads": 2,
        "dimensions": DIMENSIONS,
        "end": tokenizer.end,
    }
    form = Form("nano", {"channels": 3, "classes": DIMENSIONS, "size": 16}, text)
    torch.manual_seed(seed)
    preprocess = Preprocess(size=16, channels=3, mean=(0.5,) * 3, std=(0.25,) * 3)
    return ImageText(form.build().eval(), form, tokenizer, preprocess)
