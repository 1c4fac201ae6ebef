"""What each corruption does, against closed forms and formulas of the papers."""

import numpy as np
import pytest

from foveal.perturb.corruptions import _filter, _levels, _warp
from foveal.perturb.corruptions.banding import LINES, banding
from foveal.perturb.corruptions.brightness import brightness
from foveal.perturb.corruptions.contrast import contrast
from foveal.perturb.corruptions.dead_pixels import SHARE, dead_pixels
from foveal.perturb.corruptions.defocus_blur import defocus_blur
from foveal.perturb.corruptions.dust import dust
from foveal.perturb.corruptions.elastic_transform import elastic_transform
from foveal.perturb.corruptions.exposure_drift import exposure_drift
from foveal.perturb.corruptions.fog import _clouds, fog
from foveal.perturb.corruptions.frost import frost
from foveal.perturb.corruptions.gaussian_blur import gaussian_blur
from foveal.perturb.corruptions.gaussian_noise import gaussian_noise
from foveal.perturb.corruptions.glass_blur import glass_blur
from foveal.perturb.corruptions.impulse_noise import impulse_noise
from foveal.perturb.corruptions.misalignment import misalignment
from foveal.perturb.corruptions.motion_blur import motion_blur
from foveal.perturb.corruptions.pixelate import pixelate
from foveal.perturb.corruptions.shot_noise import shot_noise
from foveal.perturb.corruptions.snow import snow
from foveal.perturb.corruptions.underexposure import underexposure
from foveal.perturb.corruptions.zoom_blur import zoom_blur


def rng(seed=0):
    return np.random.default_rng(seed)


def grey(value, *, side=32, n=16, channels=3):
    return np.full((n, side, side, channels), value, dtype=np.uint8)


def random(n=2, side=32, channels=3):
    return rng(5).integers(0, 256, (n, side, side, channels), dtype=np.uint8)


def point(side):
    image = np.zeros((1, side, side, 1), dtype=np.uint8)
    image[0, side // 2, side // 2] = 255
    return image


def test_levels_are_the_published_ones_at_both_ends_and_in_between_by_the_size():
    small, large = (1.0, 2.0, 3.0, 4.0, 5.0), (11.0, 12.0, 13.0, 14.0, 15.0)

    found = [_levels.between(small, large, severity=2, side=side) for side in (32, 64, 100, 224, 500)]

    assert (found[0], found[3], found[4]) == pytest.approx((2, 12, 12))
    assert found == sorted(found)
    assert _levels.length(small, large, severity=1, side=32) == pytest.approx(1)
    assert _levels.length(small, large, severity=1, side=224) == pytest.approx(11)
    assert _levels.length(small, large, severity=1, side=448) == pytest.approx(22), "the same share"
    assert _levels.side(grey(0, side=8)) == 32


@pytest.mark.parametrize(("side", "sigma"), [(32, 0.08), (224, 0.18)])
def test_gaussian_noise_has_the_stated_deviation_and_no_drift(side, sigma):
    noise = gaussian_noise(grey(128, side=side, n=4), severity=3, rng=rng()).astype(float) - 128

    assert noise.std() == pytest.approx(np.hypot(sigma * 255, 12**-0.5), rel=0.03)
    assert abs(noise.mean()) < 0.6


def test_noise_stops_at_black_and_white():
    assert gaussian_noise(grey(250), severity=5, rng=rng()).min() > 100
    assert gaussian_noise(grey(5), severity=5, rng=rng()).max() < 160


@pytest.mark.parametrize(("side", "photons"), [(32, 100), (224, 12)])
@pytest.mark.parametrize("value", [40, 100])
def test_shot_noise_has_the_variance_of_counted_photons(side, photons, value):
    found = shot_noise(grey(value, side=side, n=4), severity=3, rng=rng()).astype(float)

    assert found.mean() == pytest.approx(value, rel=0.02)
    assert found.var() == pytest.approx(value * 255 / photons, rel=0.06)
    assert (shot_noise(grey(0), severity=5, rng=rng()) == 0).all(), "no light, no noise"


@pytest.mark.parametrize(("side", "share"), [(32, 0.03), (224, 0.09)])
def test_impulses_are_the_stated_share_half_of_them_white(side, share):
    found = impulse_noise(grey(100, side=side, n=8), severity=3, rng=rng())
    count = found.size * share

    assert abs((found != 100).sum() - count) < 5 * count**0.5
    assert abs((found == 255).sum() - count / 2) < 5 * count**0.5
    assert set(np.unique(found)) == {0, 100, 255}
    assert (found[..., 0] != found[..., 1]).any(), "each channel for itself"


@pytest.mark.parametrize("side", [8, 32, 100])
def test_dead_pixels_are_exactly_the_stated_share_of_places_in_all_channels(side):
    images = grey(100, side=side, n=40)
    for severity, share in enumerate(SHARE, start=1):
        found = dead_pixels(images, severity=severity, rng=rng())
        dead = (found != 100).all(axis=3)

        assert (dead.sum(axis=(1, 2)) == max(1, round(share * side**2))).all()
        assert ((found != 100).any(axis=3) == dead).all()
    assert (found == 255).sum() == pytest.approx((found == 0).sum(), rel=0.5)
    assert (dead[0] != dead[1]).any(), "each picture has a camera of its own"


def test_blur_equals_pillows_gaussian():
    from PIL import Image, ImageFilter

    images = random(1, 96)
    oracle = Image.fromarray(images[0]).filter(ImageFilter.GaussianBlur(0.022 * 96))

    difference = gaussian_blur(images, severity=3, rng=rng())[0].astype(float) - np.asarray(oracle)

    assert np.abs(difference[8:-8, 8:-8]).mean() < 1.5, "Pillow's is made of boxes"


@pytest.mark.parametrize("reach", [2, 9])
def test_convolution_equals_the_sum_written_out_with_few_taps_and_with_many(reach):
    kernel = rng(3).random((2 * reach + 1,) * 2)
    kernel = _filter.whole(kernel + kernel[::-1, ::-1])
    images = random(2, 24, 2)

    found = _filter.convolved(images, kernel)

    padded = np.pad(images, ((0, 0), (reach, reach), (reach, reach), (0, 0)), "symmetric").astype(float)
    expected = sum(
        kernel[i, j] * padded[:, i : i + 24, j : j + 24]
        for i in range(2 * reach + 1)
        for j in range(2 * reach + 1)
    )
    assert kernel.sum() == 2**15
    assert (found == (expected / 2**15).astype(np.float32)).all(), "exact: the same on every machine"


@pytest.mark.parametrize(("side", "severity", "radius"), [(224, 5, 10), (224, 1, 3), (32, 5, 1.5)])
def test_a_point_out_of_focus_is_a_disk_of_the_published_radius(side, severity, radius):
    seen = defocus_blur(point(side), severity=severity, rng=rng())[0, :, :, 0].astype(float)
    rows, columns = np.nonzero(seen > seen.max() / 2)

    assert len(rows) == pytest.approx(np.pi * radius**2, rel=0.35 if radius < 2 else 0.12)
    assert np.ptp(rows) == np.ptp(columns)


def test_a_moving_point_leaves_a_straight_trace_of_the_published_length():
    lengths = []
    for seed in range(20):
        seen = motion_blur(point(224), severity=5, rng=rng(seed))[0, :, :, 0].astype(float)
        rows, columns = np.nonzero(seen)
        away = np.hypot(rows - 112, columns - 112)
        end = np.argmax(away)
        beside = (rows - 112) * (columns[end] - 112) - (columns - 112) * (rows[end] - 112)
        assert np.abs(beside / away[end]).max() < 1
        assert np.abs(rows - 112).max() <= np.abs(columns - 112).max() + 1, "at most 45° steep"
        lengths.append(away.max())
        # Steps of the trace that fall on the same pixel add up there, at most two.
        expected = np.exp(-(away**2) / (2 * 15**2))
        expected *= 255 / np.exp(-(np.arange(41) ** 2) / (2 * 15**2)).sum()
        ratio = seen[rows, columns][away < 20] / expected[away < 20]
        assert ratio.min() > 0.85
        assert ratio.max() < 2.2
    assert max(lengths) < 41
    assert min(lengths) > 25


def test_zooming_keeps_the_middle_and_is_symmetric():
    images = random(2, 33)

    found = zoom_blur(images, severity=5, rng=rng()).astype(int)

    assert (found[:, 16, 16] == images[:, 16, 16]).all()
    turned = zoom_blur(images[:, ::-1, ::-1], severity=5, rng=rng())[:, ::-1, ::-1].astype(int)
    assert np.abs(found - turned).max() <= 1


def test_glass_only_moves_pixels_by_the_stated_reach_where_it_does_not_blur():
    rows = np.repeat(np.arange(0, 160, 5, dtype=np.uint8)[:, None], 32, axis=1)[None, :, :, None]

    found = glass_blur(rows, severity=1, rng=rng())

    moved = np.abs(found.astype(int) - rows)
    assert set(np.unique(moved)) == {0, 5}
    assert (moved > 0).mean() == pytest.approx(0.5 * 2 / 3, abs=0.06), "half of them, a third of it in place"


def test_contrast_scales_around_the_mean_of_each_channel():
    images = random(2)
    means = images.mean(axis=(1, 2), keepdims=True)

    found = contrast(images, severity=3, rng=rng())

    assert np.abs(found - ((images - means) * 0.4 + means)).max() <= 0.5001


def test_brightness_adds_to_value_and_keeps_hue_and_saturation():
    import colorsys

    images = random(1, 8)

    found = brightness(images, severity=4, rng=rng())

    for before, after in zip(images.reshape(-1, 3) / 255, found.reshape(-1, 3), strict=True):
        hue, saturation, value = colorsys.rgb_to_hsv(*before)
        expected = colorsys.hsv_to_rgb(hue, saturation, min(1, value + 0.2))
        assert np.abs(np.array(expected) * 255 - after).max() <= 0.51
    assert (brightness(grey(0), severity=4, rng=rng()) == 51).all(), "black becomes grey"


def test_darkness_scales_and_keeps_black():
    ramp = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1)

    assert underexposure(ramp, severity=3, rng=rng()).ravel()[[0, 100, 255]].tolist() == [0, 50, 128]


def test_exposure_goes_up_or_down_by_stops_of_light():
    found = exposure_drift(grey(100, n=200), severity=3, rng=rng())[:, 0, 0, 0]
    light = (found / 255.0) ** 2.2 / (100 / 255.0) ** 2.2

    assert set(np.round(np.log2(light), 1)) == {-0.9, 0.9}
    assert 70 < (found > 100).sum() < 130


def test_fog_is_the_papers_formula_and_keeps_the_largest_value():
    images = random(3)
    images[:, 0, 0] = 200

    found = fog(images, severity=3, rng=rng(4))

    clouds = _clouds(3, 32, 2.5, rng(4))[..., None].astype(float)
    most = images.max(axis=(1, 2, 3), keepdims=True) / 255
    expected = (images / 255 + 0.75 * clouds) * most / (most + 0.75) * 255
    assert np.abs(found - expected).max() < 0.502
    assert (clouds.min(axis=(1, 2, 3)) == 0).all()
    assert (clouds.max(axis=(1, 2, 3)) == 1).all()


@pytest.mark.parametrize("decay", [1.5, 3.0])
def test_from_scale_to_scale_clouds_lose_detail_by_the_square_of_the_decay(decay):
    clouds = _clouds(40, 64, decay, rng()).astype(float)
    # What lies between two points of a scale and is not their mean was drawn for that scale alone.
    drawn = []
    for step in (4, 2):
        corners, half = clouds[:, ::step, ::step], step // 2
        middle = clouds[:, half::step, half::step]
        around = corners + np.roll(corners, -1, 1)
        around = (around + np.roll(around, -1, 2)) / 4
        drawn.append((middle - around).std())

    assert drawn[0] / drawn[1] == pytest.approx(decay**2, rel=0.1)


def test_snow_and_frost_add_white_and_lie_elsewhere_on_each_picture():
    images = grey(60, n=6, side=48)
    for add in (snow, frost):
        found = add(images, severity=5, rng=rng()).astype(int)

        assert found.mean() > 65
        assert found.std(axis=(1, 2, 3)).min() > 5
        assert (found[0] != found[1]).mean() > 0.5
        assert (found[..., 0] == found[..., 1]).all(), "it has no colour"


def test_snow_bleaches_as_in_the_paper_where_no_flake_lies():
    images = random(1, 32)

    found = snow(images, severity=1, rng=rng(2)).astype(float)

    luminance = (images @ np.array([0.299, 0.587, 0.114]))[..., None]
    bleached = 0.95 * images + 0.05 * np.maximum(images, luminance * 1.5 + 127.5)
    assert (found - bleached.clip(0, 255)).min() > -0.51
    assert (np.abs(found - bleached.clip(0, 255)) < 0.51).mean() > 0.3


@pytest.mark.parametrize(("severity", "share"), [(3, 0.85), (5, 0.65)])
def test_pixels_of_a_pixelated_picture_are_few(severity, share):
    found = pixelate(random(1), severity=severity, rng=rng())[0]

    assert len(np.unique(found, axis=0)) == int(32 * share)
    assert len(np.unique(found, axis=1).transpose(1, 0, 2)) == int(32 * share)


def test_looking_up_at_whole_places_moves_pixels_and_mirrors_beyond_the_edge():
    images = random(2, 9, 2)
    rows, columns = (np.broadcast_to(a, (2, 9, 9)).astype(np.float32) for a in np.mgrid[:9, :9])

    assert (_warp.warped(images, rows, columns) == images).all()
    beyond = _warp.warped(images, rows + 8, columns - 3)
    assert (beyond[:, 1] == images[:, 7][:, [3, 2, 1, 0, 1, 2, 3, 4, 5]]).all()
    between = _warp.warped(images, rows[:, :8] + np.float32(0.25), columns[:, :8])
    assert between == pytest.approx(images[:, :8] * 0.75 + images[:, 1:] * 0.25)


def ramps(side):
    """Return a picture whose two channels say from where each pixel comes."""
    rows, columns = np.mgrid[:side, :side]
    return (np.stack([rows, columns], axis=2)[None] * (240 // side) + 5).astype(np.uint8)


def test_misaligned_pictures_are_turned_and_shifted_by_as_much_as_stated():
    images = np.repeat(ramps(120), 30, axis=0)

    found = misalignment(images, severity=3, rng=rng()).astype(float)

    places = (found[:, 40:80, 40:80] - 5) / 2
    by_row = np.diff(places, axis=1).mean(axis=(1, 2))
    angles = np.degrees(np.arctan2(by_row[:, 1], by_row[:, 0]))
    assert np.abs(angles) == pytest.approx(np.full(30, 4), abs=0.6)
    assert 5 < (angles > 0).sum() < 25
    middle = places[:, 19:21, 19:21].mean(axis=(1, 2)) - 59.5
    assert np.hypot(*middle.T) == pytest.approx(np.full(30, 0.06 * 120), abs=0.6)


def test_elastic_waves_have_the_stated_size():
    images = np.repeat(ramps(224), 20, axis=0)

    found = elastic_transform(images, severity=5, rng=rng()).astype(float)

    places = (found[:, 60:160, 60:160] - 5) - np.stack(np.mgrid[60:160, 60:160], axis=2)
    rows, columns = np.mgrid[:100, :100]
    affine = np.stack([np.ones(10_000), rows.ravel(), columns.ravel()], axis=1)
    flat = places.transpose(1, 2, 0, 3).reshape(10_000, -1)
    waves = flat - affine @ np.linalg.lstsq(affine, flat, rcond=None)[0]
    assert waves.std() == pytest.approx(1.95, rel=0.1)


def test_banding_moves_whole_lines_and_half_of_the_pictures_by_rows():
    found = banding(grey(128, n=100), severity=2, rng=rng()).astype(float)

    rows = (found == found[:, :, :1]).all(axis=(1, 2, 3))
    columns = (found == found[:, :1]).all(axis=(1, 2, 3))
    assert (rows ^ columns).all()
    assert 30 < rows.sum() < 70
    steps = np.diff(found[rows, :, 0, 0], axis=1)
    assert steps.std() == pytest.approx(2**0.5 * 255 * LINES[1], rel=0.15)


def test_dust_darkens_by_the_stated_shade_and_leaves_most_alone():
    found = dust(grey(200, side=128, n=20, channels=1), severity=2, rng=rng())

    assert found.min() == round(200 * (1 - 0.45))
    assert 0.9 < (found == 200).mean() < 1
    assert (found.min(axis=(1, 2, 3)) < 150).all(), "on every picture"
