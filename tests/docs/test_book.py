"""The documents as a book: links lead somewhere, every page has its place, and mdBook builds it."""

import re
import subprocess

import pytest
from documents import NAMES, ROOT

LINK = re.compile(r"!?\[[^\]]*\]\((?!https?:)([^)#\s]*)(#[^)\s]+)?\)")
OLD = re.compile(r'(?:src|href)="(?!https?:)([^"#]+)"')


def text_of(document):
    """Without the blocks of code, in which brackets mean something else."""
    return re.sub(r"^( *)```.*?^\1```$", "", (ROOT / document).read_text(), flags=re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("document", [*NAMES, "CHANGELOG.md"])
def test_links_lead_somewhere(document):
    text = text_of(document)
    for path, anchor in [*LINK.findall(text), *((path, "") for path in OLD.findall(text))]:
        target = ((ROOT / document).parent / path) if path else ROOT / document
        assert target.exists(), f"{document}: {path}"
        if anchor:
            assert anchor[1:] in anchors(target.read_text()), f"{document}: {path}{anchor}"


def anchors(text):
    """As GitHub and mdBook make them of headings."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower().replace("`", "")).strip().replace(" ", "-") for heading in headings}


def test_every_page_has_its_place_in_the_book():
    listed = {path for path, _ in LINK.findall((ROOT / "docs/SUMMARY.md").read_text())}
    pages = {str(path.relative_to(ROOT / "docs")) for path in (ROOT / "docs").rglob("*.md")} - {"SUMMARY.md"}
    assert listed == pages


def test_mdbook_builds_the_book(tmp_path):
    ended = subprocess.run(["mdbook", "build", "--dest-dir", tmp_path, ROOT], text=True, capture_output=True)
    assert ended.returncode == 0 and "WARN" not in ended.stderr, ended.stderr
    assert (tmp_path / "guides/kubernetes.html").exists()
