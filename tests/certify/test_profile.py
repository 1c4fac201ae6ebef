"""certify.profile and certify.level: a limit that nobody checks is refused, with the name that was meant."""

import pytest

from foveal.certify.certificate import claims, every_measurement
from foveal.certify.level import LEVELS, level
from foveal.certify.profile import Profile, check_limits, read_profile, shipped
from foveal.core.errors import NotFoundError, RecipeError, UnknownNameError
from foveal.core.task import TASKS

NAMES = ("industrial", "physical", "digital")


def read_and_check(path):
    profile = read_profile(path)
    check_limits(profile, claims(profile))


@pytest.mark.parametrize("name", NAMES)
def test_the_limits_of_every_profile_that_ships_are_measured(name):
    profile = shipped(name)

    check_limits(profile, claims(profile))
    assert profile.name == name
    assert profile.limits.items() >= shipped("industrial").limits.items()


def test_every_measurement_has_a_place_and_their_names_differ():
    found = every_measurement()

    assert [one.section for one in found] == sorted(
        (one.section for one in found), key=lambda section: int(section[1:])
    )
    assert all(one.title for one in found)
    mine = Profile(name="mine")
    assert set(claims(mine)) == {claim.key for one in found for claim in one.claims(mine)}
    for task in TASKS:  # two may claim the same of recognizers for different tasks
        keys = [claim.key for one in found if task in one.tasks for claim in one.claims(mine)]
        assert len(keys) == len(set(keys))


def test_claims_follow_the_distances_that_a_profile_asks_for():
    found = claims(Profile(name="mine", radii=(3.0,), l2_radii=(0.25,)))

    assert {"robust_linf_3", "robust_l2_0_25"} <= set(found)
    assert "robust_linf_8" not in found


@pytest.mark.parametrize(
    ("text", "error", "hint"),
    [
        ("limitz = {}\n", "has no 'limitz'", "did you mean 'limits'?"),
        ("[limits]\nworst_clas = 0.8\n", "nothing that is measured is called 'worst_clas'", "worst_class"),
        ("[limits]\nzzz = 1.0\n", "is called 'zzz'", "known: "),
        ("[limits]\nworst_class = 'high'\n", "limits.worst_class", ""),
        ("[limits]\nworst_class = nan\n", "limits.worst_class", ""),
        ("patch_share = 0.9\n", "patch_share", ""),
        ("certified_radii = [2, 2]\n", "each value once", ""),
        ("alphas = [0.1, 0.1]\n", "each value once", ""),
        ("serving = 'yes'\n", "serving", ""),
        ("[limits]\nnll = -3.0\n", "nll is never below 0", ""),
        ("= nothing", "is not TOML", ""),
    ],
)
def test_a_profile_that_says_what_nobody_understands_is_refused(tmp_path, text, error, hint):
    path = tmp_path / "mine.toml"
    path.write_text(text, encoding="utf-8")

    with pytest.raises(RecipeError) as caught:
        read_and_check(path)
    assert error in caught.value.message
    assert hint in (caught.value.hint or "")


def test_a_profile_that_is_no_text_or_is_not_there_is_refused(tmp_path):
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")

    with pytest.raises(RecipeError, match="it is no text"):
        read_profile(tmp_path / "binary.toml")
    with pytest.raises(NotFoundError) as caught:
        read_profile(tmp_path / "none.toml")
    assert "industrial" in (caught.value.hint or "")
    with pytest.raises(UnknownNameError, match="industrial"):
        shipped("industrail")


def test_a_file_without_a_name_is_called_as_the_file(tmp_path):
    (tmp_path / "line-3.toml").write_text("[limits]\nanswered = 0.5\n", encoding="utf-8")

    profile = read_profile(tmp_path / "line-3.toml")

    assert (profile.name, profile.limits) == ("line-3", {"answered": 0.5})


def test_the_digest_of_a_profile_is_about_all_that_it_demands():
    usual = Profile(name="mine", limits={"answered": 0.5})

    assert usual.digest == Profile(name="mine", limits={"answered": 0.5}).digest
    others = [
        Profile(name="mine", limits={"answered": 0.6}), Profile(name="mine"),
        Profile(name="mine", limits={"answered": 0.5}, radii=(1.0,)),
    ]  # fmt: skip
    assert len({usual.digest, *(one.digest for one in others)}) == 4


def test_levels_measure_more_and_more_and_smoke_alone_may_not_pass_attacks():
    smoke, quick, full = (level(name) for name in ("smoke", "quick", "full"))

    for name in ("images", "corrupted", "attacked", "steps", "queries", "certified", "patched", "draws"):
        assert getattr(smoke, name) <= getattr(quick, name) <= getattr(full, name)
    assert [one.may_pass_attacks for one in LEVELS.values()] == [False, True, True]
    with pytest.raises(UnknownNameError, match="smoke"):
        level("slow")
