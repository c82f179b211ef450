"""What Tidegate does if nothing is configured, read from what it ships."""

import re
import tomllib

from manifests import ROOT

SETTING = re.compile(r'^# (?P<name>\w+) *= *"(?P<value>[^"]*)"', re.MULTILINE)


def server():
    """The defaults of [server], from the comments of the built-in configuration."""
    section = (ROOT / "config/default.toml").read_text().split("[server]")[1].split("\n[")[0]
    return {found["name"]: found["value"] for found in SETTING.finditer(section)}


def port(setting):
    return int(server()[setting].rpartition(":")[2])


def drain_s():
    return int(server()["drain"].removesuffix("s"))


def dockerfile():
    """Each instruction of the image's last stage with what follows it."""
    lines = (ROOT / "Dockerfile").read_text().replace("\\\n", " ").splitlines()
    instructions = [line.split(" ", 1) for line in lines if line and not line.startswith("#")]
    start = max(at for at, (name, _) in enumerate(instructions) if name == "FROM")
    return instructions[start:]


def image(instruction):
    return [rest.strip() for name, rest in dockerfile() if name == instruction]


def version():
    return cargo()["workspace"]["package"]["version"]


def package(field):
    """A field of the root package, its own or the workspace's."""
    value = cargo()["package"][field]
    return cargo()["workspace"]["package"][field] if value == {"workspace": True} else value


def cargo():
    return tomllib.loads((ROOT / "Cargo.toml").read_text())
