"""flows.certify of what says where something is: its own numbers, and what is not about it is said."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from foveal.certify.certificate import identity
from foveal.core.errors import UsageError
from foveal.flows import certify
from foveal.flows.evaluate import evaluate
from foveal.perturb.corruptions import MOVING

MEASURE = {"detector": "map50", "segmenter": "miou", "divided": "pq"}
NAMES = tuple(MEASURE)
PROFILE = """
radii = [2]
[limits]
map50 = 0.01
miou = 0.01
pq = 0.01
corruption_miou = 0.01
corruption_map50 = 0.01
answered = 0.9
shared_pictures = 0.0
"""


@pytest.fixture(scope="module")
def terms(tmp_path_factory):
    path = tmp_path_factory.mktemp("profile") / "mine.toml"
    path.write_text(PROFILE, encoding="utf-8")
    return certify.Terms(level="smoke", profile=path, attach=False, threads=2)


@pytest.fixture(scope="module")
def runs(detector, segmenter, divided, voc, maps):
    """Data and run of each; for reading only."""
    return {"detector": (voc, detector), "segmenter": (maps, segmenter), "divided": divided}


@pytest.fixture(scope="module")
def certified(runs, terms, tmp_path_factory):
    """A certificate of each; for reading only."""
    return {
        name: certify.run(result.run, data, terms, out=tmp_path_factory.mktemp("certified") / name)
        for name, (data, result) in runs.items()
    }


def gates(found):
    return {gate["id"]: gate for gate in found.document["gates"]}


@pytest.mark.parametrize("name", NAMES)
def test_it_measures_what_evaluate_does(certified, runs, name) -> None:
    data, result = runs[name]
    measured = evaluate(result.bundle, data, split="test").report.as_json()["metrics"]
    found = gates(certified[name])

    assert found[MEASURE[name]]["value"]["value"] == pytest.approx(measured[MEASURE[name]]["value"])
    if name == "segmenter":
        assert found["pixel_accuracy"]["value"]["value"] == pytest.approx(measured["pixel_accuracy"]["value"])
    else:
        assert found["counting_mae"]["value"]["value"] == pytest.approx(measured["counting_mae"]["value"])
        assert found["score_error"]["value"]["value"] == pytest.approx(measured["ece"])
    if name == "divided":
        assert found["mask_map50"]["value"]["value"] == pytest.approx(measured["mask_map50"]["value"])
        classes = {row["class"]: row["pq"]["value"] for row in measured["per_class"]}
        assert found["worst_class_pq"]["value"]["value"] == pytest.approx(min(classes.values()))


@pytest.mark.parametrize("name", NAMES)
def test_limits_of_its_own_judge_and_those_of_others_are_named(certified, name) -> None:
    document, found = certified[name].document, gates(certified[name])
    limits = set(document["profile"]["limits"])
    judged = {key for key, gate in found.items() if gate["limit"] is not None}
    own = {MEASURE[name], f"corruption_{MEASURE[name]}", "shared_pictures"} & limits

    assert judged == own  # no limit is lost: it is judged, or it is said that it is about something else
    assert document["not_about"] == sorted(limits - own)
    assert found["shared_pictures"]["verdict"] == "pass"
    assert found["robust_linf_2"]["verdict"] == "not_asked"
    assert "none are made" in found["robust_linf_2"]["note"]
    assert "accuracy" not in found


@pytest.mark.parametrize("name", NAMES)
def test_file_and_network_show_alike_and_so_do_one_and_many(certified, name) -> None:
    found = gates(certified[name])

    assert found["twin_agreement"]["value"]["value"] > 0.99
    assert found["batch_agreement"]["value"]["value"] > 0.99
    unit = {"detector": "objects", "segmenter": "pixels"}
    assert found["twin_agreement"]["details"]["unit"] in unit.get(name, ("objects", "pixels"))


@pytest.mark.parametrize("name", NAMES)
def test_corruptions_move_nothing_and_leave_a_share(certified, name) -> None:
    [section] = [one for one in certified[name].document["sections"] if one["id"] == "C5"]
    figure, found = section["figures"]["corruptions"], gates(certified[name])
    rows = {row["corruption"]: row["accuracy"]["value"] for row in figure["rows"]}

    assert not set(MOVING) & set(rows)
    assert found[f"worst_corruption_{MEASURE[name]}"]["value"]["value"] == pytest.approx(
        min(value for key, value in rows.items() if key in _common())
    )
    mean = sum(rows[key] for key in _common()) / len(_common())
    assert found[f"corruption_{MEASURE[name]}"]["value"]["value"] == pytest.approx(mean)
    assert found["corruption_retention"]["value"]["value"] == pytest.approx(mean / figure["clean"])


def _common():
    from foveal.perturb.corruptions import IMAGENET_C

    return [name for name in IMAGENET_C if name not in MOVING]


@pytest.mark.parametrize("name", ["detector", "divided"])
def test_thresholds_rest_on_calibration_pictures_for_classes_whose_objects_count(certified, name) -> None:
    document = certified[name].document
    roles = document["data"]["roles"]

    assert set(roles) == {"proving", "test"}
    rows = gates(certified[name])["promised_recall_90"]["details"]["classes"]
    assert [row["class"] for row in rows] == ["dark", "light"]
    assert all(row["pictures"] <= roles["proving"]["images"] for row in rows)
    assert all(row["threshold"] is not None or row["needed"] for row in rows)
    assert set(certified["segmenter"].document["data"]["roles"]) == {"test"}


@pytest.mark.parametrize("name", NAMES)
def test_the_same_call_gives_the_same_certificate_and_a_page(certified, runs, name, terms, tmp_path) -> None:
    data, result = runs[name]
    found = certified[name]

    again = certify.run(result.run, data, replace(terms, threads=1), out=tmp_path / "again")

    told = {**json.loads((again.folder / certify.CERTIFICATE).read_text(encoding="utf-8"))}
    assert told["id"] == identity(told)
    first = json.loads((found.folder / certify.CERTIFICATE).read_text(encoding="utf-8"))
    told["provenance"].pop("threads"), first["provenance"].pop("threads")
    for one in (told, first):
        del one["id"], one["created"]
    assert told == first
    page = Path(found.document["page"]).read_text(encoding="utf-8")
    assert found.document["id"] in page
    assert "judge nothing here" in page


def test_pictures_of_unknown_things_are_no_question_of_a_detector(detector, voc, terms, tmp_path) -> None:
    with pytest.raises(UsageError, match="--unknown") as refused:
        certify.run(detector.run, voc, replace(terms, unknown=(voc,)), out=tmp_path / "out")

    assert refused.value.code == "other_task"
    assert not (tmp_path / "out").exists()
