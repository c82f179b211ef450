"""What the reference says, against the program and its sources."""

import re
import subprocess
import sys

from documents import ROOT


def table(path, column=0):
    """The code in a column of a document's tables, row by row."""
    rows = (line for line in (ROOT / path).read_text().splitlines() if line.startswith("| `"))
    return [re.findall(r"`([^`]+)`", row.split("|")[column + 1]) for row in rows]


def test_generated_pages_are_up_to_date():
    ended = subprocess.run([sys.executable, ROOT / "tools/reference", "--check"], text=True, capture_output=True)
    assert ended.returncode == 0, ended.stderr


def sources(*folders):
    files = (file for folder in folders for file in (ROOT / folder).rglob("*.rs"))
    return "\n".join(file.read_text() for file in files if "tests" not in file.parts)


def test_errors_are_those_that_the_gate_answers():
    codes = dict(re.findall(r'Self::(\w+) => "(tidegate_\w+)"', (ROOT / "crates/core/src/refusal.rs").read_text()))
    used = {codes[name] for name in re.findall(r"Code::(\w+)\b", sources("src", "crates/core/src")) if name in codes}
    documented = [code for [code, *_] in table("docs/reference/errors.md") if code.startswith("tidegate_")]
    assert sorted(documented) == sorted(used)


def test_headers_that_the_code_names_are_documented():
    named = set(re.findall(r'from_static\("(x-tidegate-[a-z-]+|x-stainless-(?:read-)?timeout|x-stainless-retry-count'
                           r'|x-stainless-poll-helper|openai-poll-after-ms)"\)', sources("src", "crates/core/src")))
    documented = {name for names in table("docs/reference/headers.md") for name in names}
    assert len(named) > 5 and named <= documented, named - documented


def test_pools_of_the_readme_are_the_built_in_ones():
    built_in = re.findall(r"^\[pools\.([a-z-]+)\]", (ROOT / "config/default.toml").read_text(), re.MULTILINE)
    limits = dict(re.findall(r'^\[pools\.([a-z-]+)\]\nrequests = \["([^"]+)"\]', (ROOT / "config/default.toml").read_text(), re.MULTILINE))
    text = (ROOT / "README.md").read_text().split("| pool | limit |")[1].split("\n\n")[0]
    named = {}
    for line in text.splitlines()[2:]:
        names, limit = line.split("|")[1:3]
        whole = [name if not name.startswith("-") else f"assistants{name}" for name in re.findall(r"`([^`]+)`", names)]
        figures = limit.split(",") if len(whole) == limit.count(",") + 1 else [limit] * len(whole)
        named |= dict(zip(whole, figures))
    assert sorted(named) == sorted(built_in)
    for name, limit in limits.items():
        number, unit = limit.split("/")
        assert re.search(rf"\b{number}\b.*/{unit}\b", named[name]), (name, named[name], limit)
