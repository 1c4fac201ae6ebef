"""Films as data: which frames are taken, what is refused, what belongs together."""

import io
import shutil
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest

import films
from foveal.core import extras
from foveal.core.errors import DataError, ImageError, MissingExtraError, UsageError
from foveal.data import inventory, opening, split, video
from foveal.data.clip import Clip, drawn_once, framewise, places, still, tall
from foveal.data.clips import FileClip, showing, spacing_s, stills
from foveal.data.preprocess import Preprocess
from foveal.data.store import StoreWriter

pytest.importorskip("av")
HALF = {"mean": (0.5,) * 3, "std": (0.25,) * 3}


def levels(frames):
    """Return which frame of `films.counting` each one is."""
    return (frames.reshape(len(frames), -1).mean(axis=1) / 10).round().astype(int).tolist()


@pytest.fixture
def folder(tmp_path):
    """Two classes of four sources each, each cut into two pieces; nothing is divided."""
    for label, direction in (("left", -1), ("right", 1)):
        for source in range(4):
            for piece in range(2):
                frames = films.sliding(direction, seed=100 * source + piece + 7 * (direction + 1))
                films.write(tmp_path / "data" / label / f"cam{source}_c{piece:02}.mkv", frames)
    return tmp_path / "data"


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 17, 40])
@pytest.mark.parametrize("frames", [1, 2, 4, 8])
def test_frames_are_the_middles_of_equal_parts(tmp_path, count, frames):
    content = films.write(tmp_path / "a.mkv", films.counting(min(count, 25))).read_bytes()
    count = min(count, 25)

    found = video.sampled(content, frames, 3)

    # An oracle: the frame that is shown at the middle of each of `frames` equal parts of the time.
    assert levels(found) == [int((k + 0.5) / frames * count) for k in range(frames)]
    assert found.shape == (frames, 16, 16, 3)


@pytest.mark.parametrize("suffix", ["mkv", "avi"])
def test_what_is_read_is_what_was_written(tmp_path, suffix):
    frames = np.random.default_rng(0).integers(0, 256, (6, 12, 20, 3), dtype=np.uint8)

    content = films.write(tmp_path / f"a.{suffix}", frames).read_bytes()

    np.testing.assert_array_equal(video.sampled(content, 6, 3), frames)
    assert video.header(content)[:3] == ("ffv1", 20, 12)
    assert video.timing(content).frames == 6
    assert video.timing(content).seconds == pytest.approx(0.6, abs=0.01)


def test_a_film_of_many_groups_of_pictures_gives_the_same_frames_as_decoding_all(tmp_path):
    frames = np.stack([films.sliding(1, seed=s, count=12, side=64) for s in range(3)]).reshape(-1, 64, 64, 3)
    content = films.write(tmp_path / "a.mp4", frames, codec="mpeg4", pixels="yuv420p").read_bytes()

    every = video.sampled(content, 36, 3)

    np.testing.assert_array_equal(video.sampled(content, 5, 3), every[places(36, 5)])


def test_frames_that_are_never_shown_are_not_taken_and_are_told_once(tmp_path):
    content = films.hidden(tmp_path / "a.mkv", films.counting(12, side=64))
    told = []

    found = video.sampled(content, 3, 3, spend=told.append)

    assert video.timing(content).frames == 12, "the container holds so many"
    assert told == [64**2] * 9 + [0] * 9
    np.testing.assert_array_equal(found, video.sampled(content, 9, 3)[places(9, 3)])


def test_what_is_no_film_is_refused_with_a_reason(tmp_path):
    whole = films.write(tmp_path / "a.mp4", films.counting(20), codec="mpeg4", pixels="yuv420p").read_bytes()

    def code(content, **limits):
        with pytest.raises(ImageError) as caught:
            video.sampled(content, 4, 3, limits=video.VideoLimits(**limits))
        return caught.value.code

    assert code(b"") == "empty"
    assert code(b"no film at all" * 50) == "not_video"
    assert code(b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n") == "not_video"
    assert code(whole[: len(whole) // 2]) in ("not_video", "no_video", "truncated", "corrupt")
    assert code(whole, content_bytes=100) == "too_many_bytes"
    assert code(whole, frames=19) == "too_many_frames"
    assert code(whole, pixels=20 * 16 * 16 - 1) == "too_many_pixels"
    assert len(video.sampled(whole, 4, 3, limits=video.VideoLimits(frames=20))) == 4


@pytest.mark.parametrize("suffix", ["mkv", "avi"])
def test_a_film_that_was_cut_off_is_refused_where_its_header_says_how_long_it_was(tmp_path, suffix):
    frames = np.random.default_rng(0).integers(0, 256, (60, 24, 32, 3), dtype=np.uint8)
    whole = films.write(tmp_path / f"a.{suffix}", frames).read_bytes()

    for share in (0.3, 0.5, 0.7):
        with pytest.raises(ImageError) as caught:
            video.sampled(whole[: int(share * len(whole))], 4, 3)
        assert caught.value.code == "truncated"
    assert len(video.sampled(whole, 4, 3)) == 4


def test_a_recording_that_never_ended_is_read_as_far_as_it_goes(tmp_path):
    frames = np.random.default_rng(0).integers(0, 256, (60, 24, 32, 3), dtype=np.uint8)
    content = films.unended(frames)

    found = video.sampled(content[: len(content) // 2], 4, 3)

    assert 20 < video.timing(content[: len(content) // 2]).frames < 31
    assert len(found) == 4


@pytest.mark.parametrize("begin", [0.4, 1.5, 30.0])
def test_a_film_may_begin_later_than_at_0_as_pieces_of_a_long_one_do(tmp_path, begin):
    frames, times = (
        np.random.default_rng(0).integers(0, 256, (40, 24, 32, 3), dtype=np.uint8),
        np.arange(40) / 10,
    )
    content = films.write(tmp_path / "a.mkv", frames, times=begin + times).read_bytes()

    assert video.timing(content).seconds == pytest.approx(4.0, abs=0.01)
    with pytest.raises(ImageError) as caught:
        video.timing(content[: len(content) // 2])
    assert caught.value.code == "truncated"


@pytest.mark.parametrize("start_s", [0.25, 1.25])
def test_a_film_that_was_trimmed_by_its_edit_list_is_read_from_where_it_begins(tmp_path, start_s):
    """Of frames that are passed over some are still there, to be decoded from, and some are not."""
    content = films.trimmed(tmp_path / "a.mp4", start_s)

    found = video.sampled(content, 3, 1)[:, 0, 0, 0]

    shown = 24 - round(12 * start_s)
    levels = films.counting(24)[:, 0, 0, 0][-shown:]
    expected = levels[places(shown, 3)]
    np.testing.assert_allclose(found, expected, atol=4)


@pytest.mark.parametrize("trimmed", [False, True])
def test_a_film_with_its_index_in_front_is_refused_where_frames_of_the_index_are_gone(tmp_path, trimmed):
    path = tmp_path / "a.mp4"
    if trimmed:
        films.trimmed(path, 1.25)
    else:
        films.write(path, films.counting(24), codec="mpeg4", pixels="yuv420p")
    content = index_first(path)
    assert len(video.sampled(content, 4, 3)) == 4

    for cut in (40, 300):
        with pytest.raises(ImageError) as caught:
            video.sampled(content[:-cut], 4, 3)
        assert caught.value.code in ("truncated", "corrupt")


@pytest.mark.parametrize("start_s", [0.0, 0.25, 1.25])
def test_a_film_that_ends_between_two_frames_of_its_index_is_refused(tmp_path, start_s):
    """The last ones in the file are not the last ones that are shown: no time tells that they are gone."""
    import av

    films.trimmed(tmp_path / "a.mp4", start_s)
    content = index_first(tmp_path / "a.mp4")
    with av.open(io.BytesIO(content)) as container:
        begins = sorted(packet.pos for packet in container.demux(video=0) if packet.size)
    assert len(video.sampled(content, 4, 3)) == 4

    for place in begins[-3:]:
        with pytest.raises(ImageError, match="it says that it has") as caught:
            video.sampled(content[:place], 4, 3)
        assert caught.value.code == "truncated"


def index_first(path):
    """Return a film copied with its index before its frames, as what is made for the web."""
    import av

    front = path.with_name("front.mp4")
    with av.open(str(path)) as source, av.open(str(front), "w", options={"movflags": "faststart"}) as made:
        copied = made.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(source.streams.video[0]):
            if packet.dts is not None:
                packet.stream = copied
                made.mux(packet)
    return front.read_bytes()


def test_sound_may_last_longer_than_what_is_seen(tmp_path):
    content = films.write(tmp_path / "a.mkv", films.counting(10), sound_s=8.0).read_bytes()

    assert video.timing(content).seconds == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize("gaps", [(3.0, 3.0, 3.0), (0.1, 5.0, 0.1)])
def test_pictures_of_a_slide_show_may_stay_for_long(tmp_path, gaps):
    times = np.cumsum((0.0, *gaps))

    content = films.write(tmp_path / "a.mkv", films.counting(len(times)), times=times).read_bytes()

    assert video.timing(content).frames == len(times)


def test_what_the_container_says_of_its_size_does_not_lift_the_limit_of_pixels(tmp_path):
    content = films.growing(tmp_path / "a.mkv", films.counting(1, side=32), films.counting(4, side=320))
    pixels = 32**2 + 4 * 320**2

    assert video.header(content)[1:3] == (32, 32)
    assert video.sampled(content, 2, 3, limits=video.VideoLimits(pixels=pixels)).shape[1:] == (320, 320, 3)
    with pytest.raises(ImageError) as caught:
        video.sampled(content, 2, 3, limits=video.VideoLimits(pixels=pixels - 1))
    assert caught.value.code == "too_many_pixels"


@pytest.mark.parametrize("count", [1, 5, 70])
def test_memory_does_not_grow_with_the_size_of_the_film(tmp_path, count, folder):
    content = films.write(
        tmp_path / "a.mkv", films.counting(count, side=600), codec="mjpeg", pixels="yuvj420p"
    ).read_bytes()
    preprocess = Preprocess(size=16, channels=3, **HALF, clip=Clip(frames=64))
    dataset = showing(
        replace(opening.open(folder), read=lambda _: FileClip(content, 8)),
        preprocess.clip,
        sized=preprocess.frame,
    )

    for make in (lambda: preprocess.from_bytes(content), lambda: preprocess(dataset.read(0).decode(3))):
        tracemalloc.start()
        found = make()
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()

        assert found.shape == (64, 16, 16, 3)
        assert peak < 6e6, "whole, 64 frames are 69 MB"
    whole = video.sampled(content, 64, 3)
    np.testing.assert_array_equal(found, preprocess(whole))


def test_whole_frames_are_refused_where_all_of_them_would_not_fit(tmp_path):
    content = films.write(tmp_path / "a.mkv", films.counting(1, side=1500)).read_bytes()

    assert video.sampled(content, 1, 3).shape == (1, 1500, 1500, 3)
    with pytest.raises(ImageError, match="64 whole frames of 1500×1500"):
        video.sampled(content, 64, 3)


def test_frames_of_several_sizes_are_refused_at_any_size(tmp_path):
    content = films.growing(tmp_path / "a.mkv", films.counting(2, side=32), films.counting(2, side=48))

    preprocess = Preprocess(size=16, channels=3, **HALF, clip=Clip(frames=4))
    for make in (lambda: video.sampled(content, 4, 3), lambda: preprocess.from_bytes(content)):
        with pytest.raises(ImageError) as caught:
            make()
        assert caught.value.code == "mixed_sizes"


WRITTEN = {  # as what, and by which codec
    "mov": ("mov", "mpeg4"),
    "matroska": ("matroska", "ffv1"),
    "avi": ("avi", "mpeg4"),
    "mpegts": ("mpegts", "mpeg2video"),
    "mpeg": ("mpeg", "mpeg1video"),
    "mpegvideo": ("mpeg2video", "mpeg2video"),
    "flv": ("flv", "flv1"),
    "ogg": ("ogg", "libvpx"),
    "asf": ("asf", "wmv2"),
    "mxf": ("mxf", "mpeg2video"),
    "m4v": ("m4v", "mpeg4"),
    "mjpeg": ("mjpeg", "mjpeg"),
    "gif": ("gif", "gif"),
}


def in_container(kind, codec):
    import av

    file, pixels = io.BytesIO(), {"gif": "gray", "mjpeg": "yuvj420p", "ffv1": "bgr0"}
    with av.open(file, "w", format=kind) as container:
        stream = container.add_stream(codec, rate=25)
        stream.height = stream.width = 64
        stream.pix_fmt = pixels.get(codec, "yuv420p")
        for one in films.counting(12, side=64):
            frame = av.VideoFrame.from_ndarray(one, format="rgb24")
            container.mux(stream.encode(frame.reformat(format=stream.pix_fmt)))
        container.mux(stream.encode())
    return file.getvalue()


def test_every_container_that_is_let_in_can_be_read():
    import av

    assert set(video.CONTAINERS.split(",")) == set(WRITTEN)
    for name, (kind, codec) in WRITTEN.items():
        if codec not in av.codecs_available:
            continue  # a build of PyAV without that encoder
        content = in_container(kind, codec)
        assert levels(video.sampled(content, 4, 3)) == [1, 4, 7, 10], name
        assert video.timing(content).frames == 12, name


@pytest.mark.parametrize(("kind", "codec"), [("h264", "libx264"), ("hevc", "libx265")])
def test_a_bare_stream_without_a_container_is_no_film(kind, codec):
    import av

    if codec not in av.codecs_available:
        pytest.skip(f"this PyAV cannot write {codec}")
    with pytest.raises(ImageError) as caught:
        video.sampled(in_container(kind, codec), 4, 3)
    assert caught.value.code == "not_video"


def test_without_the_extra_the_line_to_install_it_is_named(monkeypatch):
    monkeypatch.setattr(extras, "missing", lambda extra: ["av"])

    with pytest.raises(MissingExtraError, match=r'pip install "foveal\[video\]"'):
        video.header(b"film")


def test_a_preprocess_of_pictures_is_written_as_before_and_knows_no_clip():
    plain = Preprocess(size=32, channels=3, **HALF, decoder="pillow 1")

    assert "clip" not in plain.model_dump()
    assert "clip" not in plain.model_dump_json()
    # The digest of version 0.9.0 for the same values.
    assert plain.pixels_digest == "2fbe2944011b9e2213f97307526df894f1d739d975d50678c3d43f9cfe8a7622"
    assert plain.shape == (32, 32, 3)


def test_the_spacing_in_time_decides_no_pixel_and_the_number_of_frames_does():
    one, later, other = (
        Preprocess(size=32, channels=3, **HALF, decoder="d", clip=Clip(frames=n, spacing_s=s))
        for n, s in ((4, None), (4, 0.5), (8, None))
    )

    assert one.pixels_digest == later.pixels_digest != other.pixels_digest
    assert Preprocess.model_validate_json(later.model_dump_json()) == later


def test_bytes_frames_and_store_are_the_same_pixels(folder, tmp_path):
    dataset = showing(opening.open(folder), Clip(frames=4))
    preprocess = Preprocess(size=16, channels=3, **HALF, clip=dataset.clip)

    with StoreWriter(tmp_path / "s.npy", count=len(dataset), preprocess=preprocess) as writer:
        found = inventory.take(dataset, store=writer)
        store = writer.seal(dataset.labels, fingerprint=found.fingerprint)

    assert store.images.shape == (16, 4, 16, 16, 3)
    for row in (0, 7):
        picture = dataset.read(row)
        np.testing.assert_array_equal(store.images[row], preprocess.from_bytes(picture.content))
        np.testing.assert_array_equal(store.images[row], preprocess(picture.decode(3)))
    with pytest.raises(UsageError, match="need 4 frames; got 3"):
        preprocess(dataset.read(0).decode(3)[:3])
    with pytest.raises(UsageError, match=r"\(4, H, W, 3\)"):
        preprocess(np.zeros((16, 16, 3), np.uint8))


def test_the_layout_is_recognized_and_its_stills_are_the_same_data(folder):
    dataset = opening.open(folder)

    assert (dataset.task, dataset.format, dataset.classes) == ("video", "clip_folder", ("left", "right"))
    assert spacing_s(dataset, np.arange(16)) == pytest.approx(0.8 / 8, abs=0.01)
    seen = stills(dataset)
    assert inventory.take(seen).fingerprint == inventory.take(dataset).fingerprint
    np.testing.assert_array_equal(
        seen.read(3).decode(3), still(showing(dataset, Clip(frames=9)).read(3).decode(3))
    )
    with pytest.raises(UsageError, match=r"takes pictures, and .* holds clips"):
        showing(dataset, None)


def test_pictures_beside_films_count_unless_films_are_asked_for(folder, tmp_path):
    from PIL import Image

    for label in ("left", "right"):
        Image.new("RGB", (20, 20)).save(folder / label / "poster.png")

    assert opening.open(folder).task == "classify"
    assert opening.open(folder, task="video").task == "video"
    assert len(opening.open(folder, task="video")) == 16
    shutil.rmtree(folder / "left")
    for file in (folder / "right").glob("*.png"):
        file.unlink()
    with pytest.raises(DataError, match="does not say what is needed for classify; it does for video"):
        opening.open(folder, task="classify")


def test_pieces_of_one_source_never_sit_in_two_parts(folder):
    dataset = opening.open(folder)

    made = split.make(dataset, inventory.take(dataset), seed=3)

    parts = [
        {dataset.sources[i].rpartition("_")[0].rpartition("/")[2] for i in made.role(r)} for r in split.ROLES
    ]
    assert all(len(part) for part in parts)
    assert sum(map(len, parts)) == len(set.union(*parts)) == 4
    assert dataset.grouped_by == ("stem",)


def test_numbers_that_count_films_and_not_pieces_make_no_group(tmp_path):
    for label in ("a", "b"):
        for number in range(5):
            films.write(tmp_path / label / f"{label}_{number}.mkv", films.counting(3))

    dataset = opening.open(tmp_path)

    assert dataset.groups is None
    assert dataset.not_grouped_by == ("stem",)
    assert len(set(opening.open(tmp_path, group="stem").groups)) == 2


@pytest.mark.parametrize(
    ("sources", "kept"),
    [((8, 8, 2), True), ((8, 1), True), ((2, 2), True), ((1, 1, 1), False), ((1,) * 10 + (2,), False)],
)
def test_a_class_of_few_sources_does_not_tear_those_of_others_apart(tmp_path, sources, kept):
    content = films.write(tmp_path / "film.mkv", films.counting(2)).read_bytes()
    for label, count in enumerate(sources):
        (tmp_path / "data" / f"c{label}").mkdir(parents=True)
        for number in range(4 * count):
            name = f"c{label} cam{chr(97 + number % count)}_c{number // count}.mkv"
            (tmp_path / "data" / f"c{label}" / name).write_bytes(content)

    dataset = opening.open(tmp_path / "data")

    assert (dataset.groups is not None) is kept
    assert (dataset.grouped_by, dataset.not_grouped_by) == ((("stem",), ()) if kept else ((), ("stem",)))
    if kept:
        assert len(set(dataset.groups)) == sum(sources)


def test_a_list_of_groups_may_lie_elsewhere(folder, tmp_path):
    rows = "".join(
        f"{label}/cam{n}_c{p:02}.mkv,film {n // 2}\n"
        for label in ("left", "right")
        for n in range(4)
        for p in range(2)
    )
    (tmp_path / "list.csv").write_text("picture,group\n" + rows)

    dataset = opening.open(folder, group=str(tmp_path / "list.csv"))

    assert set(dataset.groups) == {"group film 0", "group film 1"}
    (tmp_path / "list.csv").write_text("picture,group\nleft/none.mkv,film 1\n")
    with pytest.raises(DataError, match="names no picture"):
        opening.open(folder, group=str(tmp_path / "list.csv"))


def test_a_tall_picture_has_the_frames_one_below_the_other_and_a_picture_stays_one():
    clips = np.random.default_rng(0).integers(0, 256, (3, 4, 5, 6, 2), dtype=np.uint8)

    assert np.array_equal(tall(clips), np.concatenate([clips[:, t] for t in range(4)], axis=1))
    assert np.array_equal(tall(clips[:, 0]), clips[:, 0])
    assert tall(clips[:0]).shape == (0, 20, 6, 2)


def test_frames_are_changed_as_the_pictures_that_they_are():
    clips = np.random.default_rng(0).integers(0, 256, (3, 4, 5, 6, 2), dtype=np.uint8)

    def mirrored(pictures):
        assert pictures.ndim == 4
        return pictures[:, :, ::-1]

    assert np.array_equal(framewise(mirrored, clips), clips[:, :, :, ::-1])
    assert np.array_equal(framewise(mirrored, clips[:, 0]), clips[:, 0, :, ::-1])


@pytest.mark.parametrize("anew", [False, True])
def test_what_is_drawn_for_a_film_is_drawn_once_unless_anew(anew):
    clips = np.zeros((3, 4, 5, 6, 2), dtype=np.uint8)

    def noisy(pictures, rng):
        return pictures + rng.integers(0, 256, pictures.shape, dtype=np.uint8)

    found = drawn_once(noisy, clips, np.random.default_rng(0), anew=anew)

    first = noisy(clips[:, 0], np.random.default_rng(0))
    assert np.array_equal(found[:, 0], first)
    assert all(np.array_equal(found[:, place], first) != anew for place in range(1, 4))
    assert not np.array_equal(found[0], found[1])
    assert np.array_equal(drawn_once(noisy, clips[:, 0], np.random.default_rng(0)), first)
