"""The documents, and the blocks of code in them."""

import re
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
NAMES = [str(path.relative_to(ROOT)) for path in DOCUMENTS]
BLOCK = re.compile(
    r"^(?P<mark><!-- illustration: .+ -->\n)?(?P<indent> *)```(?P<language>\w*)\n(?P<text>.*?)^(?P=indent)```$",
    re.MULTILINE | re.DOTALL,
)

# The programs that start Tidegate are those of the SDK's tests.
sys.path.insert(0, str(ROOT / "tests/sdk/python"))


@dataclass
class Block:
    language: str
    text: str
    # What it prints depends on more than this repository: the document says on what.
    is_illustration: bool


def blocks(document):
    for found in BLOCK.finditer((ROOT / document).read_text()):
        text = "".join(line.removeprefix(found["indent"]) for line in found["text"].splitlines(keepends=True))
        yield Block(found["language"], text, bool(found["mark"]))


def commands(block):
    """Each command of a console block with the lines that it prints."""
    found = []
    for line in block.text.splitlines():
        if line.startswith("$ "):
            found.append((line[2:], []))
        else:
            found[-1][1].append(line)
    return found


def pattern(lines):
    """What the printed lines must match: numbers may differ, `…` is anything."""
    escaped = [re.escape(" ".join(line.split())) for line in lines]
    loose = [re.sub(r"(\\\.)?\d[\d.\\]*", r"[\\d.]+", line).replace("…", ".*") for line in escaped]
    return r"\n".join(r"(.|\n)*" if line == ".*" else line for line in loose)


def flat(text):
    return "\n".join(" ".join(line.split()) for line in text.strip().splitlines())
