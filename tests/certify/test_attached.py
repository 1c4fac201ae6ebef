"""certify.attached: what a certificate inside a bundle says in short, and what is told of one that is not."""

import pytest

from foveal.certify.attached import attached
from foveal.certify.certificate import SCHEMA, identity
from foveal.core.errors import BundleError

GATES = [
    {"id": "worst_class", "limit": 0.8, "verdict": "fail"},
    {"id": "answered", "limit": 0.9, "verdict": "pass"},
    {"id": "nll", "limit": None, "verdict": "not_asked"},
]


def document(**changes):
    """Return a certificate whose hash fits whatever is changed."""
    entries = {
        "schema": SCHEMA, "verdict": "fail", "level": "quick", "profile": {"name": "mine"},
        "created": "2026-11-26T12:00:00Z", "gates": GATES,
        "data": {"roles": {"test": {"images": 1500, "sha256": "0"}}}, **changes,
    }  # fmt: skip
    made = {name: value for name, value in entries.items() if value is not ...}
    return {**made, "id": identity(made)}


def test_limits_are_counted_by_verdict_and_missed_ones_named():
    found = attached(document())

    assert (found["failed"], found["profile"], found["images"]) == (["worst_class"], "mine", 1500)
    assert found["gates"] == {"pass": 1, "fail": 1, "insufficient": 0, "not_asked": 0}


@pytest.mark.parametrize("changes", [{"verdict": "pass"}, {"gates": GATES[1:]}, {"id": "0" * 64}])
def test_another_content_than_the_hash_names_is_called_that(changes):
    with pytest.raises(BundleError, match="does not have the hash that it names") as caught:
        attached({**document(), **changes})

    assert (caught.value.code, caught.value.__cause__) == ("tampered", None)


@pytest.mark.parametrize(
    "changes", [{"gates": ...}, {"gates": [{"limit": 1}]}, {"gates": 3}, {"profile": "mine"}, {"data": ...}]
)
def test_what_is_missing_although_the_hash_fits_is_called_that(changes):
    with pytest.raises(BundleError, match="lacks what a certificate says") as caught:
        attached(document(**changes))

    assert caught.value.code == "tampered"


def test_without_a_hash_it_is_none():
    with pytest.raises(BundleError, match="lacks what a certificate says"):
        attached({"schema": SCHEMA})
