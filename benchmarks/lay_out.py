"""Bring public image sets into the layout that users have: one folder tree of split and class.

    python benchmarks/lay_out.py OUT train.tar.xz test.tar.xz      archives joined (CIFAR-10 as JPEG)
    python benchmarks/lay_out.py OUT train=a.npz test=b.npz        arrays written as PNG (GTSRB)

Archives must hold `<split>/<class>/<name>`; arrays have the keys images, labels and, if pictures belong
together, track: then groups.csv keeps them in one split.
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


def write_arrays(split: str, path: Path, out: Path) -> list[str]:
    """Return the lines of groups.csv: frames of one track show one physical sign and stay together."""
    arrays = np.load(path, allow_pickle=False)
    lines = []
    for index, (pixels, label) in enumerate(zip(arrays["images"], arrays["labels"], strict=True)):
        picture = f"{split}/{int(label):02}/{index:05}.png"
        (out / picture).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(out / picture)
        if "track" in arrays:
            lines.append(f"{picture},{split}-{int(label)}-{int(arrays['track'][index])}")
    return lines


def main() -> None:
    out, groups = Path(sys.argv[1]), ["picture,group"]
    for given in sys.argv[2:]:
        split, _, path = given.rpartition("=")
        if split:
            groups += write_arrays(split, Path(path), out)
        else:
            join(Path(path), out)
    if len(groups) > 1:
        (out / "groups.csv").write_text("\n".join(groups) + "\n", encoding="utf-8")
    print(f"{sum(1 for path in out.rglob('*') if path.is_file())} files in {out}")


if __name__ == "__main__":
    main()
