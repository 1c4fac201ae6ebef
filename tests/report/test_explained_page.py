"""report.explained_page and explained_words: what is said of a map, on a page that loads nothing."""

import re
from typing import Any

import numpy as np
import pytest

from foveal.explain.explanation import Explanation
from foveal.explain.faithfulness import Faithfulness
from foveal.explain.feature_maps import FeatureMaps
from foveal.explain.layers import Layer
from foveal.explain.neighbours import NearPicture
from foveal.explain.sanity import Sanity
from foveal.explain.sign_test import sign_test
from foveal.report import explained_words
from foveal.report.explained_page import explained_page, probe_chart

IMAGE = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
GOOD = Faithfulness((0.9, *[0.1] * 20), (0.1, *[0.9] * 20))
BAD = Faithfulness((0.9,) * 21, (0.1,) * 21)
PROBES = [
    {
        "layer": layer,
        "depth": depth,
        "shape": [3, 32, 32],
        "features": 972,
        "accuracy": {"value": v, "low": v - 0.05, "high": v + 0.05, "n": 200, "method": "clopper-pearson"},
    }
    for depth, (layer, v) in enumerate([("pixels", 0.3), ("stages.2", 0.8)])
]


def explanation(**changes: Any) -> Explanation:
    heatmap = np.zeros((16, 16), np.float32)
    heatmap[1, 14] = 2.5
    facts = {
        "source": "test/<b>.png",
        "truth": "dog",
        "label": "cat <script>",
        "about": "cat <script>",
        "confidence": 0.9,
        "heatmap": heatmap,
        "faith": GOOD,
        "chance": (BAD,) * 19,
        "image": IMAGE,
    }
    return Explanation(**{**facts, **changes})


def document(*explanations: Explanation, **changes: Any) -> dict[str, Any]:
    return {
        "schema": "foveal.explain/1",
        "ok": True,
        "model": "runs/train-1/pets.foveal",
        "digest": "d" * 64,
        "method": "occlusion",
        "explanations": [one.as_json(unit="nats") for one in explanations],
        "sign_test": sign_test("occlusion", explanations).as_json(),
        "probes": [],
        "sanity": [],
        "neighbours": [],
        "features": [],
        "skipped": [],
        **changes,
    }


@pytest.fixture
def page() -> str:
    """The page of a mistake, seen from both sides, with everything."""
    both = [explanation(), explanation(about="dog", confidence=0.02)]
    maps = FeatureMaps(Layer("stages.0", "stages.0", (8, 4, 4)), (5, 2), np.ones((2, 4, 4), np.float32))
    broken = {"source": "x.png", "error": {"code": "truncated", "message": "it ends early"}}
    told = document(
        *both,
        probes=PROBES,
        sanity=[
            {"method": "rise", "rank_correlation": 0.1, "images": 6, "limit": 0.5, "verdict": "pass"},
            {"method": "edges", "rank_correlation": 0.97, "images": 6, "limit": 0.5, "verdict": "fail"},
        ],
        skipped=[{"what": "neighbours", "why": "no linear layer"}],
    )
    told["explanations"].append(broken)
    return explained_page(
        told,
        both,
        features={"test/<b>.png": [maps]},
        neighbours={"test/<b>.png": [NearPicture("train/1.png", "cat <script>", 0.93, IMAGE)]},
    )


def test_nothing_is_loaded_from_outside_and_the_page_forbids_it(page: str) -> None:
    assert set(re.findall(r'(?:src|href|action)="([a-z]+:)', page)) == {"data:"}
    assert "default-src 'none'" in page
    assert "http:" not in page
    assert "https:" not in page
    assert not re.search(r"url\((?!#)", page)


def test_names_are_escaped(page: str) -> None:
    assert "<script" not in page
    assert "cat &lt;script&gt;" in page
    assert "test/&lt;b&gt;.png" in page


def test_a_mistake_is_shown_from_both_sides_with_its_neighbours_and_depths(page: str) -> None:
    text = " ".join(re.sub(r"<[^>]+>", " ", page).split())

    assert "dog taken for cat" in text
    assert page.count('class="map"') == 2
    assert "90.0%, with the most important tenth hidden 10.0%" in text
    assert "0.93" in text
    assert "What each depth knows" in text
    assert "200 pictures that neither has seen" in text
    assert "x.png: it ends early" in text
    assert "neighbours: no linear layer" in text
    assert "Occlusion: its maps are better than most random ones on 100.0% (95% interval" in text
    assert "edges: rank correlation 0.97" in text
    assert "its maps show the picture, not what the recognizer looks at" in text


def test_what_was_not_found_has_no_section() -> None:
    page = explained_page(document(explanation()), [explanation()], features={}, neighbours={})

    assert 'id="maps"' in page
    assert not re.search(r'id="(probes|sanity|features)"', page)


def test_the_chart_has_the_pixels_first_and_every_number_with_its_n() -> None:
    chart = probe_chart(PROBES)

    assert chart.says == "pixels 30.0%; stages.2 80.0%"
    assert [row[1] for row in chart.rows] == ["pixels", "stages.2"]
    assert all(row[-1] == 200 for row in chart.rows)


def test_an_answer_is_said_with_what_hiding_does_to_it() -> None:
    entry = explanation().as_json(unit="nats")

    assert explained_words.answer(entry) == (
        "test/<b>.png: “cat <script>” is wrong, it is “dog”; “cat <script>” has 90.0%, and 10.0% with the "
        "most important 10% hidden (top right)"
    )
    assert "is right" in explained_words.answer({**entry, "truth": "cat <script>"})
    assert "is right" not in explained_words.answer({**entry, "truth": None})


@pytest.mark.parametrize(
    ("beaten", "said"),
    [
        (19, "the map holds, it is better than all 19 random ones: hiding in its order leaves 12.0%"),
        (18, "the map says little here, it is better than 18 of 19 random ones: hiding in its order"),
        (0, "the map says little here, it is better than 0 of 19 random ones: hiding in its order"),
    ],
)
def test_a_map_is_said_to_hold_only_where_it_beats_every_random_one(beaten: int, said: str) -> None:
    entry = explanation(chance=(BAD,) * beaten + (GOOD,) * (19 - beaten)).as_json(unit="nats")

    assert (entry["chance"]["beaten"], entry["chance"]["maps"]) == (beaten, 19)
    assert explained_words.faith(entry).startswith(said)


def test_a_method_is_judged_over_all_pictures_with_its_n() -> None:
    ten = [explanation(source=str(k)) for k in range(10)]

    sure, unsure = (explained_words.sign_test(sign_test("rise", some).as_json()) for some in (ten, ten[:4]))

    assert sure == (
        "rise: its maps are better than most random ones on 100.0% (95% interval 69.2% to 100.0%, n=10) of "
        "the pictures; sign test, p=0.00098"
    )
    assert unsure.endswith("n=4) of the pictures; sign test, p=0.062: that may be luck")


def test_level_maps_say_nothing_about_a_method() -> None:
    check = Sanity("grad_cam", rank_correlation=1.0, images=6, level=9).as_json()

    assert explained_words.sanity(check).endswith(
        "(6 pictures); 9 of 12 maps are level: that says nothing about the method"
    )


def test_the_document_says_where_the_map_is_largest() -> None:
    entry = explanation().as_json(unit="nats", file="maps/1.png")

    assert entry["map"]["shape"] == [16, 16]
    assert entry["map"]["values"][1][14] == 2.5
    assert entry["map"]["file"] == "maps/1.png"
    assert entry["peak"] == {
        "x": 0.90625, "y": 0.09375, "value": 2.5, "share": 0.1, "confidence_without": pytest.approx(0.1)
    }  # fmt: skip
    assert (entry["deletion_auc"], entry["chance"]["deletion_auc"]) == pytest.approx((0.12, 0.9))
