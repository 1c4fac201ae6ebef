"""`foveal fewshot teach`: a sealed recognizer from a handful of pictures of each class, in seconds."""

import time
import unicodedata
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import tomli_w

from foveal.bundle.archive import SUFFIX
from foveal.bundle.manifest import Data, Images
from foveal.bundle.session import Float32
from foveal.core import files, machine, runs
from foveal.core.errors import DataError, UsageError
from foveal.core.progress import Progress, silent
from foveal.core.wording import counted
from foveal.data import inventory as inventories
from foveal.data import opening
from foveal.data import split as splits
from foveal.data.dataset import Dataset, UInt8
from foveal.data.split import Split
from foveal.fewshot.deciding import AUTO, Learned, check_head, learned
from foveal.fewshot.sealing import seal
from foveal.fewshot.taught import Taught, taught
from foveal.flows._environment import write_environment
from foveal.flows._fewshot import document, features_of
from foveal.flows._kept_embedders import kept_embedder
from foveal.flows._page import check_file

_BUNDLE, _PAGE, SPLIT = "taught.foveal", "report.html", "split.json"


@dataclass(frozen=True)
class Wanted:
    """How to teach.

    Attributes:
        head: A file of `fewshot/heads`, or `auto`.
        size: Side of the pictures in pixels; None: what suits weights and pictures.
        model: The architecture of bare weights.
        seed: The changed views follow from it.
        threads: Pictures at once; None takes all processors we may use.
    """

    head: str = AUTO
    size: int | None = None
    model: str | None = None
    seed: int = 0
    threads: int | None = None


USUAL = Wanted()


def teach(
    backbone: str,
    data: str | Path,
    *,
    wanted: Wanted = USUAL,
    out: Path | None = None,
    force: bool = False,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Teach a recognizer from a few pictures of each class, and return the `foveal.fewshot/1` document.

    Every picture is taught but those of a test part, which is left alone.

    Args:
        backbone: A run, a `.foveal`, weights, or a model whose weights a package holds.
        data: Anything `foveal check` recognizes; it is only read.
        wanted: How.
        out: Run folder, or a file that ends in `.foveal`; None: `runs/fewshot-<n>`.
        force: Replace the run or the file that is there.
        progress: Told about the pictures.

    Raises:
        NotFoundError: No such backbone or data.
        UsageError: `one_class`: pictures of one class alone; `other_task`: clips; or no such head.
        DataError: A picture cannot be used, or lies in two classes.
        WriteError: The run or file cannot be written.
    """
    begun = time.monotonic()
    check_head(wanted.head)
    runs.keep_apart(out, *opening.places(data))
    alone = out if out is not None and out.suffix == SUFFIX else None
    if alone is not None:
        check_file(alone, data, force=force)
    elif out is not None:
        runs.refuse_taken(out, force=force)
    dataset = opening.open_labelled(data)
    hashes = inventories.content_hashes(dataset, progress=progress)
    rows = _rows(dataset, hashes)
    embedder = kept_embedder(backbone, dataset, model=wanted.model, size=wanted.size)
    threads = wanted.threads or machine.usable_cpus()
    pictures = [(dataset.sources[row], dataset.read(row)) for row in rows]
    shown = features_of(embedder, pictures, seed=wanted.seed, threads=threads, progress=progress)
    names = [dataset.classes[dataset.labels[row]] for row in rows]
    units = splits.unit_of_each(dataset, {row: hashes[row] for row in rows})[rows]
    known = taught(names, shown, units, [hashes[row] for row in rows])
    found = learned(known, head=wanted.head)
    split = splits.of_taught(dataset, hashes, seed=wanted.seed)
    if alone is not None:
        manifest = seal(alone, known, found, embedder, data=_data(split))
        about = _told(document("teach", alone, known, found, manifest), dataset, split)
        return {**about, "run": None, "report": None, "seconds": time.monotonic() - begun}
    run = runs.new_run("fewshot", out=out, force=force)
    with runs.locked(run):
        manifest = seal(run / _BUNDLE, known, found, embedder, data=_data(split))
        about = _told(document("teach", run / _BUNDLE, known, found, manifest), dataset, split)
        about |= {"run": str(run), "report": str(run / _PAGE)}
        _write_settings(run, backbone, wanted)
        files.write_json(run / SPLIT, split.to_json(dataset, hashes))
        _write_page(run / _PAGE, about, _Lesson(dataset, rows, shown, known, found))
        about["seconds"] = time.monotonic() - begun
        files.write_json(run / "metrics.json", about)
        runs.mark_last(run)
    return about


def _rows(dataset: Dataset, hashes: Sequence[str]) -> list[int]:
    """Return which pictures are taught: all but those of a test part.

    Raises:
        UsageError: They are clips.
        DataError: There is none, or a picture is in two classes.
    """
    if dataset.clip is not None:
        raise UsageError("films cannot be taught, only pictures", code="other_task", hint="foveal train")
    rows = [row for row, split in enumerate(dataset.splits) if split != "test"]
    if not rows:
        raise DataError(
            f"{dataset.path} has no picture outside of a test part",
            code="no_training_images",
            hint="put a few pictures of each class into a folder of its own",
            path=dataset.path,
        )
    first: dict[str, int] = {}
    for row in range(len(dataset)):
        other = first.setdefault(hashes[row], row)
        if hashes[row] and dataset.labels[other] != dataset.labels[row]:
            raise DataError(
                f"{dataset.sources[other]} and {dataset.sources[row]} are one picture in two classes",
                code="conflicting_labels",
                hint="leave it in the class that it belongs to",
                path=dataset.path,
            )
    return rows


def _told(about: dict[str, Any], dataset: Dataset, split: Split) -> dict[str, Any]:
    """Return a document with a message where a test part holds pictures that were taught."""
    known = len(dataset) - len(split.fit) - len(split.test)
    if known:
        about["messages"].append(
            f"of the test part {counted(known, 'picture')} will not be measured: equal to a taught one"
        )
    return about


def _data(split: Split) -> Data:
    return Data(
        fingerprint=split.fingerprint,
        split_seed=split.seed,
        images=Images(fit=len(split.fit), calib=0, test=0),
        split_digest=split.digest,
    )


@dataclass(frozen=True)
class _Lesson:
    """The pictures of a data set, and what was taught of them.

    Attributes:
        dataset: Where they are.
        rows: Which of its pictures.
        shown: Their features, in the order of `rows`.
        taught: The same in an order of its own.
        learned: What follows.
    """

    dataset: Dataset
    rows: list[int]
    shown: Float32
    taught: Taught
    learned: Learned

    def unknown(self) -> list[int]:
        """Return which pictures of the data set were taken for unknown while they were left out."""
        rule, asked = self.learned.decision.unknown, self.learned.held_out
        if rule is None or rule.threshold is None:
            return []
        places = {one.tobytes(): row for one, row in zip(self.shown[:, 0], self.rows, strict=True)}
        strange = asked.rows[asked.unknown > rule.threshold]
        return [places[self.taught.features[row, 0].tobytes()] for row in strange]


def _write_settings(run: Path, backbone: str, wanted: Wanted) -> None:
    settings = {name: value for name, value in asdict(wanted).items() if value is not None}
    files.write_text(run / "fewshot.toml", tomli_w.dumps({"backbone": backbone, **settings}))
    packages = machine.versions("foveal", "numpy", "pillow", "onnx", "onnxruntime")
    write_environment(run, {"cpu": machine.cpu_name(), **packages})


def _write_page(path: Path, about: dict[str, Any], lesson: _Lesson) -> None:
    from foveal.report.taught_page import taught_page  # here: the page needs the `train` extra

    dataset = lesson.dataset
    by_class: dict[str, list[UInt8]] = {}
    for row in lesson.rows:
        by_class.setdefault(unicodedata.normalize("NFC", dataset.classes[dataset.labels[row]]), []).append(
            dataset.read(row).decode(3)
        )
    strange = [
        (dataset.sources[row], dataset.classes[dataset.labels[row]], dataset.read(row).decode(3))
        for row in lesson.unknown()
    ]
    files.write_text(path, taught_page(about, by_class, strange))
