"""bundle.archive: what was sealed is what is read; whatever else is in the file is refused."""

import hashlib
import json
import os
import random
import re
import zipfile

import numpy as np
import pytest

from foveal.bundle import archive, container
from foveal.bundle.manifest import digest
from foveal.core.errors import BundleError, NotFoundError, UsageError, WriteError

NAMES = ("manifest.json", "model.onnx", "golden_inputs.npy", "golden_probabilities.npy", "README.md")


@pytest.fixture
def copy(bundle, tmp_path):
    path = tmp_path / "copy.foveal"
    path.write_bytes(bundle.read_bytes())
    return path


def members_of(path) -> dict[str, bytes]:
    found = container.unpack(path.read_bytes(), known=(*NAMES, "report.json"))
    return {name: bytes(view) for name, view in found.items()}


def repack(path, members, *, rehash: bool = False, redigest: bool = False) -> None:
    """Write the bundle anew as somebody would who knows the format."""
    members = dict(members)
    document = json.loads(members["manifest.json"])
    if rehash:
        hashes = {n: hashlib.sha256(c).hexdigest() for n, c in members.items() if n != "manifest.json"}
        document["members"] = hashes
    if redigest:
        document["digest"] = digest(document)
    members["manifest.json"] = json.dumps(document).encode()
    path.write_bytes(container.pack(members))


def refusal(path, code: str = "tampered") -> str:
    """Return with which message a file is refused."""
    with pytest.raises(BundleError) as caught:
        archive.read(path)
    assert caught.value.code == code
    assert caught.value.path == str(path)
    return caught.value.message


def test_what_was_sealed_is_read(bundle, classifier, draft) -> None:
    members = archive.read(bundle)

    assert members.model == classifier()
    assert members.manifest.classes == draft().classes
    assert members.golden.inputs.dtype == np.uint8
    assert members.golden.inputs.shape == (4, 16, 16, 3)
    assert members.golden.probabilities.shape == (4, 3)
    assert members.report is None
    assert "`red`, `green`, `blue`" in members.readme
    assert members.size_bytes == bundle.stat().st_size


def test_sealing_twice_gives_the_same_bytes(make_bundle, tmp_path, bundle) -> None:
    assert make_bundle(tmp_path / "again.foveal").read_bytes() == bundle.read_bytes()


def test_any_zip_tool_reads_a_bundle(bundle) -> None:
    with zipfile.ZipFile(bundle) as archive_:
        assert tuple(archive_.namelist()) == NAMES
        assert all(entry.compress_type == zipfile.ZIP_STORED for entry in archive_.infolist())


def test_digest_covers_model_and_golden_vectors_by_their_hashes(bundle) -> None:
    manifest, members = archive.read(bundle).manifest, members_of(bundle)

    assert {name: hashlib.sha256(members[name]).hexdigest() for name in NAMES[1:]} == manifest.members


def test_a_flipped_bit_anywhere_is_noticed(bundle, tmp_path) -> None:
    content, path = bundle.read_bytes(), tmp_path / "flipped.foveal"
    order = random.Random(0)

    for position in range(0, len(content), 3):
        damaged = bytearray(content)
        damaged[position] ^= 1 << order.randrange(8)
        path.write_bytes(damaged)
        assert "damaged or was changed" in refusal(path)


def test_existing_file_is_kept_unless_forced(bundle, draft, classifier, copy) -> None:
    before, vectors = copy.read_bytes(), archive.read(bundle).golden

    with pytest.raises(WriteError, match="is there already"):
        archive.seal(copy, draft(foveal="2"), model=classifier(), golden=vectors)
    assert copy.read_bytes() == before

    archive.seal(copy, draft(foveal="2"), model=classifier(), golden=vectors, force=True)
    assert archive.read(copy).manifest.foveal == "2"


def test_another_suffix_is_refused(draft, classifier, bundle, tmp_path) -> None:
    with pytest.raises(UsageError, match=r"a bundle's name ends in \.foveal; got 'model\.onnx'"):
        archive.seal(tmp_path / "model.onnx", draft(), model=classifier(), golden=archive.read(bundle).golden)


def test_graph_that_does_not_stand_alone_is_not_sealed(draft, bundle, tmp_path) -> None:
    with pytest.raises(BundleError, match="it holds no graph"):
        archive.seal(tmp_path / "x.foveal", draft(), model=b"", golden=archive.read(bundle).golden)
    assert list(tmp_path.iterdir()) == []


def test_parts_that_do_not_fit_each_other_are_not_sealed(draft, classifier, bundle, tmp_path) -> None:
    five = draft(classes=list("abcde"))

    with pytest.raises(BundleError, match=r"holds float32 \(4, 3\) instead of at most float32 \(4, 5\)"):
        archive.seal(tmp_path / "x.foveal", five, model=classifier(), golden=archive.read(bundle).golden)
    assert list(tmp_path.iterdir()) == []


def test_attached_report_is_read_and_leaves_the_digest(copy) -> None:
    name = archive.read(copy).manifest.digest
    for accuracy in (0.5, 0.9):
        archive.attach_report(copy, {"digest": name, "accuracy": accuracy})

        members = archive.read(copy)
        assert members.report == {"digest": name, "accuracy": accuracy}
        assert members.manifest.digest == name


def test_what_is_attached_leaves_entries_as_an_earlier_version_wrote_them(finder, tmp_path) -> None:
    path = tmp_path / "earlier.foveal"
    with zipfile.ZipFile(finder) as file:
        members = {name: file.read(name) for name in file.namelist()}
    document = json.loads(members["manifest.json"])
    del document["decision"]["attributes"]  # which came later, and which the digest of this file is not over
    repack(path, {**members, "manifest.json": json.dumps(document).encode()}, redigest=True)
    name = archive.read(path).manifest.digest

    archive.attach_report(path, {"digest": name})

    assert archive.read(path).manifest.digest == name


def test_report_about_another_bundle_is_refused(copy) -> None:
    before = copy.read_bytes()

    with pytest.raises(UsageError, match="the report is about 'x', the bundle is"):
        archive.attach_report(copy, {"digest": "x"})
    assert copy.read_bytes() == before


def test_changed_member_is_refused_though_the_zip_is_sound(copy) -> None:
    for name in NAMES[1:]:
        members = members_of(copy)
        repack(copy, {**members, name: members[name][:-1] + b"?"})
        assert f"{name} does not have the sha256 that the manifest names" in refusal(copy)
        repack(copy, members)


def test_changed_model_with_new_hashes_is_refused_by_the_digest(copy, classifier) -> None:
    repack(copy, {**members_of(copy), "model.onnx": classifier(temperature=2.0)}, rehash=True)

    assert "the digest is not that of its entries" in refusal(copy)


def test_missing_member_is_refused(copy) -> None:
    for name in NAMES[1:]:
        members = members_of(copy)
        repack(copy, {key: value for key, value in members.items() if key != name})
        assert f"it lacks {name}" in refusal(copy)
        repack(copy, members)


def test_member_that_the_manifest_does_not_list_is_refused(copy) -> None:
    repack(copy, {**members_of(copy), "report.json": b"{}"})

    assert "the manifest lists other members than there are" in refusal(copy)


def test_listed_member_that_is_not_there_is_refused(copy) -> None:
    members = members_of(copy)
    document = json.loads(members["manifest.json"])
    document["members"]["../evil"] = "0" * 64

    repack(copy, {**members, "manifest.json": json.dumps(document).encode()})

    assert "the manifest lists other members than there are" in refusal(copy)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("golden_inputs.npy", b"", r"golden_inputs\.npy is no NumPy array"),
        ("golden_inputs.npy", bytes(900), r"golden_inputs\.npy is no NumPy array"),
        ("golden_probabilities.npy", b"\x93NUMPY\x01\x00\x02\x00{}", "is no NumPy array"),
    ],
)
def test_broken_golden_vectors_are_refused(copy, name, content, message) -> None:
    repack(copy, {**members_of(copy), name: content}, rehash=True, redigest=True)

    assert re.search(message, refusal(copy))


def test_graph_that_reaches_outside_is_refused_though_it_was_sealed(copy, classifier) -> None:
    import onnx

    model = onnx.load_from_string(classifier())
    onnx.external_data_helper.set_external_data(model.graph.initializer[0], "../weights")
    repack(copy, {**members_of(copy), "model.onnx": model.SerializeToString()}, rehash=True, redigest=True)

    assert "its weights lie in another file" in refusal(copy, code="bad_graph")


def test_compressed_copy_is_refused(copy) -> None:
    members = members_of(copy)
    with zipfile.ZipFile(copy, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in members.items():
            packed.writestr(name, content)

    assert "unpacked and packed again" in refusal(copy, code="not_a_bundle")


def test_nothing_and_folders_and_pipes_are_refused(tmp_path) -> None:
    os.mkfifo(tmp_path / "pipe.foveal")

    with pytest.raises(NotFoundError, match=r"there is no .*nix\.foveal"):
        archive.read(tmp_path / "nix.foveal")
    assert "is a folder" in refusal(tmp_path, code="not_a_bundle")
    assert "no regular file" in refusal(tmp_path / "pipe.foveal", code="not_regular")


def test_file_above_the_cap_is_refused(bundle, monkeypatch) -> None:
    monkeypatch.setattr(archive, "_SIZE_CAP", 1000)

    assert "is larger than 1000 bytes" in refusal(bundle, code="too_many_bytes")


def test_bytes_that_were_checked_are_the_bytes_that_are_returned(copy, classifier, monkeypatch) -> None:
    def replaced_right_after(path, count):
        content = path.read_bytes()[:count]
        path.write_bytes(b"something else")
        return content

    monkeypatch.setattr(archive, "read_regular", replaced_right_after)

    assert archive.read(copy).model == classifier()
