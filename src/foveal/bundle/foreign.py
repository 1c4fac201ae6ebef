"""Say what a file that is no bundle is, from its first bytes; nothing of it is ever loaded."""

from pathlib import Path

from foveal.core.errors import BundleError

_EXPORT = "train one: foveal train DATA writes NAME.foveal into its run folder"
_CODE = f"foveal never opens it, because opening it runs whatever code its maker put in; {_EXPORT}"
_PACKED = "use the file as foveal wrote it; foveal info shows what is in it without unpacking"
_BARE = f"it lacks the classes, the preprocessing and the decision thresholds; {_EXPORT}"

_MAGIC = (
    (b"\x89HDF\r\n\x1a\n", 0, "an HDF5 file, such as a Keras model", _CODE),
    (b"\x93NUMPY", 0, "a NumPy array", _BARE),
    (b"TFL3", 4, "a TensorFlow Lite model", _BARE),
    (b"ORTM", 4, "a model in ONNX Runtime's own format", _BARE),
    (b"GGUF", 0, "a GGUF language model", _BARE),
    (b"\x1f\x8b", 0, "a gzip file, perhaps a compressed joblib dump", _CODE),
    (b"BZh", 0, "a bzip2 file, perhaps a compressed joblib dump", _CODE),
    (b"\xfd7zXZ", 0, "an xz file, perhaps a compressed joblib dump", _CODE),
    (b"\x04\x22\x4d\x18", 0, "an LZ4 file, perhaps a compressed joblib dump", _CODE),
    (b"\xff\xd8\xff", 0, "a JPEG picture", "the model comes first: foveal predict MODEL INPUT…"),
    (b"\x89PNG\r\n", 0, "a PNG picture", "the model comes first: foveal predict MODEL INPUT…"),
)


def refusal(content: bytes, path: Path) -> BundleError:
    """Return the error for a file that is no bundle, saying what it is and what to do."""
    what, hint = _recognize(content)
    return BundleError(f"{path} is not a foveal bundle but {what}", code="not_a_bundle", hint=hint, path=path)


def _recognize(content: bytes) -> tuple[str, str]:
    if not content:
        return "an empty file", _EXPORT
    if content.startswith(b"PK"):
        return _recognize_zip(content)
    for magic, offset, what, hint in _MAGIC:
        if content.startswith(magic, offset):
            return what, hint
    if content[:1] == b"\x78" and int.from_bytes(content[:2], "big") % 31 == 0:  # RFC 1950
        return "a zlib stream, perhaps a compressed joblib dump", _CODE
    if content[:1] == b"\x80" and content[1:2] in b"\x02\x03\x04\x05" and content.rstrip(b"\n")[-1:] == b".":
        return "a pickled Python object, such as a scikit-learn or PyTorch model", _CODE
    if content[:1] == b"\x80" and content[1:2] <= b"\x05":
        return "an old PyTorch checkpoint (pickled Python objects)", _CODE
    if content[8:9] == b"{" and int.from_bytes(content[:8], "little") < len(content):
        return "a safetensors file: weights without the network", _EXPORT
    # An ONNX file is a protobuf that starts with its version: field 1, a small number.
    if content[:1] == b"\x08" and content[1:2] < b"\x20" and content[2:3] in b"\x12\x1a\x22\x3a\x42":
        return "a bare ONNX model", _BARE
    return "something foveal does not know", _EXPORT


def _recognize_zip(content: bytes) -> tuple[str, str]:
    if b"manifest.json" in content and b"model.onnx" in content:
        return "a zip with the members of one: unpacked and packed again, it cannot be verified", _PACKED
    if b"/data.pkl" in content or b"/constants.pkl" in content:
        return "a PyTorch checkpoint or TorchScript archive (pickled Python objects)", _CODE
    if b".weights.h5" in content:
        return "a Keras model", _CODE
    if b".npy" in content:
        return "a NumPy .npz archive", _BARE
    return "a zip archive of something else", _EXPORT
