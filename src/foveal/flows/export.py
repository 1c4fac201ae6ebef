"""`foveal export`: the bundle of a finished run once more, calibrated and compared as after its training."""

import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from foveal.bundle.archive import SUFFIX, read
from foveal.core import files, machine, runs
from foveal.core.errors import UsageError, WriteError
from foveal.core.progress import Progress, silent
from foveal.data import opening
from foveal.export.sealing import Exported
from foveal.flows._export import export_prepared
from foveal.flows._finished_run import data_of, prepared_again
from foveal.models import Builder
from foveal.tasks import recognizer as recognizers
from foveal.tasks.recognizer import Recognizer
from foveal.train.plan import read_plan

SCHEMA = "foveal.export/1"
VARIANTS = ("fp32",)


@dataclass(frozen=True)
class ExportResult:
    """What came out.

    Attributes:
        run: The run folder.
        exported: The bundle, or none, and how near it is to the network.
    """

    run: Path
    exported: Exported

    def as_json(self) -> dict[str, Any]:
        """Return the `foveal.export/1` document."""
        gate, bundle = self.exported.parity.gate(), self.exported.bundle
        members = None if bundle is None else read(bundle)
        return {
            "schema": SCHEMA,
            "ok": bundle is not None,
            "run": str(self.run),
            "bundle": None if bundle is None else str(bundle),
            "digest": None if members is None else members.manifest.digest,
            "size_bytes": None if members is None else members.size_bytes,
            "variant": "fp32",
            "parity": self.exported.parity.as_json(),
            "gates": [asdict(gate)],
        }


def export(
    run: str | Path,
    out: str | Path,
    *,
    data: str | Path | None = None,
    model: Builder | None = None,
    force: bool = False,
    progress: Progress = silent,
) -> ExportResult:
    """Export the network of a run, calibrate the file on the run's calib part, compare it, and seal it.

    The run is only read. It holds no pictures, so the data are read again; they must be those of the run.

    Args:
        run: A run folder whose training is finished, or `runs/last`.
        out: The bundle to write; its name ends in `.foveal`.
        data: Where the data are now; None: where the run found them.
        model: The builder of the run's network, where that is one of your own.
        force: Replace a file that is there; where the comparison fails, none is there afterwards.
        progress: Told about the pictures.

    Raises:
        NotFoundError: No finished run, or no data there.
        DataError: The data are not those of the run, its model cannot be read, or the builder makes another.
        UsageError: The name has another ending; or `own_model`: the network is your own, and has no builder.
        WriteError: The file is there already, cannot be written, or would be a second bundle in the run.
    """
    run, out = runs.find(run), Path(out)
    place = data_of(run, data, again=f"foveal export {run} --data DATA --out F{SUFFIX}")
    _check_place(out, run, place, force=force)
    recognizer, plan = _network(run, out, model), read_plan(run / "plan.json")
    threads = machine.usable_cpus() if plan is None else plan.threads
    try:
        scratch = tempfile.TemporaryDirectory(dir=out.parent, prefix=".export-")
    except OSError as error:
        raise WriteError(f"cannot write to {out.parent}: {error.strerror}", path=out.parent) from error
    with scratch as folder:
        prepared = prepared_again(run, place, recognizer, Path(folder), threads=threads, progress=progress)
        progress("export", 0, 1)
        exported = export_prepared(recognizer, prepared, out, threads=threads)
        progress("export", 1, 1)
    return ExportResult(run, exported)


def check_variant(name: str) -> None:
    """Refuse a variant that cannot be made yet.

    Raises:
        UsageError: `unknown_variant`.
    """
    if name not in VARIANTS:
        raise UsageError(
            f"there is no variant {name!r} yet: reduced precision comes with foveal optimize, which measures "
            "what it costs",
            code="unknown_variant",
            hint=f"leave --variant out; it has: {', '.join(VARIANTS)}",
        )


def _network(run: Path, out: Path, builder: Builder | None) -> Recognizer:
    try:
        return recognizers.load(run / "model", builder=builder)
    except UsageError as error:  # `own_model` is all that it refuses so
        error.hint = f"from Python: foveal.flows.export.export({str(run)!r}, {str(out)!r}, model=builder)"
        raise


def _check_place(out: Path, run: Path, data: Path, *, force: bool) -> None:
    """Refuse, before any work, a file that could not be written afterwards."""
    if out.suffix != SUFFIX:
        raise UsageError(f"a bundle's name ends in {SUFFIX}; got {out.name!r}", path=out)
    runs.keep_apart(out, *opening.places(data))
    if not out.parent.is_dir():
        raise WriteError(f"there is no folder {out.parent}", path=out)
    if files.is_there(out):
        if not force:
            raise WriteError(f"{out} is there already", code="would_overwrite", hint="add --force", path=out)
    elif out.parent.resolve() == run.resolve() and any(run.glob(f"*{SUFFIX}")):
        raise WriteError(
            f"{run} holds a bundle already: with a second one nobody knew which is meant",
            hint="choose a place outside the run",
            path=out,
        )
