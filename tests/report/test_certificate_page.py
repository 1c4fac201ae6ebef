"""The certificate's page: failed first, every number with its kind, what is open, and a place to sign."""

import re

import numpy as np
import pytest

from foveal.certify.claim import Claim
from foveal.certify.measurement import Shown, Strip
from foveal.certify.verdicts import judge, overall
from foveal.core.types import Measured
from foveal.metrics.clopper_pearson import clopper_pearson
from foveal.report import certificate_meanings as meanings
from foveal.report import certificate_words as words
from foveal.report.certificate_page import certificate_page
from foveal.report.certificate_tables import heat, table, tables

from .test_page import Elements

HASH = "4018256d987912f871ba9ac54cd90be9ba56edf1b0f3e8781be51eaefeeee78a"
ATTACKED = "named rightly after every attack within linf 8/255"
EVIL = ("<script>alert(1)</script>", "\"'><img src=x onerror=alert(1)>", "{{ 7*7 }} &amp;")


def share(successes: int, n: int = 400):
    return clopper_pearson(successes, n).as_json()


def statements(classes):
    rows = [{"class": name, "recall": share(300 + 40 * k)} for k, name in enumerate(classes)]
    worst = Claim("worst_class", "share of right answers for the worst class", "estimate")
    return [
        Claim("accuracy", "share of right answers", "estimate").share(360, 400),
        worst.share(330, 400, note=classes[0], details={"worst": classes[0], "classes": rows}),
        Claim("calibration_error", "calibration error", "estimate", "at_most").estimate(
            Measured(0.01, 0.0, 0.015, 400, "bootstrap-bca"), details={"ece": 0.02, "ece_null_p95": 0.03}
        ),
        Claim("answered", "pictures that it answers", "estimate").share(200, 400),
        Claim("corruption_retention", "what is left", "estimate").share(240, 400),
        Claim("robust_linf_8", ATTACKED, "upper_bound").not_measured("no network", asked=False),
        Claim("set_coverage", "sets that hold the truth", "guarantee").share(395, 400),
        Claim("attack_flags", "signs that the attacks were blunt", "indicator", "at_most").counted(
            1, 2, note="a sign", details={"flags": [{"flag": "a sign", "value": 0.2, "red": True}]}
        ),
        Claim("novel_number", "what nobody foresaw", "estimate").share(3, 400, details={"by kind": rows}),
    ]  # fmt: skip


LIMITS = {
    "worst_class": 0.8, "answered": 0.9, "corruption_retention": 0.55, "set_coverage": 0.9,
    "robust_linf_8": 0.5,
}  # fmt: skip
FIGURES = {
    "C2": {"reliability": [
        {"low": 0.8, "high": 0.9, "n": 100, "confidence": 0.85, "accuracy": share(80, 100)},
        {"low": 0.9, "high": 1.0, "n": 300, "confidence": 0.95, "accuracy": share(285, 300)},
    ]},
    "C3": {
        "risk_coverage": {"points": [[0.2, 0.0], [0.6, 0.01], [1.0, 0.1]], "aurc": 0.02, "promised": 0.01},
        "coverage_at": [
            {"risk": 0.005, "delta": 0.05, "threshold": None, "needed": 598, "coverage": None},
            {"risk": 0.01, "delta": 0.05, "threshold": 0.9, "needed": None, "coverage": share(200)},
        ],
    },
    "C5": {"corruptions": {"clean": 0.9, "rows": [
        {"corruption": name, "severity": severity, "accuracy": share(accuracy)}
        for name, severity, accuracy in (
            ("fog", 1, 360), ("fog", 5, 300), ("snow", 1, 200), ("snow", 5, 40), ("dust", 5, 340)
        )
    ]}},
}  # fmt: skip
SECTIONS = (
    ("C1", "Accuracy", ["accuracy", "worst_class"]),
    ("C2", "Confidence", ["calibration_error"]),
    ("C3", "Declining", ["answered"]),
    ("C4", "Prediction sets", ["set_coverage"]),
    ("C5", "Corruptions", ["corruption_retention"]),
    ("C6", "Adversaries", ["robust_linf_8", "attack_flags"]),
    ("C15", "Something new", ["novel_number"]),
)


def certified(limits=None, classes=("bird", "cat", "deer"), **changes):
    judged = judge(statements(classes), LIMITS if limits is None else limits)
    return {
        "schema": "foveal.certify/1", "bundle": "runs/train-1/parts.foveal",
        "digest": HASH, "weights_sha256": HASH,
        "model": {"name": "nano", "precision": "int8"}, "classes": list(classes), "level": "quick",
        "profile": {"name": "mine", "digest": HASH}, "verdict": overall(judged), "significance": 0.05,
        "correction": "holm", "gates": [{"unit": "share", **one.as_json()} for one in judged],
        "sections": [
            {"id": number, "title": title, "gates": gates, "says": [], "figures": FIGURES.get(number, {})}
            for number, title, gates in SECTIONS
        ],
        "data": {"name": "pictures", "fingerprint": HASH, "split": "test", "unseen": "split",
                 "available": 400, "independent": 400, "unreadable": 0,
                 "roles": {"test": {"images": 400, "sha256": HASH}}},
        "twin": {"used": False, "why_not": "no network"}, "void_if": "anything changes", "seed": 7,
        "provenance": {"foveal": "0.7.0", "engine": "onnxruntime 1.32", "precision": "int8", "python": "3.11",
                       "cpu": "Example CPU", "threads": 2},
        "id": "ab" * 32, "created": "2026-11-26T12:00:00Z", **changes,
    }  # fmt: skip


def strip(title: str, *, wrong: int = 1, size: int = 16, caption: str = "cat, 90%") -> Strip:
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 256, (size, size, 3), dtype=np.uint8)
    return Strip(title, tuple(Shown(picture, caption, k >= wrong) for k in range(8)))


def text(page: str) -> str:
    return " ".join(Elements(page).text.split())


def test_nothing_is_loaded_from_outside_and_there_is_no_script():
    page = certificate_page(certified(), {"Corruptions": [strip("snow")]})
    elements = Elements(page)

    assert "http" not in page.replace("http-equiv", "")
    assert elements.values("src")
    assert all(value.startswith("data:image/") for value in elements.values("src"))
    assert all(value.startswith("#") for value in elements.values("href") + elements.values("xlink:href"))
    assert not re.search(r"@import|url\((?!#)", page)
    assert {tag for tag, _ in elements.found}.isdisjoint(
        {"script", "link", "iframe", "object", "base", "form"}
    )


def test_sentences_name_the_class_and_what_chance_alone_shows():
    page = certificate_page(certified(), {})
    document = certified()
    [worst] = [one["details"]["worst"] for one in document["gates"] if one["id"] == "worst_class"]

    assert f"Of pictures of “{worst}”, the class that is recognized worst" in page
    assert "off by 1.0 percentage points on average; of a perfect one chance alone shows up to 3.0" in page


def test_pictures_that_could_not_be_read_are_told():
    document = certified()
    assert "could not be read" not in words.measured_on(document)
    document["data"] |= {"unreadable": 3, "available": 403, "independent": 403}

    assert "; 3 more could not be read and count in no number; " in words.measured_on(document)


NUMBERS = [
    ("share", 0.754, "75.4 %", "at most 75.4 %"),
    ("ms", 1.2345, "1.23 ms", "at most 1.234 ms"),
    ("ms", 1234.5, "1,234 ms", "at most 1,234 ms"),
    ("nats", 0.75, "0.75 nats", "at most 0.75 nats"),
    ("bytes", 12_000.0, "12 kB", "at most 12 kB"),
    ("bytes", -40.0, "-40 B", "at most -40 B"),
    ("count", 1.5, "1.5", "at most 1.5"),
    ("plain", 0.754, "0.754", "at most 0.754"),
]


@pytest.mark.parametrize("key", ["accuracy", "memory_bytes_per_answer", "nll", "latency_ms", "radius_share"])
@pytest.mark.parametrize(("unit", "number", "said", "allowed"), NUMBERS)
def test_the_unit_that_a_gate_names_and_not_its_name_says_how_its_number_is_written(
    key, unit, number, said, allowed
):
    found = Measured(number, number, number, 40, "bootstrap-bca").as_json()
    gate = {"id": key, "name": "something", "unit": unit, "side": "at_most", "limit": number, "value": found,
            "verdict": "pass"}  # fmt: skip

    assert words.number(gate, number) == said
    assert words.allowed(gate) == allowed
    assert words.sentence(gate) == f"something: {said} ({said} to {said}, n=40); limit: at most {said}"


@pytest.mark.parametrize(("unit", "gauges"), [("share", 1), ("bytes", 0), ("nats", 0)])
def test_only_shares_are_drawn_between_none_and_all(unit, gauges):
    document = certified({"accuracy": 0.8})
    gates = [{**gate, "unit": unit} if gate["id"] == "accuracy" else gate for gate in document["gates"]]

    page = certificate_page({**document, "gates": gates}, {})

    assert page.count('class="gauge"') == gauges


def test_names_that_hold_markup_stay_text():
    page = certificate_page(certified(classes=EVIL), {"Corruptions": [strip(EVIL[1], caption=EVIL[0])]})
    elements = Elements(page)

    assert "script" not in {tag for tag, _ in elements.found}
    assert not [name for _, a in elements.found for name in a if name.startswith("on")]
    assert all(name in elements.text for name in EVIL)


def test_limits_come_with_the_missed_ones_first_then_what_is_open_then_what_is_kept():
    page = certificate_page(certified(), {})
    body = page[page.index('<table class="limits">') :]
    shown = re.findall(r'<tr class="(\w+)">', body[: body.index("</table>")])

    assert shown == ["fail", "insufficient", "insufficient", "not_asked", "pass"]


@pytest.mark.parametrize(
    ("limits", "begins"),
    [
        ({"accuracy": 0.8}, "Every limit of the profile is shown to be kept: of 1 limit, 1 shown to be kept"),
        ({"accuracy": 0.99}, "This file does not keep the limits"),
        ({"worst_class": 0.8}, "It is not shown that this file keeps"),
        ({}, "No limit was set"),
    ],
)
def test_the_verdict_is_one_sentence_that_says_what_is_shown(limits, begins):
    document = certified(limits)

    assert words.headline(document).startswith(begins)
    assert words.headline(document) in text(certificate_page(document, {}))


def test_what_is_not_shown_names_the_pictures_that_would_decide_and_the_reasons():
    document = certified()
    said = text(certificate_page(document, {}))
    [gate] = [one for one in document["gates"] if one["id"] == "worst_class"]

    assert f"about {gate['needed']:,} such pictures would decide" in said
    reason = "Not measured: named rightly after every attack within linf 8/255 (demanded: at least 50 %). "
    assert f"{reason}The reason: no network." in said
    assert "Events that are rarer than about 3 in 400" in said


def test_each_kind_of_statement_is_told_with_what_it_means():
    said = text(certificate_page(certified(), {}))

    for kind in ("guarantee", "upper bound", "estimate", "indicator"):
        assert kind in said
    assert all(meaning in said for meaning in words.KINDS.values())


def test_there_is_a_place_to_sign_beside_all_that_identifies_the_file():
    said = text(certificate_page(certified(), {}))
    end = said[said.index("What was certified, and who signs") :]

    for part in ("Name", "Role", "Date", "Signature", "ab" * 32, HASH, "seed 7".title(), "Example CPU",
                 "Void if anything changes", "profile", "quick", "onnxruntime 1.32"):  # fmt: skip
        assert part.lower() in end.lower()


def test_a_section_is_shown_even_if_nobody_foresaw_it_and_left_out_if_nothing_was_measured():
    unmeasured = {"id": "C6", "title": "Adversaries", "gates": ["robust_linf_8"], "says": [], "figures": {}}
    page = certificate_page(certified(sections=[*certified()["sections"][6:], unmeasured]), {})
    heads = re.findall(r"<h2 id=\"part-\d+-head\"><span>(C\d+)</span>([^<]+)</h2>", page)

    assert ("C15", "Something new") in heads
    assert ("C6", "Adversaries") not in heads
    assert "By kind" in text(page)


def test_right_and_wrong_are_told_by_sign_and_frame_not_by_colour_alone():
    page = certificate_page(certified(), {"Corruptions": [strip("snow", wrong=3)]})

    assert len(re.findall(r'<li class="wrong">.*?<b>✗</b>', page, re.DOTALL)) == 3
    assert len(re.findall(r'<li class="right">.*?<b>✓</b>', page, re.DOTALL)) == 5
    assert "border-style: dashed" in page
    alts = [a["alt"] for tag, a in Elements(page).found if tag == "img"]
    assert alts.count("snow: cat, 90%, wrong") == 3


def test_of_many_rows_of_pictures_the_worst_are_seen_and_the_rest_is_behind_a_click():
    rows = [strip(f"kind {k}", wrong=k % 9) for k in range(9)]
    page = certificate_page(certified(), {"Corruptions": rows})
    titles = re.findall(r"<h4>(kind \d)</h4>", page)

    assert titles[:4] == ["kind 8", "kind 7", "kind 6", "kind 5"]
    assert len(titles) == 9
    assert "5 more rows of pictures" in text(page)


def test_the_page_stays_small_and_says_what_found_no_room():
    rows = [strip(f"kind {k}", size=96) for k in range(23)]
    page = certificate_page(certified(), {"Corruptions": rows, "Adversaries": rows[:4]})
    left = re.findall(r"(\d+) rows? of pictures found no room", text(page))

    assert len(page.encode()) < 3_000_000
    assert left
    assert len(re.findall("<h4>", page)) + sum(map(int, left)) == 27


def test_corruptions_are_a_map_with_the_most_harmful_first():
    found = heat(FIGURES["C5"]["corruptions"])

    assert found.severities == (1, 5)
    assert [(title, [name for name, _ in rows]) for title, rows in found.groups] == [
        ("common corruptions", ["snow", "fog"]), ("faults of sensors and files", ["dust"]),
    ]  # fmt: skip
    assert found.groups[1][1][0][1][0] is None
    assert found.lost({"value": 0.45}) == pytest.approx(0.5)
    assert found.lost({"value": 0.95}) == 0.0


def test_rows_that_have_something_beside_them_are_a_table_too():
    rows = [{"kind": "text", "auroc": share(390)}]

    [found] = tables({"unknowns": {"score": "looks", "rows": rows}, "curve": {"points": [[0, 1]]}})

    assert found.columns == ("kind", "auroc")
    assert found.title == "unknowns"


def test_of_classes_the_worst_comes_first_and_a_red_flag_has_a_sign():
    rows = [{"class": "good", "recall": share(390)}, {"class": "bad", "recall": share(100)}]

    assert [row[0].text for row in table("classes", rows).rows] == ["bad", "good"]
    [flags] = table("flags", [{"flag": "x", "value": 0.1, "red": True}]).rows
    assert flags[-1].good is False


def test_every_section_of_the_plan_has_an_explanation():
    assert set(meanings.ABOUT) == {f"C{k}" for k in range(1, 15)}
    assert meanings.about({"id": "C99", "gates": []}) == ""


@pytest.mark.parametrize("share_", [*np.linspace(0, 1, 201).tolist(), 1e-6, 0.0004, 0.9996, 1 - 1e-7])
def test_a_share_in_words_is_not_far_from_the_share(share_):
    said = meanings.of_many(share_)
    if " of " not in said:
        assert min(share_, 1 - share_) < 1e-3
        return
    many = int(said.split(" of ")[1].replace(",", ""))
    first = said.split(" of ")[0].replace(",", "")
    count = {"none": 0, "all": many}.get(first)
    assert abs((int(first) if count is None else count) / many - share_) <= 0.5 / many + 1e-12
    assert (count is None) or share_ in (0.0, 1.0)
