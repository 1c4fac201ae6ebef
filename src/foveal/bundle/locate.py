"""Which file is meant by MODEL: a bundle, or the run folder that holds one."""

import stat
from pathlib import Path

from foveal.bundle.archive import SUFFIX
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
        return _named_in(path) if path.name == "last" and stat.S_ISREG(mode) else path
    found = sorted(entry for entry in path.glob(f"*{SUFFIX}") if entry.is_file())
    if not found:
        raise NotFoundError(
            f"{path} holds no {SUFFIX} file",
            hint=(
                f"its training did not finish: foveal train DATA --resume {path}"
                if (path / "recipe.toml").is_file()
                else f"MODEL is a run folder or a {SUFFIX} file"
            ),
            path=path,
        )
    if len(found) > 1:
        names = ", ".join(entry.name for entry in found)
        raise BundleError(
            f"{path} holds several bundles: {names}", code="ambiguous", hint="name one of them", path=path
        )
    return found[0]


def _named_in(last: Path) -> Path:
    """Return the bundle of the run that the text file `runs/last` names, where links are not allowed."""
    with last.open("rb") as file:
        name = file.read(256).decode("utf-8", "replace").strip()
    run = last.parent / name
    try:
        leads_to_run = "/" not in name and name != "" and run.is_dir()
    except OSError:  # a name that no folder can have
        leads_to_run = False
    return locate(run) if leads_to_run else last
