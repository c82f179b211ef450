"""The manifests against the program: its configurations are valid, its probes are answered, and the sidecar's order holds."""

import http.client
import os
import subprocess
import urllib.error
import urllib.request
from urllib.parse import urlsplit

import pytest
from manifests import SOURCES, configs, environment, gates
from programs import BINARY, HANGS, Mock, Program, eventually


@pytest.fixture(scope="module")
def mock():
    # It tells its limits, so that there is something to learn.
    with Mock("--rpm", "600") as mock:
        yield mock


class Container(Program):
    """A container that runs Tidegate, as a process: its variables and its configuration, on free ports."""

    says = ("listening", "admin")

    def __init__(self, variables, config, folder, upstream):
        file = folder / "tidegate.toml"
        file.write_text(config.replace("/var/lib/tidegate", str(folder)))
        before = dict(os.environ)
        os.environ.update({name: value for name, value in variables.items() if value is not None})
        try:
            options = ["--config", str(file), "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]
            super().__init__("serve", *options, "--upstream", upstream)
        finally:
            os.environ.clear()
            os.environ.update(before)

    def probe(self, path):
        """The status that a probe's `httpGet` gets; 0 if nothing listens."""
        try:
            with urllib.request.urlopen(self.addresses["admin"] + path, timeout=HANGS) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return 0


@pytest.fixture(params=SOURCES)
def manifests(request):
    return SOURCES[request.param]()


def test_configurations_are_valid(manifests, tmp_path):
    for at, config in enumerate(configs(manifests)):
        file = tmp_path / f"{at}.toml"
        file.write_text(config)
        checked = subprocess.run([BINARY, "check", "--config", file], text=True, capture_output=True)
        assert checked.returncode == 0, checked.stderr


def test_probes_are_answered(manifests, tmp_path, mock):
    for at, (_, container) in enumerate(gates(manifests)):
        folder = tmp_path / str(at)
        folder.mkdir()
        with Container(environment(container), configs(manifests)[0], folder, mock.url) as gate:
            paths = {probe["httpGet"]["path"] for name, probe in container.items() if name.endswith("Probe")}
            assert {path: gate.probe(path) for path in paths} == dict.fromkeys(paths, 200)


def test_state_is_written_to_its_volume(manifests, tmp_path, mock):
    _, container = gates(manifests)[0]
    assert "/var/lib/tidegate" in {mount["mountPath"] for mount in container["volumeMounts"]}
    with Container(environment(container), configs(manifests)[0], tmp_path, mock.url) as gate:
        assert ask(gate) == 200
        gate.terminate()
        assert gate.process.wait(HANGS) == 0
    assert {path.name for path in tmp_path.iterdir()} > {"tidegate.toml"}


def ask(gate):
    connection = http.client.HTTPConnection(urlsplit(gate.url).netloc, timeout=HANGS)
    headers = {"content-type": "application/json", "authorization": "Bearer sk-test"}
    connection.request("POST", "/v1/chat/completions", '{"model": "gpt-4o", "messages": []}', headers)
    answer = connection.getresponse()
    answer.read()
    return answer.status


def test_sidecar_starts_before_its_app_and_ends_after_it(tmp_path, mock):
    """What the kubelet does with a native sidecar, in processes: no cluster runs here."""
    manifests = SOURCES["sidecar.yaml"]()
    [(pod, container)] = gates(manifests)
    assert container["restartPolicy"] == "Always" and pod["initContainers"] == [container]
    with Container(environment(container), configs(manifests)[0], tmp_path, mock.url) as sidecar:
        # The app starts once the startup probe succeeds, and its first request is answered.
        eventually(lambda: sidecar.probe(container["startupProbe"]["httpGet"]["path"]) == 200, "the startup probe")
        app = f"import urllib.request as u; u.urlopen('{sidecar.url}/v1/models').read()"
        assert subprocess.run(["python3", "-c", app], timeout=HANGS).returncode == 0
        # It has ended. Only now the sidecar is told to, and nothing keeps it.
        assert sidecar.process.poll() is None
        sidecar.terminate()
        assert sidecar.process.wait(HANGS) == 0
