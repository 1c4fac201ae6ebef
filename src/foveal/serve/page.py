"""The page at `/`: a person drops a picture and sees what the recognizer says of it.

One text without anything from outside. The policy that is sent along lets a browser run exactly this script
and use exactly this style, and ask this server alone: whatever a class is called, it cannot become a program.
"""

import base64
import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_HERE = Path(__file__).parent


@dataclass(frozen=True)
class Page:
    """What is sent.

    Attributes:
        html: The text.
        headers: What belongs into the answer's headers beside its type.
    """

    html: str
    headers: dict[str, str]


@cache
def page() -> Page:
    """Return the page to try the recognizers on."""
    style, script = text("page.css"), text("page.js")
    html = text("page.html").replace("{style}", style).replace("{script}", script)
    return Page(html, headers(style=style, script=script))


def text(name: str) -> str:
    """Return a file that lies beside this one."""
    return (_HERE / name).read_text(encoding="utf-8")


def headers(*, style: str, script: str | None = None) -> dict[str, str]:
    """Return the headers under which a page may use one style and, at most, one script.

    Args:
        style: What stands between `<style>` and `</style>`.
        script: What stands between `<script>` and `</script>`; None: the page runs none.
    """
    rules = ["default-src 'none'", f"style-src {_named(style)}", "base-uri 'none'", "form-action 'none'"]
    rules += ["frame-ancestors 'none'"]
    if script is not None:
        rules += [f"script-src {_named(script)}", "connect-src 'self'", "img-src blob: data:"]
    return {
        "Content-Security-Policy": "; ".join(rules),
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Cache-Control": "no-cache",
    }


def _named(content: str) -> str:
    digest = hashlib.sha256(content.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
