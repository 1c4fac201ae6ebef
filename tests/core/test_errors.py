"""core.errors: every error has its code and its exit code, and says what a program needs."""

import inspect

import pytest

from foveal.core import errors
from foveal.core.errors import FovealError, MissingExtraError, UnknownNameError

CLASSES = [c for _, c in inspect.getmembers(errors, inspect.isclass) if issubclass(c, FovealError)]
CONTRACT = {
    "UsageError": 2, "UnknownNameError": 2, "DataError": 65, "ImageError": 65, "BundleError": 65,
    "NotFoundError": 66, "MissingExtraError": 69, "DeviceError": 69, "WriteError": 73, "TemporaryError": 75,
    "RecipeError": 78, "FovealError": 1,
}  # fmt: skip


def test_exit_codes_are_those_of_the_contract():
    assert {c.__name__: c.exit_code for c in CLASSES} == CONTRACT


def test_the_docstring_tree_names_every_class_with_its_numbers():
    for one in CLASSES:
        line = next(row for row in errors.__doc__.splitlines() if one.__name__ in row)
        if one is not FovealError:
            assert str(one.exit_code) in line


def test_json_has_the_four_keys_of_the_contract():
    error = errors.DataError("no", code="odd", hint="try", path="a/b")

    assert error.as_json() == {"code": "odd", "message": "no", "hint": "try", "path": "a/b"}


@pytest.mark.parametrize("name", ["nanoo", "Nano"])
def test_an_unknown_name_comes_with_the_nearest(name):
    assert "did you mean 'nano'" in str(UnknownNameError("models", name, ["nano", "resnet18"]))


def test_a_hopeless_name_comes_with_all_names():
    assert str(UnknownNameError("models", "zzz", ["b", "a"])) == "models has no 'zzz'. It has: a, b."


def test_a_missing_extra_names_the_command():
    assert 'pip install "foveal[train]"' in str(MissingExtraError("training", "train"))
