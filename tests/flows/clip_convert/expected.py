"""Ask `transformers` what the tiny network answers, and write `expected.json`; not part of the tests.

PYTHONPATH=FOLDER-WITH-TRANSFORMERS python tests/flows/clip_convert/expected.py
"""

import json
import sys
import tempfile
from pathlib import Path

import torch


def unit(vectors: torch.Tensor) -> list[list[float]]:
    return torch.nn.functional.normalize(vectors, dim=1).tolist()


def main() -> None:
    sys.path.insert(0, str(Path(__file__).parent))
    import tiny
    import transformers  # here: it is not installed where the tests run, and pytest reads this file

    with tempfile.TemporaryDirectory() as name:
        tiny.write(Path(name))
        model = transformers.CLIPModel.from_pretrained(name).eval()
        words = transformers.CLIPTokenizer(
            vocab=str(Path(name) / "vocab.json"), merges=str(Path(name) / "merges.txt")
        )
    tokens = {text: words(text)["input_ids"] for text in tiny.TEXTS}
    found: dict[str, object] = {"transformers": transformers.__version__, "tokens": tokens}
    texts = []
    with torch.no_grad():
        for numbers in tokens.values():
            answer = model(input_ids=torch.tensor([numbers]), pixel_values=tiny.images())
            texts.append(answer.text_embeds[0])
        found["texts"] = unit(torch.stack(texts))
        found["images"] = unit(answer.image_embeds)
        cosines = torch.tensor(found["images"]) @ torch.tensor(found["texts"]).T
        found["logits_per_image"] = (model.logit_scale.exp() * cosines).tolist()
        assert torch.allclose(
            torch.tensor(found["logits_per_image"])[:, -1:], answer.logits_per_image, atol=1e-4
        )
    path = Path(__file__).parent / "expected.json"
    path.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", "utf-8")


if __name__ == "__main__":
    main()
