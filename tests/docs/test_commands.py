"""Every command in the documents is run, and what it prints is compared with what the document says."""

import re
import shlex
import subprocess

import pytest
import yaml
from documents import DOCUMENTS, NAMES, ROOT, blocks, commands, flat, pattern
from session import Session

# What no test runs, and why that is all right.
ELSEWHERE = [
    (r"cargo install --path \.", "the image's test does"),
    (r"cargo run --release -- demo", "it measures how fast the machine is; tests/cli starts it"),
    (r"cargo doc --open", "`make lint` builds it"),
    (r"docker (compose up|tag|push) ?.*", "no engine and no registry"),
    (r"kubectl port-forward service/tidegate 4291", "no cluster"),
    (r"helm install tidegate contrib/kubernetes/helm/tidegate --set image\.repository=\S+", "the chart's tests render it"),
]
TARGETS = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


@pytest.mark.parametrize("document", NAMES)
def test_commands_print_what_the_document_says(document, tmp_path):
    with Session(tmp_path) as session:
        for block in blocks(document):
            if block.language == "toml" and is_configuration(block.text):
                session.write_config(block.text)
            if block.language == "console":
                for command, printed in commands(block):
                    play(session, command, printed, block.is_illustration)


def play(session, command, printed, is_illustration):
    command = without_comment(command)
    if target := re.fullmatch(r"make (\w+)", command):
        assert target[1] in TARGETS, f"{command}: the Makefile has no such target"
        return
    if any(re.fullmatch(known, command) for known, _ in ELSEWHERE):
        return
    command = re.sub(r"^cargo run (--release )?-- ", "tidegate ", command)
    command = re.sub(r"^kubectl apply -k", "kubectl kustomize", command)
    assert command.split()[0] in {"tidegate", "curl", "seq", "kubectl"}, f"no test knows how to run {command!r}"
    told = session.type(command)
    if printed and not is_illustration:
        assert re.fullmatch(pattern(printed), flat(told)), f"{command}\n{told}"


def without_comment(command):
    return re.sub(r" {2,}# .*", "", command).strip()


def is_configuration(text):
    return not re.search(r"^\[\[(step|streams)", text, re.MULTILINE)


@pytest.mark.parametrize("document", NAMES)
def test_examples_of_configurations_are_valid(document, tmp_path):
    with Session(tmp_path) as session:
        for block in blocks(document):
            if block.language == "toml" and is_configuration(block.text):
                session.check(block.text)


@pytest.mark.parametrize("document", NAMES)
def test_examples_of_scripts_are_accepted(document, tmp_path):
    with Session(tmp_path) as session:
        for at, block in enumerate(blocks(document)):
            if block.language == "toml" and not is_configuration(block.text):
                (tmp_path / f"{at}.toml").write_text(block.text)
                streams = "[[streams]]" in block.text
                command = f"tidegate simulate {at}.toml" if streams else f"tidegate mock --script {at}.toml"
                session.type(command)


@pytest.mark.parametrize("document", NAMES)
def test_yaml_and_shell_examples_are_well_formed(document):
    for block in blocks(document):
        if block.language == "yaml":
            assert yaml.safe_load(block.text), block.text
        if block.language == "sh":
            subprocess.run(["bash", "-n"], input=block.text, text=True, check=True)


def test_commands_of_cargo_name_what_there_is():
    benches = set(re.findall(r'^name = "(\w+)"', (ROOT / "Cargo.toml").read_text(), re.MULTILINE))
    text = "\n".join(path.read_text() for path in DOCUMENTS)
    named = [shlex.split(command) for command in re.findall(r"`(cargo (?:bench|test) [^`]+)`", text)]
    assert named
    for words in named:
        assert {words[at + 1] for at, word in enumerate(words) if word == "--bench"} <= benches, words
        filters = [word for word in words[2:] if re.fullmatch(r"[a-z_:]+", word)]
        packages = {words[at + 1] for at, word in enumerate(words) if word in ("-p", "--test", "--bench", "--package")}
        for name in set(filters) - packages - {"test", "bench"}:
            wanted = name.strip(":").split("::")[-1]
            found = subprocess.run(["git", "grep", "-qE", rf"(fn|mod) \w*{wanted}"], cwd=ROOT)
            assert found.returncode == 0, f"{' '.join(words)}: nothing is called {wanted}"


def test_make_targets_that_are_named_exist():
    text = "\n".join(path.read_text() for path in DOCUMENTS)
    named = set(re.findall(r"`make (\w+)", text))
    assert named and named <= TARGETS, named - TARGETS


def test_something_is_run():
    found = [command for name in NAMES for block in blocks(name) if block.language == "console" for command, _ in commands(block)]
    assert len(found) > 30
