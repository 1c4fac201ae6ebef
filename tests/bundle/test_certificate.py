"""A certificate inside a bundle: beside the digest, kept by a report, refused in any other bundle."""

import json
import shutil

import pytest

from foveal.bundle import archive, container
from foveal.bundle.predictor import Predictor
from foveal.core.errors import BundleError, UsageError

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


def test_a_certificate_of_another_bundle_that_was_put_in_all_the_same_is_refused(copy):
    """As somebody would do who knows the format: every hash fits."""
    archive.attach_certificate(copy, about(copy))
    manifest, members = archive._open(archive._content(copy), copy)
    del members["manifest.json"]
    for content in (json.dumps({**CERTIFICATE, "digest": "0" * 64}), "[]", "{"):
        members["certificate.json"] = content.encode()
        forged = manifest.model_copy(update={"members": archive._hashes(members)})
        copy.write_bytes(archive._pack(forged, members))

        with pytest.raises(BundleError, match=r"certificate\.json is") as caught:
            archive.read(copy)
        assert caught.value.code == "tampered"


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
