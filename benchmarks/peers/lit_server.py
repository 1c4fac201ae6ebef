"""LitServe around the same network: python lit_server.py RUN BUNDLE PORT WORKERS torch|onnx.

`torch` is what its users write; `onnx` runs the very file that foveal runs, with the same decoding, so that
only the server differs.
"""

import io
import sys
from pathlib import Path

import litserve
import numpy as np
from PIL import Image


class Recognize(litserve.LitAPI):
    """One picture in a multipart form, one label."""

    def setup(self, device: str) -> None:
        """Load the network in this worker."""
        self.kind = sys.argv[5]
        if self.kind == "onnx":
            from foveal.bundle.predictor import Predictor

            predictor = Predictor.open(sys.argv[2], engine="onnxruntime", precision="fp32", threads=1)
            self.run, self.preprocess, self.classes = predictor.run, predictor.preprocess, predictor.classes
            return
        import torch

        from foveal.tasks import recognizer

        torch.set_num_threads(1)
        loaded = recognizer.load(Path(sys.argv[1]) / "model")
        self.torch, self.preprocess, self.classes = torch, loaded.preprocess, loaded.classes
        self.network = loaded.network.eval().to(memory_format=torch.channels_last)
        scales = (loaded.preprocess.mean, loaded.preprocess.std)
        self.mean, self.std = (torch.tensor(values).view(1, -1, 1, 1) for values in scales)

    def decode_request(self, request):  # noqa: ANN001, ANN201  # its annotation decides how LitServe reads
        """Return the pixels at model size."""
        picture = Image.open(io.BytesIO(request["image"].file.read())).convert("RGB")
        return self.preprocess(np.asarray(picture))

    def predict(self, pixels: np.ndarray) -> np.ndarray:
        """Return the probabilities."""
        if self.kind == "onnx":
            return self.run(pixels[None])[0][0]
        batch = self.torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].float() / 255
        batch = ((batch - self.mean) / self.std).contiguous(memory_format=self.torch.channels_last)
        with self.torch.inference_mode():
            return self.network(batch).softmax(1)[0].numpy()

    def encode_response(self, probabilities: np.ndarray) -> dict[str, object]:
        """Return the answer."""
        best = int(probabilities.argmax())
        return {"label": self.classes[best], "confidence": float(probabilities[best])}


if __name__ == "__main__":
    server = litserve.LitServer(Recognize(), accelerator="cpu", workers_per_device=int(sys.argv[4]))
    server.run(port=int(sys.argv[3]), host="127.0.0.1", log_level="error", generate_client_file=False)
