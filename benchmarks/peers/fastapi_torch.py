"""Plain FastAPI around a torch network, as tutorials show it: python fastapi_torch.py RUN PORT WORKERS.

In the network's favour: channels_last, one torch thread in each worker, `inference_mode`.
"""

import io
import os
import sys
from pathlib import Path

import numpy as np
import torch
import uvicorn
from fastapi import FastAPI, UploadFile
from PIL import Image

from foveal.tasks import recognizer

torch.set_num_threads(1)
RUN = Path(os.environ.get("PEER_RUN") or sys.argv[1])
LOADED = recognizer.load(RUN / "model")
NETWORK = LOADED.network.eval().to(memory_format=torch.channels_last)
PREPROCESS, CLASSES = LOADED.preprocess, LOADED.classes
MEAN, STD = (torch.tensor(values).view(1, -1, 1, 1) for values in (PREPROCESS.mean, PREPROCESS.std))
app = FastAPI()


@app.post("/predict")
def predict(image: UploadFile) -> dict[str, object]:
    """Answer for one picture; FastAPI runs this in a thread."""
    picture = Image.open(io.BytesIO(image.file.read())).convert("RGB")
    size, (width, height) = PREPROCESS.size, picture.size
    side = min(width, height)
    left, top = (width - side) / 2, (height - side) / 2
    box = (left, top, left + side, top + side)
    pixels = np.asarray(picture.resize((size, size), Image.Resampling.BILINEAR, box=box))
    batch = torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].float() / 255
    batch = ((batch - MEAN) / STD).contiguous(memory_format=torch.channels_last)
    with torch.inference_mode():
        probabilities = NETWORK(batch).softmax(1)[0]
    best = int(probabilities.argmax())
    return {"label": CLASSES[best], "confidence": float(probabilities[best])}


if __name__ == "__main__":
    os.environ["PEER_RUN"] = sys.argv[1]
    sys.path.insert(0, str(Path(__file__).parent))
    port, workers = int(sys.argv[2]), int(sys.argv[3])
    uvicorn.run("fastapi_torch:app", port=port, workers=workers, log_level="error", access_log=False)
