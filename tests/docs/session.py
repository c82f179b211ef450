"""A reader who types the commands of one document, in order, in a folder of their own."""

import json
import os
import re
import subprocess
import sys

from documents import ROOT
from programs import BINARY, HANGS, Program

# What the documents call the ports by.
PORTS = {"app": "127.0.0.1:4290", "admin": "127.0.0.1:4291", "mock": "127.0.0.1:4292"}
BATCH = """
import concurrent.futures, json, os, urllib.request
def ask(_):
    body = json.dumps({"model": "gpt-4o", "messages": []}).encode()
    headers = {"content-type": "application/json", "authorization": "Bearer sk-test"}
    request = urllib.request.Request(os.environ["OPENAI_BASE_URL"] + "/chat/completions", body, headers)
    return urllib.request.urlopen(request).status
with concurrent.futures.ThreadPoolExecutor(30) as pool:
    assert set(pool.map(ask, range(30))) == {200}
"""
ACCESS = (
    '{"at":"2026-11-25T13:15:10.581Z","method":"POST","route":"POST /v1/responses","client":"client-2af1b6c405844079",'
    '"ended":"passed","status":200,"code":null,"source":"upstream","wait_ms":0,"upstream_ms":1,"attempts":1,"total_ms":1,'
    '"pools":["models"],"model":"gpt-4o","tokens":22,"priority":"normal"}\n'
)
HAR_REQUEST = {"method": "GET", "url": "https://api.openai.com/v1/models", "headers": []}
HAR = {"log": {"entries": [{"startedDateTime": "2026-11-25T13:15:10.581Z", "time": 10, "request": HAR_REQUEST}]}}
FILES = {
    "batch.py": BATCH,
    "access.log": ACCESS,
    "app.har": json.dumps(HAR),
    "tidegate.toml": "# until the document writes one\n",
    "other.toml": "[queue]\nmax_waiting = 5\n",
    # A terminal would not show how a download goes.
    ".curlrc": "silent\nshow-error\n",
}
CERTIFICATE = "openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=localhost -keyout key.pem -out cert.pem"


class Serving(Program):
    """`tidegate serve` or `tidegate mock`, as a document starts it, but on free ports."""

    def __init__(self, command, environment, folder):
        self.says = ("listening",) if command[0] == "mock" else ("listening", "admin")
        ports = ["--listen", "127.0.0.1:0"] + (["--admin", "127.0.0.1:0"] if command[0] == "serve" else [])
        before, here = dict(os.environ), os.getcwd()
        os.environ.clear()
        os.environ.update(environment)
        os.chdir(folder)
        try:
            super().__init__(*command, *ports)
        finally:
            os.chdir(here)
            os.environ.clear()
            os.environ.update(before)

    def at(self, name):
        return self.addresses[name].removeprefix("http://")


class Session:
    def __init__(self, folder):
        self.folder, self.programs, self.ports = folder, {}, {}
        (folder / "bin").mkdir()
        (folder / "bin/tidegate").symlink_to(BINARY)
        (folder / "bin/python3").symlink_to(sys.executable)
        for name in ("config", "contrib", "docs"):
            (folder / name).symlink_to(ROOT / name)
        for name, text in FILES.items():
            (folder / name).write_text(text)
        self.environment = {"PATH": f"{folder}/bin:{os.environ['PATH']}", "HOME": str(folder)}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for program in self.programs.values():
            program.stop()

    def write_config(self, text):
        (self.folder / "tidegate.toml").write_text(text)

    def check(self, text):
        if "cert.pem" in text:
            subprocess.run(CERTIFICATE.split(), cwd=self.folder, check=True, capture_output=True)
        # What the text names of the environment is set, as for those who use it.
        self.environment |= dict.fromkeys(re.findall(r"(?<!\$)\$\{(\w+)\}", text), "example")
        file = self.folder / "checked.toml"
        file.write_text(text)
        return self.run("tidegate check --config checked.toml")

    def type(self, command):
        """Runs a command to its end, or starts what does not end; what it printed, as the document would have it."""
        words = command.split()
        if words[:2] in (["tidegate", "serve"], ["tidegate", "mock"]) and "--help" not in words:
            return self.start(words[1:])
        if any(PORTS[name] in command for name in ("app", "admin")) or asks_a_gate(words):
            self.start_if_missing("serve")
        elif "run" in words or PORTS["mock"] in command:
            self.start_if_missing("mock")
        return self.run(command)

    def start_if_missing(self, name):
        if name not in self.programs:
            self.start([name, "--config", "/dev/null"])

    def start(self, words):
        name = words[0]
        if name in self.programs:
            self.programs.pop(name).stop()
        if name == "serve" and "--upstream" not in words:
            self.start_if_missing("mock")
            words = [*words, "--upstream", f"http://{PORTS['mock']}"]
        program = Serving([self.real(word) for word in words], self.environment, self.folder)
        self.programs[name] = program
        if name == "mock":
            self.ports["mock"] = program.at("listening")
            self.environment["TIDEGATE_UPSTREAM"] = program.url
            # So that `tidegate run` starts a gate, and not on a port that may be taken.
            self.environment |= {"TIDEGATE_LISTEN": "127.0.0.1:0"}
        else:
            self.ports |= {"app": program.at("listening"), "admin": program.at("admin")}
        return self.told("".join(f"{said} on {program.addresses[said]}\n" for said in program.says))

    def run(self, command):
        environment = dict(self.environment)
        if asks_a_gate(command.split()):
            environment["TIDEGATE_ADMIN"] = self.programs["serve"].addresses["admin"]
        elif "tidegate run" in command:
            environment["TIDEGATE_ADMIN"] = "127.0.0.1:0"
        ended = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", self.real(command)], env=environment, cwd=self.folder, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=HANGS,
        )
        # `| head` stops reading: that ends `curl` and the like by SIGPIPE, and is no failure.
        assert ended.returncode in (0, 141), f"{command}\n{ended.stdout}"
        return self.told(ended.stdout)

    def real(self, text):
        for name, port in self.ports.items():
            text = text.replace(PORTS[name], port)
        return text

    def told(self, text):
        for name, port in self.ports.items():
            text = text.replace(port, PORTS[name])
        return re.sub(r"127\.0\.0\.1:\d{5}", PORTS["app"], text)


def asks_a_gate(words):
    asks = {"diagnose", "top", "explain", "healthcheck"}
    return words[0] == "tidegate" and words[1] in asks and "--help" not in words and "off" not in words
