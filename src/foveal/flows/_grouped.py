"""Data grouped as the runs were told that are to be measured on them."""

from collections.abc import Sequence
from pathlib import Path

from foveal.core.errors import FovealError, NotFoundError, UsageError
from foveal.data import opening
from foveal.data.dataset import Dataset
from foveal.flows._run_folder import RECIPE
from foveal.train.recipe import read_recipe

_NO_SUCH_GROUP = ("unknown_group", "bad_group", "bad_groups")


def grouped(data: str | Path, bundles: Sequence[Path]) -> Dataset:
    """Return data with what belongs together: what the runs were told, or, were they told nothing, they say.

    Args:
        data: Anything `data.open` recognizes.
        bundles: Files; the recipe of a run is looked for beside each.

    Raises:
        UsageError: `other_groups`: two runs were told different things, or the data do not know it. Counted
            one by one, pictures that belong together would make every interval too narrow.
        RecipeError: The recipe of a run is damaged.
        NotFoundError, DataError: As `data.open`.
    """
    told = {name for name in map(_told, bundles) if name is not None}
    if len(told) > 1:
        raise UsageError(
            f"the runs were told different groups: {', '.join(map(repr, sorted(told)))}",
            code="other_groups",
            hint="say with --group what belongs together here",
        )
    if not told:
        return opening.open(data)
    (group,) = told
    try:
        return opening.open(data, group=group)
    except FovealError as error:  # other data, with other keys
        if error.code not in _NO_SUCH_GROUP:
            raise
        raise UsageError(
            f"the run was told that {group!r} says what belongs together; here it does not: {error.message}",
            code="other_groups",
            hint="say with --group what belongs together here, or none: every picture stands alone",
        ) from error


def _told(bundle: Path) -> str | None:
    try:
        return read_recipe(bundle.parent / RECIPE).group
    except NotFoundError:  # a bundle alone
        return None
