"""What a user asks a few-shot training for; everything left at None follows from method and data."""

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from foveal.core import catalog
from foveal.core.errors import RecipeError
from foveal.core.machine import MOST_THREADS
from foveal.train.recipe_file import read_fields, recipe_of

LENGTHS = ("steps", "epochs", "time_seconds")


class FewshotRecipe(BaseModel):
    """A few-shot recipe; the same in Python and in `recipe.toml` of the run.

    Attributes:
        method: Name of a file in `train/episodic`.
        way: Classes of the tasks that are measured, and of those that methods with inner steps learn from.
        shot: Support pictures of each class.
        query: Query pictures of each class while learning.
        train_way: Classes of the tasks that are learned from.
        tasks: Tasks of a step.
        model: Name of an architecture in `models/`; its head plays no part.
        size: Side of the input in pixels; None: 28 for Omniglot, else from the pictures.
        steps: Optimizer steps.
        epochs: Passes over as many pictures as there are to learn from.
        time_seconds: About how long to train.
        inner_steps: Steps on the support set while learning, of a method that takes any.
        inner_rate: Learning rate of those steps.
        first_order: Leave the second derivatives of those steps out.
        test_steps: Steps on the support set when it is measured; None: two more than while learning.
        rotations: Whether quarter turns of a class are further classes to learn from; None: for Omniglot.
        augment: `auto` changes pictures a little while learning, `none` leaves them.
        held_out: Share of the classes kept for measuring (test), and again to compare settings by (val).
        learning_rate: Highest rate of the schedule.
        seed: Every random choice follows from it.
        threads: At most 256; None: all processors this process may use.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    method: str = "prototypes"
    way: int = Field(default=5, ge=2, le=1000)
    shot: int = Field(default=1, ge=1, le=1000)
    query: int | None = Field(default=None, ge=1, le=1000)
    train_way: int | None = Field(default=None, ge=2, le=1000)
    tasks: int | None = Field(default=None, ge=1, le=1000)
    model: str | None = None
    size: int | None = Field(default=None, ge=8, le=1024)
    steps: int | None = Field(default=None, ge=1)
    epochs: float | None = Field(default=None, gt=0, le=1e6)
    time_seconds: float | None = Field(default=None, gt=0)
    inner_steps: int | None = Field(default=None, ge=1, le=20)
    inner_rate: float | None = Field(default=None, gt=0, le=10)
    first_order: bool = False
    test_steps: int | None = Field(default=None, ge=1, le=100)
    rotations: bool | None = None
    augment: Literal["auto", "none"] = "auto"
    held_out: float = Field(default=0.15, ge=0, le=0.4)
    learning_rate: float | None = Field(default=None, gt=0)
    seed: int = Field(default=0, ge=0)
    threads: int | None = Field(default=None, ge=1, le=MOST_THREADS)

    @field_validator("method", "model")
    @classmethod
    def _file_name(cls, name: str | None) -> str | None:
        return name if name is None else catalog.written(name)

    @model_validator(mode="after")
    def _one_length(self) -> "FewshotRecipe":
        if sum(getattr(self, name) is not None for name in LENGTHS) > 1:
            raise ValueError("give steps, epochs or a time, not several")
        return self


def fewshot_recipe(fields: dict[str, Any]) -> FewshotRecipe:
    """Return a recipe from plain values; None leaves one as it is.

    Raises:
        RecipeError: An unknown key, with the nearest known one, or a value outside its range.
    """
    given = {name: value for name, value in fields.items() if value is not None}
    return recipe_of(FewshotRecipe, given, see="docs/commands/fewshot.md")


def read_fewshot_recipe(path: Path) -> FewshotRecipe:
    """Return the recipe of a few-shot run.

    Raises:
        NotFoundError: No such file.
        RecipeError: It is of another kind of run, or damaged.
    """
    fields = read_fields(path)
    if "way" not in fields:
        raise RecipeError(
            f"{path.parent} is no few-shot run: its recipe names no --way",
            hint="RUN is a folder of foveal fewshot train",
            path=path,
        )
    return fewshot_recipe(fields)
