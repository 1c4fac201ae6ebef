"""serve.page: what a browser gets runs under its policy, and what models and files are called stays text."""

import base64
import hashlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import chromium
from bad_inputs.http import TOKEN, request
from bad_inputs.made import encoded, photo
from foveal.serve.page import headers, page
from live import Server, running

EVIL = ["<img src=x onerror=document.title='evil'>", "a\x1b[2J\u202eb\u0000c", "&amp;</script><b>c"]
REAL = pytest.mark.skipif(chromium.PROGRAM is None, reason="needs a Chromium")


@pytest.fixture(scope="module")
def server(bundle: Path, corner_bundle: Path) -> Iterator[Server]:
    with running([bundle, corner_bundle], workers=1) as shared:
        yield shared


def test_the_policy_names_exactly_the_style_and_the_script_of_the_page() -> None:
    policy = page().headers["Content-Security-Policy"]

    for tag in ("style", "script"):
        [content] = re.findall(f"<{tag}>(.*?)</{tag}>", page().html, flags=re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none';")
    assert "unsafe" not in policy
    assert "script-src" not in headers(style="p {}")["Content-Security-Policy"]


def test_nothing_is_asked_from_elsewhere_and_nothing_is_set_as_html() -> None:
    text = page().html

    assert not re.search(r"https?://|//[a-z]|url\(|@import", text.replace("//  ", "").replace("// ", ""))
    assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(|\bon\w+=\"", text)
    kept = r"localStorage|sessionStorage|document\.cookie|indexedDB"
    assert not re.search(kept, text), "a token is in memory only"
    assert "style=" not in text, "the policy forbids it"


def test_the_page_is_there_without_a_token_and_predictions_are_not(bundle: Path, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(TOKEN)
    file.chmod(0o600)
    with running([bundle], token_file=file, workers=1) as server:
        for path in ("/", "/docs", "/openapi.json"):
            assert server.say(request(method="GET", path=path)).status == 200
        assert server.say(request(method="GET", path="/v1/models")).status == 401


def test_it_is_sent_with_its_policy(server: Server) -> None:
    reply = server.say(request(method="GET", path="/"))

    assert reply.body.decode() == page().html
    for name, value in page().headers.items():
        assert reply.headers[name.lower()] == value
    assert reply.headers["content-type"] == "text/html; charset=utf-8"


@pytest.fixture
def browser() -> Iterator[chromium.Browser]:
    with chromium.Browser() as opened:
        yield opened


def shown(browser: chromium.Browser, name: str) -> str:
    text = browser.value(f"document.getElementById('{name}').innerText")
    assert isinstance(text, str)
    return text


def seen(name: str) -> str:
    return f"document.getElementById('{name}').getClientRects().length > 0"


@REAL
@pytest.mark.slow
def test_a_picture_is_chosen_answered_and_explained_in_a_real_browser(
    browser: chromium.Browser, server: Server, tmp_path: Path
) -> None:
    good, bad = tmp_path / "red.png", tmp_path / "bad.jpg"
    good.write_bytes(encoded(photo(200, 300)))
    bad.write_bytes(encoded(photo(), "JPEG")[:300])
    browser.open(server.url + "/")
    browser.until(seen("choice"))
    browser.choose("#file", [good])
    browser.until(seen("answer"))
    [said] = server.say(request(good.read_bytes())).json["predictions"]
    assert shown(browser, "label").startswith(said["label"])
    assert browser.value("document.querySelectorAll('#bars tr').length") == 3
    assert "ms" in shown(browser, "time")

    browser.value("document.getElementById('explain').focus()")
    browser.press("Enter", code=13, text="\r")
    browser.until(seen("heat"))
    browser.until("document.getElementById('map').naturalWidth >= 192")

    browser.choose("#file", [bad])
    browser.until(seen("error"))
    assert "cut off" in shown(browser, "error")
    assert "bad.jpg" in shown(browser, "error")
    assert not browser.value(seen("answer")), "the old answer does not stand under the new error"

    refusals = [text for text in browser.complaints() if "422" not in text]
    assert refusals == []
    known = (server.url, "blob:" + server.url, "data:")
    assert {url for url in browser.requested() if not url.startswith(known)} == set()


@REAL
@pytest.mark.slow
@pytest.mark.parametrize(("event", "holder"), [("Drag", "dataTransfer"), ("Clipboard", "clipboardData")])
def test_a_picture_is_dropped_or_pasted(
    event: str, holder: str, browser: chromium.Browser, server: Server
) -> None:
    content = encoded(photo())
    kind = {"Drag": "drop", "Clipboard": "paste"}[event]
    browser.open(server.url + "/")
    browser.until(seen("choice"))
    browser.value(
        f"""(() => {{
          const held = new DataTransfer();
          held.items.add(new File([new Uint8Array({list(content)})], "given.png", {{type: "image/png"}}));
          document.dispatchEvent(new {event}Event("{kind}", {{{holder}: held, bubbles: true}}));
        }})()"""
    )
    browser.until(seen("answer"))
    [said] = server.say(request(content)).json["predictions"]
    assert shown(browser, "label").startswith(said["label"])
    assert shown(browser, "name") == "given.png"


@REAL
@pytest.mark.slow
def test_names_of_classes_stay_text(
    browser: chromium.Browser, make_bundle: Callable[..., Path], tmp_path: Path
) -> None:
    evil = make_bundle(tmp_path / "evil.foveal", classes=[name.replace("\0", "\x01") for name in EVIL])
    picture = tmp_path / "<b>x.png"
    picture.write_bytes(encoded(photo()))
    with running([evil], workers=1) as server:
        browser.open(server.url + "/")
        browser.until("document.getElementById('about').textContent.includes('evil knows 3')")
        browser.choose("#file", [picture])
        browser.until(seen("answer"))

        names = browser.value("[...document.querySelectorAll('#bars th')].map((e) => e.textContent).sort()")
        assert names == sorted([EVIL[0], "a\\u{1b}[2J\\u{202e}b\\u{1}c", EVIL[2]])
        assert (
            browser.value("document.querySelectorAll('#answer img, #answer b, #answer script').length") == 1
        )
        assert browser.value("document.title") == "foveal"
        assert shown(browser, "name") == "<b>x.png"
        assert browser.complaints() == []


@REAL
@pytest.mark.slow
def test_a_token_is_asked_for_and_never_kept(bundle: Path, tmp_path: Path, browser: chromium.Browser) -> None:
    file, picture = tmp_path / "token", tmp_path / "a.png"
    file.write_text(TOKEN)
    file.chmod(0o600)
    picture.write_bytes(encoded(photo()))
    with running([bundle], token_file=file, workers=1) as server:
        browser.open(server.url + "/")
        browser.until(seen("access"))
        for token, wanted in (("x" * 40, "error"), (TOKEN, "about")):
            browser.value("document.getElementById('token').focus()")
            browser("Input.insertText", text=token)
            browser.press("Enter", code=13, text="\r")
            browser.until(f"{seen(wanted)} && document.getElementById('{wanted}').innerText.trim() !== ''")
        browser.choose("#file", [picture])
        browser.until(seen("answer"))
        assert browser.value("document.cookie + JSON.stringify({...localStorage, ...sessionStorage})") == "{}"
        assert not any(TOKEN in address for address in browser.requested())
        browser.open(server.url + "/?again")
        browser.until(seen("access"))


@REAL
@pytest.mark.slow
@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [340, 1200])
def test_nothing_is_wider_than_the_screen(width: int, dark: bool, server: Server, tmp_path: Path) -> None:
    picture = tmp_path / ("long" * 20 + ".png")
    picture.write_bytes(encoded(photo(100, 1000)))
    with chromium.Browser(width=width, dark=dark) as browser:
        browser.open(server.url + "/")
        browser.until(seen("choice"))
        browser.choose("#file", [picture])
        browser.until(seen("answer"))
        assert browser.value("document.documentElement.scrollWidth <= innerWidth")
        light = browser.value("getComputedStyle(document.body).backgroundColor")
        assert light == ("rgb(22, 25, 29)" if dark else "rgb(255, 255, 255)")
        browser.open(server.url + "/docs")
        assert browser.value("document.documentElement.scrollWidth <= innerWidth")
        assert browser.complaints() == []
