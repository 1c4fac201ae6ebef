"""Recipes as TOML files and as plain values, of whatever is to be learned."""

import difflib
import tomllib
from pathlib import Path
from typing import Any, TypeVar

import tomli_w
from pydantic import BaseModel, ValidationError

from foveal.core import files
from foveal.core.errors import NotFoundError, RecipeError

Kind = TypeVar("Kind", bound=BaseModel)


def recipe_of(kind: type[Kind], fields: dict[str, Any], *, see: str) -> Kind:
    """Return a recipe from plain values.

    Args:
        kind: Of recipe.
        fields: By name.
        see: Where the fields are explained.

    Raises:
        RecipeError: An unknown key, with the nearest known one, or a value outside its range.
    """
    for key in fields:
        if key not in kind.model_fields:
            near = difflib.get_close_matches(key, kind.model_fields, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"keys: {', '.join(kind.model_fields)}"
            raise RecipeError(f"a recipe has no {key!r}", hint=hint)
    try:
        return kind(**fields)
    except ValidationError as error:
        first = error.errors()[0]
        # What a check of ours says is in the error itself; pydantic would put words of its own before it.
        said = str(first["ctx"]["error"]) if first["type"] == "value_error" else first["msg"]
        where = ".".join(map(str, first["loc"]))
        raise RecipeError(f"{where}: {said}" if where else said, hint=f"see {see}") from error


def read_fields(path: Path) -> dict[str, Any]:
    """Return what a TOML file says.

    Raises:
        NotFoundError: No such file.
        RecipeError: It cannot be read, or is not TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise NotFoundError(f"no recipe at {path}", path=path) from None
    except OSError as error:
        raise RecipeError(f"cannot read {path}: {error.strerror}", path=path) from error
    except UnicodeDecodeError as error:
        raise RecipeError(f"{path} is not TOML: it is no text", path=path) from error
    except tomllib.TOMLDecodeError as error:
        raise RecipeError(f"{path} is not TOML: {error}", path=path) from error


def write_fields(recipe: BaseModel, path: Path) -> None:
    """Write a recipe as TOML; fields left open, or empty, are not written."""
    fields = recipe.model_dump(exclude_none=True)
    fields = {name: value for name, value in fields.items() if value not in ({}, (), [])}
    files.write_text(path, tomli_w.dumps(fields))
