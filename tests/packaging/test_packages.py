"""What a release is made of: packages with the same files, archives where binstall looks, and workflows that actionlint accepts."""

import re
import shutil
import subprocess

import defaults
import pytest
import yaml
from manifests import ROOT

WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
RELEASE = (ROOT / ".github/workflows/release.yml").read_text()


def metadata(name):
    return defaults.cargo()["package"]["metadata"][name]


def deb():
    return {source: "/" + target for source, target, _ in metadata("deb")["assets"]}


def rpm():
    return {asset["source"]: asset["dest"] for asset in metadata("generate-rpm")["assets"]}


def test_packages_hold_the_same_files():
    # cargo-deb makes the licence itself.
    assert rpm().keys() - deb().keys() == {"LICENSE"} and deb().keys() <= rpm().keys()
    for source, target in deb().items():
        same = rpm()[source]
        where = target + source.split("/")[-1] if target.endswith("/") and not same.endswith("/") else target
        if "zsh" not in where:  # Debian and Fedora disagree.
            assert where == same


def test_files_of_packages_exist_or_are_made():
    makes = (ROOT / "Makefile").read_text().split("\nman: ")[1]
    for source in deb().keys() | rpm().keys():
        if source.startswith("target/"):
            assert source.removesuffix("/*.1") in makes, f"nothing in the Makefile makes {source}"
        else:
            assert (ROOT / source).exists()


def test_binstall_looks_for_the_archive_of_the_release():
    found = {**metadata("binstall"), "repo": "REPO", "version": "VERSION", "target": "TARGET"}
    url = re.sub(r"\{ (\w+) \}", lambda name: found[name[1]], found["pkg-url"])
    assert url == "REPO/releases/download/vVERSION/tidegate-VERSION-TARGET.tar.gz"
    assert 'name="tidegate-$VERSION-$TARGET"' in RELEASE and '"out/$name.tar.gz"' in RELEASE
    assert found["bin-dir"].startswith("tidegate-{ version }-{ target }/")


def test_workflows_are_accepted_by_actionlint():
    assert WORKFLOWS and shutil.which("actionlint")
    ended = subprocess.run(["actionlint", *WORKFLOWS], cwd=ROOT, text=True, capture_output=True)
    assert ended.returncode == 0, ended.stdout


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_workflows_ask_for_little(workflow):
    parsed = yaml.safe_load(workflow.read_text())
    assert parsed["permissions"] == {"contents": "read"}
    checkouts = [step for job in parsed["jobs"].values() for step in job["steps"] if "checkout" in step.get("uses", "")]
    assert all(step["with"]["persist-credentials"] is False for step in checkouts)


def test_workflows_use_the_toolchain_of_the_package():
    version = defaults.cargo()["workspace"]["package"]["rust-version"]
    for workflow in WORKFLOWS:
        assert set(re.findall(r"toolchain install (\S+)", workflow.read_text())) == {version}
    assert f"FROM rust:{version}-" in (ROOT / "Dockerfile").read_text()


def test_ci_runs_make_test():
    steps = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())["jobs"]["test"]["steps"]
    assert "make test" in [step.get("run") for step in steps]


def test_release_is_signed_and_summed_up():
    for part in ("sha256sum -- * > SHA256SUMS", "cosign sign-blob", "cosign sign --yes", "attest-build-provenance", "cyclonedx"):
        assert part in RELEASE


def test_dependabot_looks_where_dependencies_are():
    updates = yaml.safe_load((ROOT / ".github/dependabot.yml").read_text())["updates"]
    for update in updates:
        for folder in update.get("directories", [update.get("directory")]):
            assert (ROOT / folder.lstrip("/")).is_dir(), folder
    named = {folder for update in updates for folder in update.get("directories", [])}
    files = [*ROOT.glob("tests/**/requirements.txt"), *ROOT.glob("tests/**/package.json")]
    assert named == {f"/{file.parent.relative_to(ROOT)}" for file in files if "node_modules" not in file.parts}


@pytest.mark.parametrize("form", sorted((ROOT / ".github/ISSUE_TEMPLATE").glob("[!c]*.yml")), ids=lambda path: path.name)
def test_issue_forms_have_what_forms_need(form):
    parsed = yaml.safe_load(form.read_text())
    assert {"name", "description", "body"} <= parsed.keys()
    fields = [field for field in parsed["body"] if field["type"] != "markdown"]
    assert len({field["id"] for field in fields}) == len(fields) and all(field["attributes"]["label"] for field in fields)
