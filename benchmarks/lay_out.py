"""Bring public image sets into the layout that users have: one folder tree of split and class.

    python benchmarks/lay_out.py OUT train.tar.xz test.tar.xz      archives joined (CIFAR-10 as JPEG)
    python benchmarks/lay_out.py OUT train=a.npz test=b.npz        arrays written as PNG (GTSRB)

Archives must hold `<split>/<class>/<name>`; arrays have the keys images, labels and class_names.
"""

import sys
import tarfile
from pathlib import Path

import numpy as np
from PIL import Image


def join(archive: Path, out: Path) -> None:
    with tarfile.open(archive) as tar:
        for member in tar:
            if member.isfile():
                tar.extract(member, out, filter="data")


def write_arrays(split: str, path: Path, out: Path) -> None:
    arrays = np.load(path, allow_pickle=False)
    names = [f"{k:02}" for k in range(int(arrays["labels"].max()) + 1)]
    for index, (pixels, label) in enumerate(zip(arrays["images"], arrays["labels"], strict=True)):
        folder = out / split / names[int(label)]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(folder / f"{index:05}.png")


def main() -> None:
    out = Path(sys.argv[1])
    for given in sys.argv[2:]:
        split, _, path = given.rpartition("=")
        if split:
            write_arrays(split, Path(path), out)
        else:
            join(Path(path), out)
    print(f"{sum(1 for path in out.rglob('*') if path.is_file())} files in {out}")


if __name__ == "__main__":
    main()
