"""A certificate inside a bundle: beside the digest, kept by a report, refused in any other bundle."""

import json
import shutil

import pytest

from foveal.bundle import archive, container, enclosed
from foveal.bundle.predictor import Predictor
from foveal.core.errors import BundleError, UsageError, WriteError

CERTIFICATE = {"schema": "foveal.certify/1", "verdict": "pass", "gates": []}


@pytest.fixture
def copy(bundle, tmp_path):
    path = tmp_path / "copy.foveal"
    shutil.copy(bundle, path)
    return path


def about(path, **more):
    return {**CERTIFICATE, "digest": archive.read(path).manifest.digest, **more}


def test_a_bundle_has_no_certificate_until_somebody_attaches_one(copy):
    before = archive.read(copy)
    assert before.certificate is None

    archive.attach_certificate(copy, about(copy))

    after = archive.read(copy)
    assert after.certificate == about(copy)
    assert after.manifest.digest == before.manifest.digest
    assert (after.model, after.readme) == (before.model, before.readme), "the model card is left alone"
    assert Predictor.open(copy, engine="onnxruntime", threads=1).certificate == about(copy)


def test_report_and_certificate_leave_each_other_alone_in_any_order(copy, bundle, tmp_path):
    other = tmp_path / "other.foveal"
    shutil.copy(bundle, other)
    report = {"digest": archive.read(copy).manifest.digest, "metrics": {}}

    archive.attach_certificate(copy, about(copy))
    archive.attach_report(copy, report)
    archive.attach_report(other, report)
    archive.attach_certificate(other, about(other))

    members = archive.read(copy)
    assert (members.report, members.certificate) == (report, about(copy))
    assert copy.read_bytes() == other.read_bytes()


def test_a_second_certificate_takes_the_place_of_the_first(copy):
    archive.attach_certificate(copy, about(copy, verdict="fail"))
    archive.attach_certificate(copy, about(copy))

    assert archive.read(copy).certificate["verdict"] == "pass"


def test_a_certificate_of_another_bundle_is_not_attached(copy):
    before = copy.read_bytes()

    with pytest.raises(UsageError, match="the certificate is about"):
        archive.attach_certificate(copy, {**CERTIFICATE, "digest": "0" * 64})
    assert copy.read_bytes() == before


def put_in(path, content, name="certificate.json"):
    """Put any bytes in, as somebody would do who knows the format: every hash fits."""
    manifest, members = archive._open(archive._content(path), path)
    del members["manifest.json"]
    members[name] = content
    forged = manifest.model_copy(update={"members": archive._hashes(members)})
    path.write_bytes(archive._pack(forged.as_json(), members))


@pytest.mark.parametrize("name", ["certificate", "report"])
def test_a_document_about_another_bundle_that_was_put_in_all_the_same_is_refused_where_it_is_read(copy, name):
    other = {**CERTIFICATE, "digest": "0" * 64}
    for content in (json.dumps(other), "[]", "{", "[" * 100_000):
        put_in(copy, content.encode(), f"{name}.json")
        opened = Predictor.open(copy, engine="onnxruntime", threads=1)

        for holder in (archive.read(copy), opened, opened):
            with pytest.raises(BundleError, match=rf"{name}\.json is") as caught:
                getattr(holder, name)
            assert (caught.value.code, caught.value.path) == ("tampered", str(copy))


@pytest.mark.parametrize("name", ["certificate", "report"])
def test_opening_and_answering_read_no_document_and_a_long_one_is_never_read(copy, name, monkeypatch, images):
    digest = archive.read(copy).manifest.digest
    put_in(copy, b'{"digest": "%s", "a": [%s 1]}' % (digest.encode(), b"[]," * 3_000_000), f"{name}.json")
    read = []
    loads = json.loads
    monkeypatch.setattr(enclosed.json, "loads", lambda text, **more: read.append(text) or loads(text, **more))

    predictor = Predictor.open(copy, engine="onnxruntime", threads=1)
    assert len(predictor.predict(images[:2])) == 2
    with pytest.raises(BundleError, match="at most 8,388,608 are read") as caught:
        getattr(predictor, name)

    assert (caught.value.code, caught.value.path) == ("too_many_bytes", str(copy))
    assert not [text for text in read if len(text) > 100_000]
    archive._attach(copy, f"{name}.json", {"digest": digest})
    assert getattr(archive.read(copy), name) == {"digest": digest}, "a good one takes its place"


def test_a_document_is_read_once(copy, monkeypatch):
    archive.attach_certificate(copy, about(copy))
    members = archive.read(copy)

    first = members.certificate
    monkeypatch.setattr(enclosed.json, "loads", None)

    assert members.certificate is first


def test_a_long_document_lies_in_the_bundle_without_spaces_and_a_longer_one_not_at_all(copy, monkeypatch):
    """As the table of a thousand classes and more would be, here with a smaller limit."""
    assert enclosed.MOST_BYTES == 8 * 1024 * 1024
    monkeypatch.setattr(enclosed, "MOST_BYTES", 5000)
    spaced = about(copy, rows=[[0] * 40] * 40)  # 3,200 bytes of numbers and commas, 8,000 with line breaks
    archive.attach_certificate(copy, spaced)
    assert archive.read(copy).certificate == spaced
    before = copy.read_bytes()

    with pytest.raises(WriteError, match=r"certificate\.json would have") as caught:
        archive.attach_certificate(copy, about(copy, rows=[[0] * 50] * 50))

    assert caught.value.code == "too_many_bytes"
    assert copy.read_bytes() == before


def test_a_bundle_that_is_sealed_anew_has_no_certificate(copy, tmp_path):
    pytest.importorskip("openvino")
    from foveal.export.ir import with_ir

    archive.attach_certificate(copy, about(copy))
    source = archive.read(copy)

    with_ir(source, tmp_path / "with-ir.foveal")

    sealed = archive.read(tmp_path / "with-ir.foveal")
    assert sealed.manifest.digest != source.manifest.digest
    assert sealed.certificate is None


def test_any_zip_tool_sees_the_certificate(copy):
    archive.attach_certificate(copy, about(copy))

    assert container.is_ours(copy.read_bytes(), first="manifest.json")
    assert b"certificate.json" in copy.read_bytes()
