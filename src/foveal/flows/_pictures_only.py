"""Refuse, before any work, what makes sense for recognizers of pictures alone."""

from foveal.bundle.manifest import Manifest
from foveal.core.errors import UsageError


def pictures_only(manifest: Manifest, what: str, *, instead: str) -> None:
    """Return where a recognizer takes pictures.

    Args:
        manifest: Of the recognizer.
        what: The command.
        instead: What there is for clips.

    Raises:
        UsageError: `other_task`: it takes clips.
    """
    if manifest.task != "classify":
        raise UsageError(
            f"{what} is for recognizers of pictures; this one answers for clips",
            code="other_task",
            hint=f"for clips {instead}",
        )
