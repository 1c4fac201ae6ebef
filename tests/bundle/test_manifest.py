"""bundle.manifest: what it accepts, what it refuses, and exactly what the digest covers."""

import hashlib
import json

import pytest
from pydantic import ValidationError

from foveal.bundle.manifest import Manifest, Model, deciding_members, digest, parse
from foveal.core.errors import BundleError
from foveal.tasks.classify.reference import Reference

DECIDING_MEMBERS = deciding_members("classify")
HASHES = {name: f"{index:064x}" for index, name in enumerate([*DECIDING_MEMBERS, "README.md"])}


@pytest.fixture
def manifest(draft):
    return Manifest.seal(draft(), HASHES)


@pytest.fixture
def document(manifest):
    return manifest.as_json()


def written(document) -> bytes:
    return json.dumps(document).encode()


def sealed(document) -> bytes:
    """The manifest with a digest that fits it: only what parse checks besides can refuse it."""
    return written({**document, "digest": digest(document)})


def test_what_was_written_is_read_again(manifest, document) -> None:
    assert parse(written(document)) == manifest


def test_digest_can_be_recomputed_from_its_published_recipe(document) -> None:
    deciding = {
        "classes": ["red", "green", "blue"],
        "decision": document["decision"],
        "members": {name: HASHES[name] for name in DECIDING_MEMBERS},
        "preprocess": document["preprocess"],
        "schema": "foveal.bundle/1",
        "task": "classify",
    }
    text = json.dumps(deciding, sort_keys=True, separators=(",", ":"), ensure_ascii=False)

    assert document["digest"] == hashlib.sha256(text.encode("utf-8")).hexdigest()


def test_recipe_in_the_documentation_computes_the_digest(project, document) -> None:
    page = (project / "docs" / "bundle.md").read_text(encoding="utf-8")
    recipe = page.partition("```python\n")[2].partition("```")[0]

    names: dict[str, object] = {}
    exec(recipe, names)
    assert names["digest"](document) == document["digest"]


def test_digest_is_that_of_known_bytes(draft) -> None:
    preprocess = {**draft().preprocess.model_dump(mode="json"), "decoder": "pillow 12.3.0"}
    sealed_once = Manifest.seal(draft(preprocess=preprocess), HASHES)

    assert sealed_once.digest == "77c0b9af7b9865c563efe258a4cc78bccf33531119cab81b397af1920870cd93"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("classes", ["green", "red", "blue"]),
        ("preprocess", {"size": 17, "channels": 3, "mean": [0, 0, 0], "std": [1, 1, 1]}),
        (
            "decision",
            {
                "abstain": {"threshold": 0.61, "risk": 0.01, "delta": 0.05, "n": 500},
                "conformal": {"alpha": 0.1, "quantile": 0.7, "n": 500},
            },
        ),
    ],
)
def test_digest_changes_with_what_decides(draft, manifest, key, value) -> None:
    assert Manifest.seal(draft(**{key: value}), HASHES).digest != manifest.digest


INSPECTION = {"good": ["red"], "costs": {"miss": 100, "false_call": 5, "review": 1}}


def test_an_inspection_is_part_of_the_digest_where_there_is_one(draft, manifest, document, project) -> None:
    inspecting = Manifest.seal(draft(inspection=INSPECTION), HASHES)

    assert "inspection" not in document
    assert inspecting.digest != manifest.digest
    assert parse(written(inspecting.as_json())) == inspecting
    recipe = (
        (project / "docs" / "bundle.md").read_text("utf-8").partition("```python\n")[2].partition("```")[0]
    )
    names: dict[str, object] = {}
    exec(recipe, names)
    assert names["digest"](inspecting.as_json()) == inspecting.digest


@pytest.mark.parametrize("good", [[], ["grey"], ["red", "green", "blue"]])
def test_of_a_classifier_that_inspects_some_classes_are_good(draft, good) -> None:
    with pytest.raises(ValidationError, match="some classes are good"):
        draft(inspection={**INSPECTION, "good": good})


@pytest.mark.parametrize("name", DECIDING_MEMBERS)
def test_digest_changes_with_graph_and_golden_vectors(draft, manifest, name) -> None:
    assert Manifest.seal(draft(), {**HASHES, name: "a" * 64}).digest != manifest.digest


def test_digest_does_not_change_with_what_only_describes(draft, manifest) -> None:
    other = Manifest.seal(
        draft(foveal="9.9", licenses={"code": None, "weights": None, "data": "CC0-1.0"}),
        {**HASHES, "README.md": "b" * 64, "report.json": "c" * 64},
    )

    assert other.digest == manifest.digest


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        (["one"], "at least two"),
        ([], "at least 1 item"),
        (["a", "b", "a"], "'a' is there twice"),
        (["a", ""], "a class name is empty"),
        (["a", "e\u0301"], "is not in Unicode NFC"),
    ],
)
def test_class_names_that_are_unclear_are_refused(draft, classes, message) -> None:
    with pytest.raises(ValidationError, match=message):
        draft(classes=classes)


def test_another_major_schema_asks_for_an_upgrade(document) -> None:
    with pytest.raises(BundleError, match=r"schema 'foveal\.bundle/2'; this foveal reads") as caught:
        parse(written({**document, "schema": "foveal.bundle/2"}))

    assert caught.value.code == "unknown_schema"
    assert "pip install --upgrade foveal" in caught.value.hint


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"surprise": 1}, "surprise: Extra inputs are not permitted"),
        ({"temperature": 0}, "temperature: Input should be greater than 0"),
        ({"temperature": "1.5"}, "temperature: Input should be a valid number"),
        ({"weights_sha256": "A" * 64}, "weights_sha256: String should match pattern"),
        ({"members": {**HASHES, "model.onnx": HASHES["model.onnx"].upper() + "G"}}, "model.onnx"),
        ({"members": {**HASHES, "README.md": "AB" * 32}}, "README.md: String should match pattern"),
        ({"task": "dream"}, "task: Input should be 'classify'"),
    ],
)
def test_entries_outside_their_range_are_refused(document, change, message) -> None:
    with pytest.raises(BundleError, match=message) as caught:
        parse(sealed({**document, **change}))

    assert caught.value.code == "tampered"


@pytest.mark.parametrize(
    ("n", "message"), [(5, "5 images give no quantile"), (10**400, "less than or equal")]
)
def test_a_quantile_from_so_many_images_is_refused(document, n, message) -> None:
    document["decision"]["conformal"] = {"method": "lac", "alpha": 0.1, "quantile": 0.3, "n": n}

    with pytest.raises(BundleError, match=message):
        parse(sealed(document))


def test_missing_entry_is_refused_not_filled_in(document) -> None:
    del document["licenses"]

    with pytest.raises(BundleError, match="licenses: Field required"):
        parse(sealed(document))


def test_missing_hash_of_a_deciding_member_is_refused(document) -> None:
    members = {name: value for name, value in HASHES.items() if name != "golden_inputs.npy"}

    with pytest.raises(BundleError, match=r"no hash of golden_inputs\.npy"):
        parse(written({**document, "members": members}))


def test_digest_of_other_entries_is_refused(document) -> None:
    document["decision"]["abstain"]["threshold"] = 0.1

    with pytest.raises(BundleError, match="the digest is not that of its entries"):
        parse(written(document))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "Expecting value"),
        (b"[]", "it is no JSON object"),
        (b"\xff\xfe", "codec can't decode"),
        (b'{"schema": "foveal.bundle/1", "schema": "foveal.bundle/1"}', "a key is there twice"),
        (b'{"temperature": NaN}', "NaN is not JSON"),
        (b'{"temperature": 1e999}', "1e999 is too large"),
        (b'{"a":' * 200_000, "nested too deeply"),
        (b" " * (17 << 20), "more than a manifest has"),
    ],
    ids=["empty", "list", "not utf-8", "doubled key", "NaN", "infinity", "depth bomb", "huge"],
)
def test_what_is_no_manifest_is_refused(content, message) -> None:
    with pytest.raises(BundleError, match=message) as caught:
        parse(content)

    assert caught.value.code == "tampered"


PLAIN = {"name": "nano", "parameters": 3, "source": "scratch"}


class TestWhereANetworkComesFrom:
    def test_what_says_nothing_is_not_written_so_that_older_versions_read_it(self) -> None:
        written = Model(**PLAIN).model_dump(mode="json")

        assert set(written) == {"name", "parameters", "macs", "source"}
        assert Model(**PLAIN).model_dump() == written

    def test_what_was_done_to_another_bundle_is_written_and_read(self) -> None:
        made = Model(**PLAIN, precision="int8", origin="a" * 64, steps=("prune", "quantize"))

        assert Model.model_validate_json(made.model_dump_json(), strict=True) == made
        assert made.model_dump(mode="json")["steps"] == ["prune", "quantize"]


def test_digest_changes_with_the_way_of_the_sets(draft, manifest) -> None:
    conformal = {"alpha": 0.1, "quantile": 0.7, "n": 500}
    ways = [{**conformal, "method": "aps"}, {**conformal, "delta": 0.05}]

    digests = {
        Manifest.seal(
            draft(decision={"abstain": manifest.decision.abstain.model_dump(), "conformal": way}), HASHES
        ).digest
        for way in (conformal, *ways)
    }

    assert len(digests) == 3
    assert manifest.digest in digests, "what an earlier version wrote is what is written now"


def test_sets_of_another_number_of_classes_are_refused(draft, manifest) -> None:
    conformal = {
        **{"method": "mondrian", "alpha": 0.1, "quantile": 0.7, "n": 20},
        **{"quantiles": [0.7, 0.5], "counts": [10, 10]},
    }

    with pytest.raises(ValidationError, match="3 classes, and quantiles for 2"):
        draft(decision={"abstain": manifest.decision.abstain.model_dump(), "conformal": conformal})


def test_what_a_monitor_compares_with_is_in_the_digest_where_it_is_there_and_nowhere_else(draft) -> None:
    plain = draft()
    watched = plain.decision.model_copy(update={"monitor": Reference(doubt=(0.1,))})
    hashes = dict.fromkeys(DECIDING_MEMBERS, "0" * 64)

    old = Manifest.seal(plain, hashes)
    new = Manifest.seal(plain.model_copy(update={"rule": watched}), hashes)

    assert set(old.as_json()["decision"]) == {"abstain", "conformal"}
    assert new.as_json()["decision"]["monitor"]["doubt"] == [0.1]
    assert new.digest != old.digest
