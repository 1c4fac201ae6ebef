"""report.page: loads nothing, escapes everything, shows pictures first and every number with its n."""

import base64
import io
import itertools
import re
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest
from PIL import Image

from foveal.core.errors import MissingExtraError
from foveal.report.drawing import PALETTE
from foveal.report.page import evaluation_page, refusal_page, training_page
from foveal.report.pictures import ClassPictures

VOID = {"meta", "img", "br", "link", "hr", "input"}
SECTIONS = ["pictures", "headline", "mistakes", "confusion", "trust", "learning", "robustness", "origin"]
Document = dict[str, Any]
Maker = Callable[..., Document]


class Elements(HTMLParser):
    """All elements of a page in order, with a check that tags close in the order they opened."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data + " "

    def values(self, attribute: str) -> list[str]:
        return [value for _, a in self.found if (value := a.get(attribute)) is not None]


def picture(number: int = 0, size: int = 28) -> np.ndarray:
    return np.random.default_rng(number).integers(0, 256, (size, size, 1), dtype=np.uint8)


def with_everything(document: Document, history: list[Any]) -> str:
    gallery = [ClassPictures(name, 500 + k, (picture(k),)) for k, name in enumerate(document["classes"])]
    shown = {mistake["source"]: picture() for mistake in document["worst_mistakes"]}
    return training_page(document, history=history, gallery=gallery, pictures=shown)


@pytest.fixture
def page(document: Document, history: list[Any]) -> str:
    return with_everything(document, history)


@pytest.fixture
def elements(page: str) -> Elements:
    return Elements(page)


def test_nothing_is_loaded_from_outside_and_the_page_forbids_it(
    document: Document, history: list[Any]
) -> None:
    page = with_everything(document, history)
    elements = Elements(page)

    assert "http" not in page.replace("http-equiv", "")
    assert all(value.startswith("data:image/") for value in elements.values("src"))
    assert all(value.startswith("#") for value in elements.values("href") + elements.values("xlink:href"))
    assert not re.search(r"@import|url\((?!#)", page)
    assert {tag for tag, _ in elements.found}.isdisjoint(
        {"script", "link", "iframe", "object", "base", "form"}
    )
    policy = next(a["content"] for _, a in elements.found if a.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None
    assert policy.startswith("default-src 'none'; img-src data:;")


def test_names_that_hold_markup_stay_text(make_document: Maker, history: list[Any]) -> None:
    evil = ("<script>alert(1)</script>", "\"'><img src=x onerror=alert(1)>", "{{ 7*7 }} $x$ \\frac &amp;")
    page = with_everything(make_document(classes=evil, images=400), history)
    elements = Elements(page)

    assert "script" not in {tag for tag, _ in elements.found}
    assert not [name for _, a in elements.found for name in a if name.startswith("on")]
    assert all(name in elements.text for name in evil)
    assert evil[1] in {a.get("alt", "").removeprefix("a picture of ") for _, a in elements.found}  # type: ignore[union-attr]


def test_sections_come_in_order_pictures_first(elements: Elements) -> None:
    assert [a["id"] for tag, a in elements.found if tag == "section"] == SECTIONS
    first_picture = next(i for i, (tag, _) in enumerate(elements.found) if tag == "img")
    first_number = next(i for i, (_, a) in enumerate(elements.found) if a.get("id") == "headline")
    assert first_picture < first_number


def test_headline_numbers_stand_with_interval_n_and_majority(document: Document, elements: Elements) -> None:
    text = " ".join(elements.text.split())
    accuracy, majority = document["metrics"]["accuracy"], document["metrics"]["majority"]

    interval = f"95% interval {accuracy['low']:.1%} to {accuracy['high']:.1%}, n=5,000"
    assert f"{accuracy['value']:.1%} of 5,000 test images named correctly {interval}" in text
    always = f"Always answering “{majority['class']}”, the most frequent class here, would be right for "
    assert f"{always}{majority['accuracy']['value']:.1%}" in text
    for row in document["metrics"]["per_class"]:
        recall = row["recall"]
        assert (
            f"{row['class']} {row['n']} {recall['value']:.1%} {recall['low']:.1%} to {recall['high']:.1%}"
            in text
        )


def test_every_mistake_is_shown_with_truth_answer_and_confidence(
    document: Document, history: list[Any]
) -> None:
    text = " ".join(Elements(with_everything(document, history)).text.split())

    for mistake in document["worst_mistakes"]:
        said = f"{mistake['truth']} taken for {mistake['label']} {mistake['confidence']:.1%} confident"
        assert f"{said} {mistake['source']}" in text


def test_ids_are_unique_and_what_refers_to_them_exists(elements: Elements) -> None:
    ids = elements.values("id")

    assert len(ids) == len(set(ids))
    referred = elements.values("aria-labelledby") + [h[1:] for h in elements.values("href")]
    assert set(referred) <= set(ids)
    assert any(h.startswith("#mistake-") for h in elements.values("href")), "cells lead to pictures"


def test_readers_who_see_nothing_get_words(elements: Elements) -> None:
    assert all(a.get("alt") for tag, a in elements.found if tag == "img")
    assert all(a.get("scope") for tag, a in elements.found if tag == "th")
    assert all(a.get("aria-hidden") == "true" for tag, a in elements.found if tag == "svg")
    drawings = [a for _, a in elements.found if a.get("role") == "img"]
    assert len(drawings) == sum(tag == "svg" for tag, _ in elements.found) == 5
    assert all(len(a.get("aria-label") or "") > 20 for a in drawings)


def test_pictures_on_the_page_are_the_users_pixels(document: Document) -> None:
    shown = picture(3)
    page = evaluation_page(document, pictures={document["worst_mistakes"][0]["source"]: shown})

    address = Elements(page).values("src")[0]
    decoded = Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2])))
    assert np.array_equal(np.asarray(decoded), shown[:, :, 0])


def test_evaluation_page_does_without_history_gallery_and_pictures(document: Document) -> None:
    elements = Elements(evaluation_page(document, pictures={}))

    sections = [a["id"] for tag, a in elements.found if tag == "section"]
    assert sections == ["headline", "mistakes", "confusion", "trust", "robustness", "origin"]
    assert elements.text.count("no picture") == len(document["worst_mistakes"])


@pytest.mark.parametrize(
    ("classes", "density"), [(2, "roomy"), (12, "roomy"), (30, "medium"), (100, "tight")]
)
def test_confusion_matrix_holds_every_image_at_any_number_of_classes(
    make_document: Maker, classes: int, density: str
) -> None:
    document = make_document(classes=tuple(f"class {k}" for k in range(classes)), images=2000)
    page = evaluation_page(document, pictures={})

    table = page[page.index(f'<table class="confusion {density}"') : page.index("</table>")]
    assert sum(int(n) for n in re.findall(r">(\d+)</(?:span|a)>", table)) == 2000
    assert len(re.findall("<td", table)) == classes**2 + 1


def test_page_of_a_thousand_classes_is_small_and_says_what_it_leaves_out(make_document: Maker) -> None:
    names = tuple(f"class {k}" for k in range(1000))
    document = make_document(classes=names, images=3000)
    gallery = [ClassPictures(name, 9, (picture(),) * 8) for name in names]

    page = evaluation_page(document, pictures={}, gallery=gallery)

    text = " ".join(Elements(page).text.split())
    tested = sum(row["n"] > 0 for row in document["metrics"]["per_class"])
    shown = re.search(
        r"The table shows the (\d+) of 1,000 classes that the most frequent confusions are about", text
    )
    assert len(page) < 4_000_000
    assert shown is not None
    assert page.count('scope="row"') == int(shown[1]) + 100
    assert f"The 100 weakest of {tested} classes" in text
    assert "Some of 400 of the 1,000 classes" in text
    for pair in document["confused_pairs"]:
        assert f'title="{pair["count"]} image' in page
        assert f"of “{pair['truth']}” taken for “{pair['label']}”" in page


def test_page_of_many_classes_without_a_mistake_has_no_matrix(make_document: Maker) -> None:
    names = tuple(f"class {k}" for k in range(101))

    page = evaluation_page(make_document(classes=names, images=300, skill=60.0), pictures={})

    assert '<table class="confusion' not in page
    assert "only for those that were confused, and none was" in " ".join(Elements(page).text.split())


def test_page_of_a_perfect_recognizer_says_that_nothing_was_wrong(make_document: Maker) -> None:
    text = Elements(evaluation_page(make_document(images=300, skill=60.0), pictures={})).text

    assert "Not one mistake on these images." in text
    assert "There is none on these 300 images." in text


def test_page_says_that_it_holds_pictures_and_the_bundle_does_not(document: Document) -> None:
    text = " ".join(Elements(evaluation_page(document, pictures={})).text.split())

    assert "This page contains your pictures" in text
    assert "The bundle contains none." in text
    assert document["digest"] in text


def test_file_names_that_are_no_unicode_can_be_written(make_document: Maker) -> None:
    document = make_document(classes=("ok\udcff", "no\x00t\n"), images=60)

    page = evaluation_page(document, pictures={})

    assert "ok\\udcff" in page.encode().decode()
    assert "no\\x00t\\n" in page


def test_page_does_not_claim_that_images_are_new_where_that_is_unknown(document: Document) -> None:
    document["provenance"]["unseen"] = None

    assert "had not seen" not in evaluation_page(document, pictures={})


@pytest.mark.parametrize(("names", "turned"), [(("0", "1"), False), (("zero", "one"), True)])
def test_short_names_are_not_turned(make_document: Maker, names: tuple[str, str], turned: bool) -> None:
    page = evaluation_page(make_document(classes=names, images=60), pictures={})

    assert ('<table class="confusion roomy">' in page) is turned
    assert ('<table class="confusion roomy upright">' in page) is not turned


@pytest.mark.parametrize("rows", [0, 60])
def test_refused_export_says_what_was_compared_and_how_it_had_learned(history: list[Any], rows: int) -> None:
    flips = {"value": 0.004, "low": 0.001, "high": 0.01, "n": 500, "method": "clopper-pearson"}
    parity = {"images": 500, "max_abs_difference": 0.25, "clear_flips": 1, "decision_flips": flips}

    elements = Elements(refusal_page(parity, 1e-4, history=history[:rows]))

    text = " ".join(elements.text.split())
    assert "differ by up to 0.25; 1e-04 is allowed. 1 clear decision changed" in text
    assert "0.4% (95% interval 0.1% to 1.0%, n=500)" in text
    sections = [a["id"] for tag, a in elements.found if tag == "section"]
    assert sections == (["gate", "learning"] if rows else ["gate"])


def test_missing_classes_are_named(make_document: Maker) -> None:
    document = make_document(classes=tuple(f"class {k}" for k in range(40)), images=60)
    assert document["absent_classes"]

    text = Elements(evaluation_page(document, pictures={})).text

    assert f"Nothing is known about “{document['absent_classes'][0]}”" in text


def test_same_numbers_give_the_same_page(page: str, document: Document, history: list[Any]) -> None:
    assert with_everything(document, history) == page


def test_colours_are_readable_in_both_themes() -> None:
    def luminance(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    for theme, back, front in itertools.product(
        (0, 1), ("paper", "ground"), ("ink", "muted", "accent", "warm")
    ):
        light = sorted(luminance(PALETTE[name][theme]) for name in (back, front))
        assert (light[1] + 0.05) / (light[0] + 0.05) >= 4.5, (theme, back, front)


@pytest.mark.parametrize(
    ("package", "module"), [("jinja2", "foveal.report.page"), ("matplotlib", "foveal.report.drawing")]
)
def test_missing_package_names_the_extra(monkeypatch: pytest.MonkeyPatch, package: str, module: str) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.delitem(sys.modules, module)

    with pytest.raises(MissingExtraError, match=r'needs the .train. extra: pip install "foveal\[train\]"'):
        __import__(module)
