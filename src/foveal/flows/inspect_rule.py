"""A rule for a bundle that is there: proven with its own answers on the calibration part, and sealed."""

from pathlib import Path
from typing import Any

from foveal.bundle.archive import read
from foveal.bundle.locate import locate
from foveal.calibrate.inspection.fit import Demands
from foveal.core import machine
from foveal.core.errors import WriteError
from foveal.core.files import is_there
from foveal.core.progress import Progress, silent
from foveal.data.good import as_known
from foveal.flows._grouped import grouped, told_good
from foveal.flows._inspection_rule import good_classes, seal_rule

SCHEMA = "foveal.inspect-rule/1"


def inspect_rule(  # noqa: PLR0913 - from where to where, on what, and what is asked
    model: str | Path,
    data: str | Path,
    out: Path,
    demands: Demands,
    *,
    good: tuple[str, ...] = (),
    group: str | None = None,
    threads: int | None = None,
    force: bool = False,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Return the `foveal.inspect-rule/1` document of a bundle that was sealed again with a rule.

    A bundle with another graph, such as one of `foveal optimize`, has other scores: its rule is proven anew.

    Args:
        model: A bundle, or a run folder that holds one.
        data: That it was trained on: the calibration part proves.
        out: The bundle to write.
        demands: What the rule has to promise.
        good: Of a classifier: the classes that are good, beside those that are called so.
        group: What must not be torn apart; None: as the run was told.
        threads: Parts at once; None takes all processors we may use.
        force: Replace a file that is there.
        progress: Told about the parts.

    Raises:
        WriteError: A file is there, or it cannot be written.
        NotFoundError, BundleError, DataError, UsageError: As `flows.evaluate.evaluate`.
    """
    if is_there(out) and not force:
        raise WriteError(f"{out} is there", hint="--force replaces it", path=out)
    bundle = locate(model)
    manifest = read(bundle).manifest
    task = None if manifest.task == "classify" else manifest.task
    found = grouped(data, [bundle], manifest.preprocess.clip, group=group, task=task, things=manifest.things)
    if manifest.task == "defect":
        found = as_known(found, manifest.classes, told_good(bundle))
    chosen = good_classes(found, good) if task is None else ()
    rule = seal_rule(
        bundle,
        out,
        found,
        demands,
        good=chosen,
        threads=threads or machine.usable_cpus(),
        progress=progress,
    )
    return {
        "schema": SCHEMA,
        "ok": True,
        "bundle": str(out),
        "digest": read(out).manifest.digest,
        "rule": rule.rule.model_dump(mode="json"),
        "notes": list(rule.notes),
        "limits": rule.limits.as_json(),
        "calibration": rule.fitted.as_json()["outcome"],
    }
