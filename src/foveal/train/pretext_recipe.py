"""What a user wants of a training without labels; all fields have defaults that suit most data."""

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from foveal import models
from foveal.core import catalog
from foveal.core.errors import RecipeError
from foveal.core.machine import MOST_THREADS
from foveal.train.recipe_file import read_fields, recipe_of

_LENGTHS = ("epochs", "time_seconds")


class PretextRecipe(BaseModel):
    """A recipe of `foveal pretrain`.

    Attributes:
        method: Name of a file in `train/pretexts`.
        model: Name of an architecture.
        size: Side of the pictures in pixels; None: from the pictures.
        epochs: Passes over the pictures.
        time_seconds: Budget of the command; neither: as many passes as suit the number of pictures.
        batch_size: None: as the model learns best.
        learning_rate: As `batch_size`.
        weight_decay: As `batch_size`.
        settings: Numbers of the method.
        ema_share: Time constant of the averaged weights as a share of the run, in (0, 1].
        weights: What the network starts from: a file, a folder or a run; None: from scratch.
        probe: Labelled pictures that the features are probed with while they are learned; None: those that
            are learned from, where these have labels. No label is ever learned from.
        probes: How often they are probed while training.
        labels: Whether labels of the pictures are looked at, to probe and to hold out what training holds
            out; otherwise all pictures are learned from.
        precision: `auto` measures bf16 against fp32 and keeps the faster one if it is as accurate.
        seed: Every random choice follows from it.
        threads: None: all processors this process may use.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    method: str = "simclr"
    model: str = "nano"
    size: int | None = Field(default=None, ge=8, le=1024)
    epochs: float | None = Field(default=None, gt=0, le=1e6)
    time_seconds: float | None = Field(default=None, gt=0)
    batch_size: int | None = Field(default=None, ge=4)
    learning_rate: float | None = Field(default=None, gt=0)
    weight_decay: float | None = Field(default=None, ge=0)
    settings: dict[str, float] = {}
    ema_share: float = Field(default=0.03, gt=0, le=1)
    weights: str | None = Field(default=None, min_length=1)
    probe: str | None = Field(default=None, min_length=1)
    probes: int = Field(default=8, ge=1, le=100)
    labels: bool = True
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    seed: int = Field(default=0, ge=0)
    threads: int | None = Field(default=None, ge=1, le=MOST_THREADS)

    @field_validator("model", "method")
    @classmethod
    def _file_name(cls, name: str) -> str:
        return catalog.written(name)

    @field_validator("weights", "probe")
    @classmethod
    def _from_anywhere(cls, path: str | None) -> str | None:
        """Keep paths absolute: a run goes on from any working directory."""
        return path if path is None else str(Path(path).absolute())

    @model_validator(mode="after")
    def _one_length(self) -> "PretextRecipe":
        if self.epochs is not None and self.time_seconds is not None:
            raise ValueError("give epochs or a time, not both")
        return self

    @property
    def architecture(self) -> models.Architecture:
        """What `model` means.

        Raises:
            UnknownNameError: No such file in `models/`.
        """
        return models.architecture(self.model)

    def changed(self, **changes: object) -> "PretextRecipe":
        """Return a copy with some fields set, validated; None leaves a field as it is.

        A new length, in epochs or as a time, takes the place of the old one, whichever that was.

        Raises:
            RecipeError: An unknown field or a value outside its range.
        """
        given = {name: value for name, value in changes.items() if value is not None}
        kept = {name: getattr(self, name) for name in self.model_fields_set}
        if not given.keys().isdisjoint(_LENGTHS):
            kept |= dict.fromkeys(_LENGTHS)
        return pretext_recipe_from({**kept, **given})


def pretext_recipe_from(fields: dict[str, Any]) -> PretextRecipe:
    """Return a recipe from plain values.

    Raises:
        RecipeError: An unknown key, with the nearest known one, or a value outside its range.
    """
    return recipe_of(PretextRecipe, fields, see="docs/commands/pretrain.md")


def read_pretext_recipe(path: Path) -> PretextRecipe:
    """Return the recipe in a TOML file.

    Raises:
        NotFoundError: No such file.
        RecipeError: Not TOML, an unknown key or a bad value, or the recipe of another command.
    """
    fields = read_fields(path)
    if "method" not in fields:
        raise RecipeError(
            f"{path} is no recipe of pretrain: it names no method",
            hint="recipes with labels are for foveal train",
            path=path,
        )
    return pretext_recipe_from(fields)
