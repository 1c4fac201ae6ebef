"""`foveal export`: the bundle of a finished run once more, calibrated and compared as after its training."""

import tempfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from foveal.bundle.archive import SUFFIX, read
from foveal.core import extras, files, machine, runs
from foveal.core.errors import UsageError, WriteError
from foveal.core.progress import Progress, silent
from foveal.core.task import SCENE_TASKS
from foveal.core.types import Gate
from foveal.data import opening
from foveal.export.parity import Parity
from foveal.flows._export import beginning_in, export_prepared, promises_of
from foveal.flows._finish_scenes import export_scenes
from foveal.flows._finished_run import data_of, prepared_again
from foveal.flows._run_folder import RECIPE
from foveal.flows._stages import OPENVINO, Stage, Workbench, round_off, with_openvino
from foveal.flows._together import Together, together
from foveal.models import Builder
from foveal.optimize.rounding import ROUNDINGS
from foveal.tasks import recognizer as recognizers
from foveal.tasks.recognizer import Recognizer
from foveal.train.plan import read_plan
from foveal.train.recipe import read_recipe

SCHEMA = "foveal.export/1"
VARIANTS = ("fp32", *ROUNDINGS)


@dataclass(frozen=True)
class Terms:
    """What is wanted.

    Attributes:
        variant: One of `VARIANTS`.
        openvino: Put OpenVINO's own form of the graph into the file, too.
        force: Replace a file that is there; where a gate fails, none is there afterwards.
        together: What answers beside the network of the run.
    """

    variant: str = "fp32"
    openvino: bool = False
    force: bool = False
    together: Together = field(default_factory=Together)


@dataclass(frozen=True)
class ExportResult:
    """What came out.

    Attributes:
        run: The run folder.
        terms: What was wanted.
        parity: How near the file is to the network or, where it is rounded, to the file in float32.
        openvino: How near OpenVINO's form is to the network; None where it was not wanted, or not come to.
        gates: Every verdict, in order; nothing is made behind one that failed.
        bundle: The file, or None where a gate failed.
    """

    run: Path
    terms: Terms
    parity: Parity
    openvino: Parity | None
    gates: tuple[Gate, ...]
    bundle: Path | None

    def as_json(self) -> dict[str, Any]:
        """Return the `foveal.export/1` document."""
        members = None if self.bundle is None else read(self.bundle)
        form = None if members is None else members.forms.get(OPENVINO)
        return {
            "schema": SCHEMA,
            "ok": members is not None,
            "run": str(self.run),
            "bundle": None if members is None else str(self.bundle),
            "digest": None if members is None else members.manifest.digest,
            "size_bytes": None if members is None else members.size_bytes,
            "variant": self.terms.variant,
            **self.terms.together.as_json(),
            "parity": self.parity.as_json(),
            "openvino": None
            if self.openvino is None
            else {
                "size_bytes": None if form is None else len(form.xml) + len(form.weights),
                "parity": self.openvino.as_json(),
            },
            "gates": [asdict(gate) for gate in self.gates],
            "unproven": list(self.unproven),
        }

    @property
    def unproven(self) -> tuple[str, ...]:
        """Gates on changed answers that the estimate passes, and the upper end of its interval does not."""
        measured = {"flips": self.parity, OPENVINO: self.openvino}
        found = []
        for gate in self.gates:
            parity = measured.get(gate.id)
            counts = gate.id == "flips" or self.terms.variant != "fp32"  # else differences decide, in float32
            if parity is not None and counts and gate.verdict == "pass":
                found += [gate.id] if parity.decision_flips.high > gate.limit else []
        return tuple(found)


def export(
    run: str | Path,
    out: str | Path,
    *,
    data: str | Path | None = None,
    model: Builder | None = None,
    terms: Terms = Terms(),
    progress: Progress = silent,
) -> ExportResult:
    """Export the network of a run, calibrate the file on the run's calib part, compare it, and seal it.

    The run is only read. It holds no pictures, so the data are read again; they must be those of the run.

    Args:
        run: A run folder whose training is finished, or `runs/last`.
        out: The bundle to write; its name ends in `.foveal`.
        data: Where the data are now; None: where the run found them.
        model: The builder of the run's network, where that is one of your own.
        terms: What is wanted.
        progress: Told about the pictures, and about layers that are tried in integers.

    Raises:
        NotFoundError: No finished run, or no data there.
        DataError: The data are not those of the run, its model cannot be read, or the builder makes another;
            `other_split`: a member learned from pictures that would calibrate.
        BundleError: `nothing_rounded`: the network has no layer for that variant; OpenVINO's form does not
            run here.
        MissingExtraError: OpenVINO's form is wanted, and OpenVINO not installed.
        UsageError: The name has another ending; `unknown_variant`; `own_model`: the network is your own,
            and has no builder; or networks that cannot answer together, see `_together`.
        WriteError: The file is there already, cannot be written, or would be a second bundle in the run.
    """
    check_variant(terms.variant)
    if terms.openvino:
        extras.need(OPENVINO, what="--openvino")
    run, out = runs.find(run), Path(out)
    place = data_of(run, data, again=f"foveal export {run} --data DATA --out F{SUFFIX}")
    _check_place(out, run, place, force=terms.force)
    recognizer, plan = _network(run, out, model), read_plan(run / "plan.json")
    _check_alone(recognizer.task, terms)
    _check_variant_of(recognizer.task, terms.variant)
    recognizer = together(recognizer, run, terms.together, builder=model)
    threads = machine.usable_cpus() if plan is None else plan.threads
    try:
        scratch = tempfile.TemporaryDirectory(dir=out.parent, prefix=".export-")
    except OSError as error:
        raise WriteError(
            f"cannot write to {out.parent}: {error.strerror}",
            hint="choose another place with --out",
            path=out.parent,
        ) from error
    with scratch as folder:
        prepared = prepared_again(run, place, recognizer, Path(folder), threads=threads, progress=progress)
        progress("export", 0, 1)
        bench = Workbench(Path(folder), prepared, threads, progress)
        stages = _stages(recognizer, bench, terms, run)
        last = stages[-1]
        if last.passed:
            files.write_bytes(out, last.path.read_bytes())
        else:
            files.remove(out)  # an earlier one would be taken for this one
        progress("export", 1, 1)
    return _result(run, terms, stages, out)


def _result(run: Path, terms: Terms, stages: list[Stage], out: Path) -> ExportResult:
    forms = [stage.parity for stage in stages if stage.gate.id == OPENVINO]
    own = [stage.parity for stage in stages if stage.gate.id != OPENVINO]
    gates = tuple(stage.gate for stage in stages)
    bundle = out if stages[-1].passed else None
    return ExportResult(run, terms, own[-1], forms[0] if forms else None, gates, bundle)


def _stages(recognizer: Recognizer, bench: Workbench, terms: Terms, run: Path) -> list[Stage]:
    """Make one file from the other until the one that is wanted is there, or a gate fails."""
    recipe, beginning = read_recipe(run / RECIPE), beginning_in(run)
    path = bench.folder / f"fp32{SUFFIX}"
    if recognizer.task in SCENE_TASKS:
        exported = export_scenes(
            recognizer,
            bench.prepared,
            path,
            recipe=recipe,
            threads=bench.threads,
            beginning=beginning,
        )
    else:
        exported = export_prepared(
            recognizer,
            bench.prepared,
            path,
            promises=promises_of(recipe),
            threads=bench.threads,
            beginning=beginning,
        )
    stages = [Stage(path, exported.parity, exported.parity.gate())]
    if stages[-1].passed and terms.variant != "fp32":
        stages.append(round_off(bench, path, terms.variant))
    if stages[-1].passed and terms.openvino:
        stages.append(with_openvino(bench, stages[-1].path, recognizer))
    return stages


def _check_alone(task: str, terms: Terms) -> None:
    """Refuse several networks that say where something is: what each finds cannot be averaged.

    Raises:
        UsageError: `other_task`.
    """
    if task in SCENE_TASKS and terms.together != Together():
        raise UsageError(
            f"one recognizer for {task} answers alone: what several find cannot be averaged",
            code="other_task",
            hint=f"foveal export RUN --out F{SUFFIX}, without --with, --dropout and --masks",
        )


def _check_variant_of(task: str, variant: str) -> None:
    """Refuse coarser numbers of what looks for defects: its scores would be others than were promised on.

    Raises:
        UsageError: `other_task`.
    """
    if task == "defect" and variant != "fp32":
        raise UsageError(
            f"what looks for defects is exported in fp32, not in {variant}",
            code="other_task",
            hint="leave --variant out",
        )


def check_variant(name: str) -> None:
    """Refuse a variant that there is not.

    Raises:
        UsageError: `unknown_variant`.
    """
    if name not in VARIANTS:
        raise UsageError(
            f"there is no variant {name!r}",
            code="unknown_variant",
            hint=f"there are: {', '.join(VARIANTS)}; foveal optimize makes smaller networks, too",
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
        raise UsageError(
            f"a bundle's name ends in {SUFFIX}; got {out.name!r}",
            hint=f"--out {out.with_suffix(SUFFIX)}" if out.name else f"--out NAME{SUFFIX}",
            path=out,
        )
    runs.keep_apart(out, *opening.places(data))
    if not out.parent.is_dir():
        raise WriteError(f"there is no folder {out.parent}", hint=f"mkdir -p {out.parent} makes it", path=out)
    if files.is_there(out):
        if not force:
            raise WriteError(f"{out} is there already", code="would_overwrite", hint="add --force", path=out)
    elif out.parent.resolve() == run.resolve() and any(run.glob(f"*{SUFFIX}")):
        raise WriteError(
            f"{run} holds a bundle already: with a second one nobody knew which is meant",
            hint="choose a place outside the run",
            path=out,
        )
