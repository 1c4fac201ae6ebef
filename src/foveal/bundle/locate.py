"""Which file is meant by MODEL: a bundle, or the run folder that holds one."""

import stat
from pathlib import Path

from foveal.bundle.archive import SUFFIX
from foveal.core import runs
from foveal.core.errors import BundleError, NotFoundError


def locate(model: str | Path) -> Path:
    """Return the bundle that `model` is or holds.

    Raises:
        NotFoundError: There is nothing at that path, or no bundle in that folder.
        BundleError: Code `ambiguous`; the folder holds several bundles.
    """
    path = Path(model)
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):  # a dead link, no permission, a name that no file can have
        raise NotFoundError(
            f"there is no {path}", hint="MODEL is a run folder or a .foveal file", path=path
        ) from None
    if not stat.S_ISDIR(mode):
        run = runs.find(path)  # `runs/last` is a text file where links are not allowed
        return locate(run) if run.is_dir() else path
    found = sorted(entry for entry in path.glob(f"*{SUFFIX}") if entry.is_file())
    if not found:
        raise NotFoundError(
            f"{path} holds no {SUFFIX} file",
            hint=_without(path),
            path=path,
        )
    if len(found) > 1:
        names = ", ".join(entry.name for entry in found)
        raise BundleError(
            f"{path} holds several bundles: {names}", code="ambiguous", hint="name one of them", path=path
        )
    return found[0]


def _without(folder: Path) -> str:
    """Return what to do about a folder without a bundle."""
    if (folder / "metrics.json").is_file() and (folder / "model").is_dir():  # as of pretrain
        return f"it has learned features, and recognizes nothing yet: foveal train DATA --from {folder}"
    if (folder / "recipe.toml").is_file():
        return f"its training did not finish: foveal train DATA --resume {folder}"
    return f"MODEL is a run folder or a {SUFFIX} file"
