"""The documentation names every code that reading and checking can give, and no other."""

import re
from pathlib import Path

FINDING = re.compile(r'(?:Finding\(\s*|_mixture\([^"]*)"(\w+)"')
IMAGE_ERROR = re.compile(r'ImageError\((?:[^()]|\([^()]*\))*?code="(\w+)"', re.DOTALL)


def test_every_finding_is_documented(project: Path) -> None:
    files = [*(project / "src/foveal/data/checks").glob("*.py"), project / "src/foveal/audit/findings.py"]
    given = {code for file in files for code in FINDING.findall(file.read_text(encoding="utf-8"))}
    page = (project / "docs/commands/check.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`.*?) \| (?:error|warning|info) \|", page, flags=re.MULTILINE)

    assert {code for row in rows for code in re.findall(r"`(\w+)`", row)} == given


def test_every_reason_against_a_picture_is_documented(project: Path) -> None:
    files = (project / "src/foveal/data").rglob("*.py")
    given = {code for file in files for code in IMAGE_ERROR.findall(file.read_text(encoding="utf-8"))}
    page = (project / "docs/data.md").read_text(encoding="utf-8")
    table = page.partition("| code | when |")[2].partition("\n\n")[0]

    assert given <= set(re.findall(r"`(\w+)`", table))
    assert {"truncated", "corrupt", "too_many_pixels", "metadata_limit", "io_error"} <= given
