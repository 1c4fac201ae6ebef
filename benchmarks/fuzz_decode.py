"""Feed the decoder bytes that a fuzzer makes from real files, and keep what it does not survive.

    python -m venv fuzz && fuzz/bin/pip install atheris .
    fuzz/bin/python benchmarks/fuzz_decode.py OUT --seconds 600

The promise: any bytes give pixels or an `ImageError`; no other exception, no warning, no file that takes
longer than ten seconds or more than a gigabyte. What breaks it lies in OUT afterwards (`crash-…`,
`timeout-…`, `oom-…`), and the command exits with another code than 0. `OUT/corpus` grows from run to run.
The coverage of Python code guides the fuzzer, that of Pillow's C code does not.
"""

import argparse
import io
import sys
import warnings
from pathlib import Path

import atheris
import numpy as np

sys.path.append(str(Path(__file__).parents[1] / "tests"))
from bad_inputs.made import with_right_checksums  # the tests' own

with atheris.instrument_imports(include=["foveal.data", "PIL"]):
    from PIL import Image

    from foveal.core.errors import ImageError
    from foveal.data.decode import Limits, decode

# The tests' own, and behind the instrumented imports, as it imports Pillow, too.
sys.path.append(str(Path(__file__).parents[1] / "tests"))

# Small enough that a second holds thousands of tries; the order of the checks is that of the default limits.
LIMITS = Limits(content_bytes=2**20, pixels=2**20, side=2**12, metadata_bytes=2**16)
_FORMATS = {
    "JPEG": [
        {},
        {"progressive": True},
        {"exif": b"Exif\0\0II*\0\x08\0\0\0\1\0\x12\1\3\0\1\0\0\0\6\0\0\0\0\0\0\0"},
    ],
    "PNG": [{}, {"save_all": True}, {"icc_profile": b"broken"}],
    "GIF": [{}, {"save_all": True}],
    "WEBP": [{}, {"lossless": True}, {"save_all": True}],
    "BMP": [{}],
}
_MODES = ("RGB", "L", "P", "RGBA", "LA", "1", "I;16", "CMYK")


def seeds() -> list[bytes]:
    """Return one small file of every format, mode and variant that Pillow writes."""
    noise = np.random.default_rng(0).integers(0, 256, (9, 13, 3), dtype=np.uint8)
    picture, found = Image.fromarray(noise), []
    for kind, variants in _FORMATS.items():
        for mode in _MODES:
            for options in variants:
                image = picture.convert("I" if mode == "I;16" else mode)
                more = {"append_images": [image.copy()]} if options.get("save_all") else {}
                file = io.BytesIO()
                try:
                    (image.convert("I;16") if mode == "I;16" else image).save(file, kind, **options, **more)
                except (OSError, ValueError, KeyError):
                    continue  # this format does not hold this mode
                found.append(file.getvalue())
    return found


def mutated(content: bytes, most: int, seed: int) -> bytes:
    """Return bytes that differ; a PNG's checksums are right again, for what is behind them."""
    changed = atheris.Mutate(content, most)
    is_png = changed.startswith(b"\x89PNG\r\n\x1a\n")
    return with_right_checksums(changed)[:most] if seed % 8 and is_png else changed


def one(content: bytes) -> None:
    """Decode as grey and as colour; only an `ImageError` may come out."""
    for channels in (1, 3):
        try:
            pixels = decode(content, channels, limits=LIMITS)
        except ImageError as error:
            if not error.code or not str(error):
                raise AssertionError("an error without a code or a message") from error
            continue
        if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != channels:
            raise AssertionError(f"{pixels.dtype} {pixels.shape} is no picture of {channels} channels")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("out", type=Path, help="where the corpus and the findings are kept")
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    corpus = asked.out / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for number, content in enumerate(seeds()):
        (corpus / f"seed-{number:03d}").write_bytes(content)
    warnings.simplefilter("error")
    options = {
        "max_total_time": asked.seconds,
        "seed": asked.seed,
        "timeout": 10,
        "rss_limit_mb": 1024,
        "max_len": 4096,
        "artifact_prefix": f"{asked.out}/",
        "print_final_stats": 1,
    }
    words = [f"-{name}={value}" for name, value in options.items()]
    atheris.Setup([sys.argv[0], *words, str(corpus)], one, custom_mutator=mutated)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
