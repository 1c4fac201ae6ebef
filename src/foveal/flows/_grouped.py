"""Data as the runs take them that are measured on them: films or pictures, grouped as they were told."""

from collections.abc import Sequence
from pathlib import Path

from foveal.core.errors import FovealError, NotFoundError, UsageError
from foveal.data import opening
from foveal.data.clip import Clip
from foveal.data.dataset import Dataset
from foveal.flows._run_folder import RECIPE
from foveal.train.recipe import read_recipe

_NO_SUCH_GROUP = ("unknown_group", "bad_group", "bad_groups")


def grouped(
    data: str | Path,
    bundles: Sequence[Path],
    clip: Clip | None,
    *,
    group: str | None = None,
    task: str | None = None,
    things: Sequence[str] = (),
) -> Dataset:
    """Return data with what belongs together: what the runs were told, or, without that key, what they say.

    Args:
        data: Anything `data.open` recognizes.
        bundles: Files; the recipe of a run is looked for beside each.
        clip: Of their `Preprocess`: whether they take films or pictures, where both lie there.
        group: What belongs together, whatever the runs were told.
        task: Of recognizers that say where something is; None: they give a class.
        things: Of panoptic ones the classes whose objects they count.

    Raises:
        UsageError: `other_groups`: two runs were told different things.
        RecipeError: The recipe of a run is damaged.
        NotFoundError, DataError: As `data.open`.
    """
    if group is not None:
        return opening.open_for(data, clip, group, task, things)
    told = {name for name in map(_told, bundles) if name is not None}
    if len(told) > 1:
        raise UsageError(
            f"the runs were told different groups: {', '.join(map(repr, sorted(told)))}",
            code="other_groups",
            hint="say with --group what belongs together here",
        )
    if not told:
        return opening.open_for(data, clip, None, task, things)
    try:
        return opening.open_for(data, clip, told.pop(), task, things)
    except FovealError as error:  # other data, with other keys
        if error.code not in _NO_SUCH_GROUP:
            raise
        return opening.open_for(data, clip, None, task, things)


def _told(bundle: Path) -> str | None:
    try:
        return read_recipe(bundle.parent / RECIPE).group
    except NotFoundError:  # a bundle alone
        return None


def told_good(bundle: Path) -> tuple[str, ...]:
    """Return the folders that a run was told are good; none of a bundle alone."""
    try:
        return read_recipe(bundle.parent / RECIPE).good
    except NotFoundError:
        return ()
