"""A sealed bundle, sealed again with the rule of an inspection."""

from pathlib import Path

from foveal.bundle import archive
from foveal.bundle.archive import Members
from foveal.bundle.manifest import Manifest
from foveal.tasks.judging import Inspection


def with_rule(source: Members, rule: Inspection, path: Path) -> Manifest:
    """Seal a bundle again with a rule inside; it gets another digest.

    Args:
        source: The bundle; report and certificate attached to it are about the other digest, and left out.
        rule: What was proven with the answers of this very graph.
        path: The file to write; one that is there is replaced.

    Raises:
        WriteError: It cannot be written.
        pydantic.ValidationError: The rule is of another kind of recognizer.
    """
    return archive.seal(
        path,
        source.manifest.draft(inspection=rule),
        model=source.model,
        golden=source.vectors,
        ir=source.forms.get("openvino"),
        force=True,
    )
