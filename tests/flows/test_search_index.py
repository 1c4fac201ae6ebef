"""`foveal search index` and `query`: what is there is found, what is new is added, what is gone can go."""

import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from foveal.core.errors import DataError, ImageError, NotFoundError, UsageError, WriteError
from foveal.flows._unlabelled import everything
from foveal.flows.search_index import Backbone, duplicates, embedder_for, index
from foveal.flows.search_query import content_of, query
from foveal.search.file import IndexFile


def save(path: Path, seed: int, *, side: int = 40) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (5, 5, 3), dtype=np.uint8))
    coarse.resize((side, side + 8), Image.Resampling.BICUBIC).save(path)
    return path


@pytest.fixture
def folder(tmp_path) -> Path:
    for seed in range(12):
        save(tmp_path / "pictures" / f"{seed % 3}" / f"{seed:02}.png", seed)
    return tmp_path / "pictures"


@pytest.fixture
def made(bundle, folder, tmp_path) -> Path:
    path = tmp_path / "a.index"
    index([folder], path, backbone=Backbone(str(bundle)))
    return path


def found(path: Path, picture: Path, **options) -> list[str]:
    document, _ = query(path, picture.read_bytes(), **options)
    return [Path(one["source"]).name for one in document["results"]]


def test_a_picture_of_the_index_finds_itself_first_and_can_be_left_out(made, folder) -> None:
    for picture in sorted(folder.rglob("*.png")):
        with_itself, others = found(made, picture, top=12), found(made, picture, top=12, others=True)

        assert with_itself[0] == picture.name
        assert others == with_itself[1:]
        assert len(others) == 11


def test_scores_are_cosines_of_the_features(made, folder) -> None:
    picture = folder / "0" / "00.png"
    document, _ = query(made, picture.read_bytes(), top=12)
    with IndexFile.open(made) as opened:
        gallery, embedder = opened.gallery(), opened.embedder
    asked = embedder.features(embedder.preprocess.from_bytes(picture.read_bytes())[None])[0].astype(float)

    vectors = dict(zip([names[0] for names in gallery.sources], gallery.vectors.astype(float), strict=True))
    for one in document["results"]:
        other = vectors[one["source"]]
        cosine = asked @ other / np.linalg.norm(asked) / np.linalg.norm(other)
        assert one["score"] == pytest.approx(cosine, abs=1e-5)
    scores = [one["score"] for one in document["results"]]
    assert scores == sorted(scores, reverse=True)


def test_again_adds_only_what_is_new_and_forgets_only_when_asked(made, folder, bundle) -> None:
    before = made.read_bytes()
    again = index([folder], made)
    assert (again["added"], again["forgotten"], again["pictures"]) == (0, 0, 12)
    assert made.read_bytes() == before, "nothing is written where nothing is new"

    save(folder / "new.png", 99)
    (folder / "0" / "00.png").unlink()
    more = index([folder], made, backbone=Backbone(str(bundle)))
    assert (more["added"], more["forgotten"], more["pictures"]) == (1, 0, 13)

    pruned = index([folder], made, prune=True)
    assert (pruned["added"], pruned["forgotten"], pruned["pictures"]) == (0, 1, 12)
    assert "00.png" not in found(made, folder / "new.png", top=99)


def test_a_file_that_was_replaced_is_called_so_no_more(made, folder) -> None:
    old = (folder / "0" / "03.png").read_bytes()
    save(folder / "0" / "03.png", 55)

    document = index([folder], made)

    assert (document["added"], document["forgotten"], document["pictures"]) == (1, 1, 12)
    results = query(made, old, top=12)[0]["results"]
    assert all(one["score"] < 0.99999 for one in results if Path(one["source"]).name == "03.png")


def test_bytes_that_are_there_twice_are_one_picture_with_two_names(made, folder) -> None:
    shutil.copy(folder / "1" / "01.png", folder / "again.png")

    document = index([folder], made)
    first = query(made, (folder / "again.png").read_bytes())[0]["results"][0]

    assert (document["added"], document["copies"], document["pictures"]) == (0, 1, 12)
    assert [Path(name).name for name in (first["source"], *first["copies"])] == ["01.png", "again.png"]


def test_near_copies_are_told(made, folder) -> None:
    assert duplicates(made) == {"groups": 0, "pictures": 0, "examples": []}
    with Image.open(folder / "2" / "02.png") as image:
        image.resize((64, 77)).save(folder / "larger.jpg")
    index([folder], made)

    near = duplicates(made)

    assert (near["groups"], near["pictures"]) == (1, 2)
    assert sorted(Path(name).name for name in near["examples"][0]["sources"]) == ["02.png", "larger.jpg"]


def test_archives_data_sets_and_files_are_indexed_in_one_go(tmp_path, folder, bundle) -> None:
    with zipfile.ZipFile(tmp_path / "more.zip", "w") as archive:
        archive.write(save(tmp_path / "z.png", 70), "inside/z.png")
    pixels = np.random.default_rng(0).integers(0, 256, (4, 20, 20, 3), dtype=np.uint8)
    (tmp_path / "set").mkdir()
    np.savez(tmp_path / "set" / "set.npz", images=pixels, labels=np.arange(4) % 2)
    one = save(tmp_path / "alone.png", 71)

    both = index([folder, tmp_path / "more.zip", one], tmp_path / "b.index", backbone=Backbone(str(bundle)))
    dataset = index([tmp_path / "set"], tmp_path / "c.index", backbone=Backbone(str(bundle)))

    assert both["pictures"] == 14
    assert dataset["pictures"] == 4
    with IndexFile.open(tmp_path / "c.index") as opened:
        names = [names[0] for names in opened.gallery().sources]
    assert names == [f"{tmp_path}/set/set.npz#{row}" for row in range(4)]


def test_another_backbone_is_refused_and_another_index_gives_its_own(made, folder, bundle, tmp_path) -> None:
    same = index([folder], tmp_path / "b.index", backbone=Backbone(str(made)))
    with IndexFile.open(made) as first, IndexFile.open(tmp_path / "b.index") as second:
        assert first.embedder == second.embedder
    assert same["backbone"]["license"] == "Apache-2.0"

    with IndexFile.open(made) as opened:
        changed = opened.embedder.preprocess.model_copy(
            update={"interpolation": "bilinear", "mean": (0.1, 0, 0)}
        )
        from dataclasses import replace

        other = replace(opened.embedder, preprocess=changed)
    with IndexFile.create(tmp_path / "other.index", other):
        pass
    with pytest.raises(UsageError, match="holds features of") as caught:
        index([folder], made, backbone=Backbone(str(tmp_path / "other.index")))
    assert caught.value.code == "other_backbone"
    with pytest.raises(UsageError, match="takes pictures of 16 pixels"):
        index([folder], tmp_path / "d.index", backbone=Backbone(str(bundle), size=32))


def test_pictures_that_cannot_be_used_are_named_and_the_others_are_there(made, folder) -> None:
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n and nothing")

    document = index([folder], made)

    assert document["pictures"] == 12
    assert document["unusable"]["count"] == 1
    assert document["unusable"]["examples"][0]["source"].endswith("broken.png")


def test_pictures_that_cannot_be_read_now_are_not_gone(made, folder) -> None:
    """A half-synced folder: files are there, and empty."""
    whole = (folder / "0" / "03.png").read_bytes()
    for path in folder.rglob("*.png"):
        path.write_bytes(b"")
    (folder / "0" / "00.png").unlink()
    with pytest.raises(DataError, match="no picture can be used"):
        index([folder], made, prune=True)
    with IndexFile.open(made) as opened:
        assert len(opened.sources()) == 12
    (folder / "0" / "03.png").write_bytes(whole)

    document = index([folder], made, prune=True)

    assert (document["pictures"], document["forgotten"]) == (11, 1)
    assert document["unusable"]["count"] == 10


def test_the_network_of_an_index_is_what_it_is(made, tmp_path, folder) -> None:
    for more in ({"size": 32}, {"model": "nano"}):
        with pytest.raises(UsageError) as caught:
            index([folder], tmp_path / "b.index", backbone=Backbone(str(made), **more))
        assert caught.value.code == "size_of_index"


def test_errors_say_what_to_do(made, folder, tmp_path, bundle) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "a.png").write_bytes(b"no picture")
    (tmp_path / "text").write_text("text")
    new = Backbone(str(bundle))
    with pytest.raises(NotFoundError, match="no picture in"):
        index([tmp_path / "empty"], tmp_path / "e.index", backbone=new)
    with pytest.raises(NotFoundError, match="there is no"):
        index([tmp_path / "none"], tmp_path / "e.index", backbone=new)
    with pytest.raises(DataError, match="no picture can be used"):
        index([tmp_path / "bad"], tmp_path / "e.index", backbone=new)
    assert not (tmp_path / "e.index").exists()  # nothing binds the next one to this backbone
    with IndexFile.create(tmp_path / "n.index", embedder_for(new, everything([folder]))):
        pass
    with pytest.raises(DataError, match="has no pictures"):
        query(tmp_path / "n.index", (folder / "0" / "00.png").read_bytes())
    with pytest.raises(DataError, match="is no index") as caught:
        index([folder], tmp_path / "text", backbone=new)
    assert caught.value.hint == "name another --out"
    with pytest.raises(WriteError):
        index([folder], tmp_path / "text" / "a.index", backbone=new)
    with pytest.raises(ImageError, match=r"a\.png: ") as caught:
        query(made, b"no picture", called="a.png")
    assert caught.value.path == "a.png"
    with pytest.raises(ImageError, match="is a folder"):
        content_of(str(folder))
    with pytest.raises(NotFoundError, match="there is no"):
        content_of("none.jpg")
    with pytest.raises(NotFoundError, match="no picture is named"):
        content_of("")
    with pytest.raises(UsageError, match="there is no picture") as caught:
        content_of("a red box")
    assert caught.value.code == "no_text"


PROGRAM = """
import sys
from foveal.flows.search_index import Backbone, index
from pathlib import Path
def tell(stage, done, total, note=""):
    if stage == "embedding pictures":
        print(done, flush=True)
index([sys.argv[1]], Path(sys.argv[2]), backbone=Backbone(sys.argv[3]), threads=1, progress=tell)
"""


def test_a_killed_index_goes_on_where_it_stopped_and_ends_as_if_undisturbed(tmp_path, bundle) -> None:
    for seed in range(300):
        save(tmp_path / "many" / f"{seed:03}.png", seed, side=16)
    command = [sys.executable, "-c", PROGRAM, str(tmp_path / "many"), str(tmp_path / "a.index"), str(bundle)]
    running = subprocess.Popen(command, stdout=subprocess.PIPE)
    running.stdout.readline()
    running.stdout.readline()  # a batch is in it, the second is under way or there
    time.sleep(0.002)
    os.kill(running.pid, signal.SIGKILL)
    running.wait()
    running.stdout.close()
    with IndexFile.open(tmp_path / "a.index") as opened:
        kept = len(opened.gallery())
    assert 0 < kept < 300
    assert kept % 64 == 0

    finished = index([tmp_path / "many"], tmp_path / "a.index")
    undisturbed = index([tmp_path / "many"], tmp_path / "b.index", backbone=Backbone(str(bundle)))

    assert finished["added"] == 300 - kept
    assert finished["pictures"] == undisturbed["pictures"] == 300
    digests = []
    for name in ("a.index", "b.index"):
        with IndexFile.open(tmp_path / name) as opened:
            digests.append(opened.gallery().digest)
    assert digests[0] == digests[1]


def test_pictures_of_a_file_of_arrays_are_called_after_it_once(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (6, 16, 16, 3), dtype=np.uint8)
    np.savez(tmp_path / "people.npz", images=images, labels=np.arange(6) % 2)
    found = everything([tmp_path / "people.npz"])
    assert found.sources[3] == f"{tmp_path}/people.npz#3"
