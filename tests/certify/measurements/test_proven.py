"""What is proven of a file, and what patches and stickers do to it, beside what attacks find."""

from dataclasses import replace

from foveal.certify.measurements.certified_l2 import certified_l2
from foveal.certify.measurements.certified_linf import certified_linf
from foveal.certify.measurements.certified_patch import certified_patch, masks_against
from foveal.certify.measurements.patch import patch
from foveal.certify.measurements.patch_alarm import patch_alarm
from foveal.certify.measurements.stickers import stickers
from foveal.certify.profile import Profile

from .halves import LEVEL, linear, robust


def test_what_is_proven_is_never_broken(sealed, attacked) -> None:
    twin, path = sealed(linear())
    level = replace(LEVEL, certified=60)
    one = attacked(twin, path, level=level, profile=Profile(name="t", radii=(1.0, 2.0, 8.0), l2_radii=()))
    broken = [s.value.value for s in robust(one).values()]
    proven = [s.value.value for s in certified_linf.measure(one).statements]

    assert all(low <= high for low, high in zip(proven, broken, strict=True))
    assert abs(proven[0] - broken[0]) <= 0.05, "of a linear network the bounds are exact"


def test_bounds_say_nothing_of_a_rounded_file(sealed, attacked) -> None:
    twin, path = sealed(linear())
    one = attacked(twin, path)
    lowered = one.predictor.manifest.model.model_copy(update={"precision": "int8"})
    manifest = one.predictor.manifest.model_copy(update={"model": lowered})
    found = certified_linf.measure(replace(one, predictor=replace(one.predictor, manifest=manifest)))

    assert all(s.value is None and "int8" in s.note for s in found.statements)


def test_noise_certifies_the_less_the_farther(sealed, attacked) -> None:
    one = attacked(*sealed(linear()), profile=Profile(name="t", smoothing_radii=(0.05, 0.4)))
    near, far = certified_l2.measure(one).statements

    assert near.value.value >= far.value.value
    assert near.details["largest_radius"] < 0.5


def test_patches_are_measured_on_pictures_they_were_not_made_on(sealed, attacked) -> None:
    one = attacked(*sealed(linear()), profile=Profile(name="t", patch_share=0.2))
    printed, local, masked = patch.measure(one).statements
    proven, clean = certified_patch.measure(one).statements

    assert printed.value.n < 40
    assert local.value.value > 0.5, "a fifth of the picture turns a network of means"
    assert 0 <= proven.value.value <= clean.value.value
    assert masked.value is None or masked.value.value <= 1


def test_the_alarm_leaves_open_what_single_masks_turn(sealed, attacked) -> None:
    one = attacked(*sealed(linear()), profile=Profile(name="t", patch_share=0.04))
    unnoticed, turned, alarms = patch_alarm.measure(one).statements
    proven, _ = certified_patch.measure(one).statements
    images, labels = one.test.some(20)
    right = one.named(images) == labels

    assert unnoticed.value.n == int(right.sum()) > 0
    assert alarms.value.n == 20
    assert unnoticed.claim.kind == "guarantee"
    assert turned.value.value <= unnoticed.value.value, "no attack turns what is proven"
    assert 1 - unnoticed.value.value >= proven.value.value, "what is repaired is noticed, too"
    assert unnoticed.details["mask_side"] < proven.details["mask_side"]


def test_what_is_proven_by_masks_uses_the_grey_that_training_blanks_with(sealed, attacked) -> None:
    one = attacked(*sealed(linear()), profile=Profile(name="t", patch_share=0.2))
    masks = masks_against(one)

    assert masks.fill == tuple(round(255 * level) for level in one.predictor.preprocess.mean)


def test_stickers_turn_some_and_only_right_answers_count(sealed, attacked) -> None:
    one = attacked(*sealed(linear()), profile=Profile(name="t", patch_share=0.2))
    [found] = stickers.measure(one).statements

    assert found.value.n == int((one.named(one.test.some(20)[0]) == one.test.some(20)[1]).sum())
    assert found.value.value > 0.2
