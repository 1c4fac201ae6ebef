"""bundle.foreign: every model file people have lying around is named, never opened."""

import io
import pickle
import struct
import zipfile
from pathlib import Path

import joblib
import numpy as np
import onnx
import pytest
import safetensors.numpy
import torch

from foveal.bundle.foreign import refusal

WHERE = Path("model.bin")


def saved(save, *arguments) -> bytes:
    file = io.BytesIO()
    save(*arguments, file)
    return file.getvalue()


def zipped(*names: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in names:
            archive.writestr(name, b"x")
    return file.getvalue()


def npz() -> bytes:
    file = io.BytesIO()
    np.savez(file, weights=np.ones(3))
    return file.getvalue()


def dumped(**options) -> bytes:
    file = io.BytesIO()
    joblib.dump({"weights": np.ones(50)}, file, **options)
    return file.getvalue()


CASES = {
    "torch zip": (saved(torch.save, {"w": torch.ones(2)}), "PyTorch checkpoint"),
    "old torch": (
        saved(
            lambda value, file: torch.save(value, file, _use_new_zipfile_serialization=False), torch.ones(2)
        ),
        r"old PyTorch checkpoint \(pickled",
    ),
    **{f"protocol {n}": (pickle.dumps({"a": 1}, protocol=n), "pickled Python object") for n in range(2, 6)},
    "joblib": (dumped(), "pickled Python"),
    "joblib zlib": (dumped(compress=("zlib", 3)), "zlib stream, perhaps a compressed joblib dump"),
    "joblib gzip": (dumped(compress=("gzip", 3)), "gzip file"),
    "joblib xz": (dumped(compress=("xz", 3)), "xz file"),
    "joblib bz2": (dumped(compress=("bz2", 3)), "bzip2 file"),
    "npz": (npz(), r"NumPy \.npz archive"),
    "npy": (saved(lambda array, file: np.save(file, array), np.ones(3)), "NumPy array"),
    "hdf5": (b"\x89HDF\r\n\x1a\n" + bytes(64), "HDF5 file, such as a Keras model"),
    "packed again": (zipped("golden_0.npy", "manifest.json", "model.onnx"), "unpacked and packed again"),
    "keras": (zipped("model.weights.h5"), "Keras model"),
    "safetensors": (safetensors.numpy.save({"w": np.ones(3)}), "safetensors file"),
    "tflite": (struct.pack("<I4s", 28, b"TFL3") + bytes(64), "TensorFlow Lite"),
    "ort": (struct.pack("<I4s", 28, b"ORTM") + bytes(64), "ONNX Runtime's own format"),
    "other zip": (zipped("letter.txt"), "zip archive of something else"),
    "jpeg": (b"\xff\xd8\xff\xe0" + bytes(64), "JPEG picture"),
    "empty": (b"", "an empty file"),
    "text": (b"hello", "something foveal does not know"),
}


@pytest.mark.parametrize("name", CASES)
def test_foreign_file_is_named(name) -> None:
    content, message = CASES[name]

    error = refusal(content, WHERE)

    assert error.code == "not_a_bundle"
    assert error.path == "model.bin"
    with pytest.raises(type(error), match=message):
        raise error
    assert error.hint, "it says what to do"


def test_bare_onnx_model_is_named(classifier) -> None:
    made_by_torch = onnx.load_from_string(classifier())
    made_by_torch.producer_name = "pytorch"

    for content in (classifier(), made_by_torch.SerializeToString()):
        assert "a bare ONNX model" in refusal(content, WHERE).message


@pytest.mark.parametrize("name", ["torch zip", "protocol 4", "joblib", "joblib zlib", "hdf5", "keras"])
def test_hint_for_what_can_run_code_says_so(name) -> None:
    assert "runs whatever code its maker put in" in refusal(CASES[name][0], WHERE).hint
