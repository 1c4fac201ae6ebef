"""train.recipe: the same in Python and TOML; what is wrong is named."""

import pytest

from foveal.core.errors import NotFoundError, RecipeError
from foveal.train.recipe import Recipe, read_recipe, recipe_from, write_recipe


def test_toml_both_ways(tmp_path):
    recipe = Recipe(model="nano", epochs=3.5, seed=7, augment="none")

    write_recipe(recipe, tmp_path / "r.toml")

    assert read_recipe(tmp_path / "r.toml") == recipe
    assert "time_seconds" not in (tmp_path / "r.toml").read_text()


@pytest.mark.parametrize(
    ("fields", "message", "hint"),
    [
        ({"epoch": 3}, "a recipe has no 'epoch'", "did you mean 'epochs'"),
        ({"zzz": 3}, "a recipe has no 'zzz'", "keys: model, task"),
        ({"epochs": -1}, "epochs: Input should be greater than 0", "docs"),
        ({"precision": "fp16"}, "precision: ", "docs"),
        ({"epochs": 1, "time_seconds": 5}, "give epochs or a time, not both", "docs"),
        ({"size": "large"}, "size: ", "docs"),
        ({"epochs": float("inf")}, "epochs: Input should be a finite number", "docs"),
        ({"epochs": 1e308}, "epochs: Input should be less than or equal to 1000000", "docs"),
        ({"time_seconds": float("nan")}, "time_seconds: ", "docs"),
        ({"augment": {"shift": float("nan")}}, "augment.*: ", "docs"),
    ],
)
def test_what_is_wrong_is_named(fields, message, hint):
    with pytest.raises(RecipeError, match=message) as caught:
        recipe_from(fields)

    assert hint in caught.value.hint
    assert caught.value.exit_code == 78


def test_changes_are_checked_and_none_changes_nothing():
    recipe = Recipe(epochs=2)

    assert recipe.changed(seed=3, size=None) == Recipe(epochs=2, seed=3)
    with pytest.raises(RecipeError, match="seed"):
        recipe.changed(seed=-1)


def test_a_list_of_groups_is_found_from_any_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    wanted = Recipe(group="lists/groups.csv")
    write_recipe(wanted, tmp_path / "recipe.toml")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")

    kept = read_recipe(tmp_path / "recipe.toml")

    assert kept.group == str(tmp_path / "lists" / "groups.csv")
    assert kept.stems_from(wanted)
    assert Recipe(group=r"num_(\d+)").group == r"num_(\d+)"
    assert Recipe(group="labels+track").group == "labels+track"


def test_a_new_length_takes_the_place_of_the_old_one():
    assert Recipe(time_seconds=300).changed(epochs=3) == Recipe(epochs=3)
    assert Recipe(epochs=3).changed(time_seconds=300) == Recipe(time_seconds=300)
    assert Recipe(epochs=3).changed(epochs=None) == Recipe(epochs=3)
    with pytest.raises(RecipeError, match="not both"):
        Recipe().changed(epochs=3, time_seconds=300)


def test_unreadable_files(tmp_path):
    with pytest.raises(NotFoundError, match="no recipe at"):
        read_recipe(tmp_path / "none.toml")
    (tmp_path / "a.toml").write_text("= 3")
    with pytest.raises(RecipeError, match="is not TOML"):
        read_recipe(tmp_path / "a.toml")
    (tmp_path / "b.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(RecipeError, match="is not TOML: it is no text"):
        read_recipe(tmp_path / "b.toml")
    with pytest.raises(RecipeError, match="cannot read"):
        read_recipe(tmp_path)


@pytest.mark.parametrize(
    ("field", "value"), [("sets", "own"), ("alpha", 1), ("risk", 0), ("sets_delta", 0), ("alpha", 0)]
)
def test_promises_that_are_none_are_refused(field, value):
    with pytest.raises(RecipeError, match=field):
        recipe_from({field: value})
