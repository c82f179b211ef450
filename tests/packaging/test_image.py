"""The image and the compose file."""

import subprocess

import compose_spec
import defaults
import pytest
import yaml
from manifests import ROOT, configs, kustomized
from programs import BINARY

COMPOSE = ROOT / "docker-compose.yml"


def services():
    return yaml.safe_load(COMPOSE.read_text())["services"]


def test_hadolint_finds_nothing():
    ended = subprocess.run(["hadolint", ROOT / "Dockerfile"], text=True, capture_output=True)
    assert (ended.stdout, ended.returncode) == ("", 0)


def labels():
    [text] = defaults.image("LABEL")
    pairs = (pair.split("=", 1) for pair in text.split("org.opencontainers.image.")[1:])
    return {name: value.strip().strip('"') for name, value in pairs}


def test_labels_agree_with_the_package():
    package = {name: value for name, value in labels().items() if name != "title"}
    assert package == {
        "description": defaults.package("description"),
        "version": defaults.version(),
        "licenses": defaults.package("license"),
    }


def test_image_listens_on_the_default_ports():
    [exposed] = defaults.image("EXPOSE")
    assert int(exposed) == defaults.port("listen")
    [addresses] = defaults.image("ENV")
    assert addresses.split() == [
        f"TIDEGATE_LISTEN=0.0.0.0:{defaults.port('listen')}",
        f"TIDEGATE_ADMIN=127.0.0.1:{defaults.port('admin')}",
    ]


def test_state_folder_belongs_to_the_user_of_the_image():
    [user] = defaults.image("USER")
    [state] = [copy for copy in defaults.image("COPY") if copy.endswith("/var/lib/tidegate")]
    assert state.startswith(f"--chown={user} ")


def check(text):
    options = compose_spec.PyOptions()
    options.apply_merge = True
    options.from_yaml(text)


def test_compose_file_keeps_to_the_specification():
    check(COMPOSE.read_text())


@pytest.mark.parametrize("change", [("read_only:", "readonly:"), ("70s", "70q"), ("service_healthy", "healthy")])
def test_compose_check_sees_mistakes(change):
    wrong = COMPOSE.read_text().replace(*change)
    with pytest.raises(ValueError):
        check(wrong)


def test_compose_uses_what_it_defines():
    compose, gate = yaml.safe_load(COMPOSE.read_text()), services()["tidegate"]
    assert [volume.split(":")[0] for volume in gate["volumes"]] == list(compose["volumes"])
    assert [config["source"] for config in gate["configs"]] == list(compose["configs"])


@pytest.mark.parametrize("name", ["tidegate", "upstream"])
def test_compose_services_are_hardened(name):
    service = services()[name]
    assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])
    assert service["security_opt"] == ["no-new-privileges:true"]


def test_compose_publishes_both_ports_to_this_machine_only():
    ports = [defaults.port("listen"), defaults.port("admin")]
    assert services()["tidegate"]["ports"] == [f"127.0.0.1:{port}:{port}" for port in ports]
    assert services()["tidegate"]["environment"]["TIDEGATE_ADMIN"] == f"0.0.0.0:{ports[1]}"
    assert services()["app"]["environment"]["OPENAI_BASE_URL"] == f"http://tidegate:{ports[0]}/v1"


def test_compose_waits_longer_than_the_drain():
    grace = services()["tidegate"]["stop_grace_period"]
    assert int(grace.removesuffix("s")) > defaults.drain_s()


def test_compose_configuration_is_valid_and_that_of_kubernetes(tmp_path):
    content = yaml.safe_load(COMPOSE.read_text())["configs"]["tidegate.toml"]["content"]
    assert content in configs(kustomized("gate"))[0]
    file = tmp_path / "tidegate.toml"
    file.write_text(content)
    assert subprocess.run([BINARY, "check", "--config", file], capture_output=True).returncode == 0


def test_healthcheck_reaches_an_open_admin_port():
    """The image's healthcheck asks $TIDEGATE_ADMIN, which compose and the manifests set to an address to listen on."""
    from programs import Gate, Mock

    with Mock() as mock, Gate(mock.url) as gate:
        port = gate.addresses["admin"].rpartition(":")[2]
        ended = subprocess.run([BINARY, "healthcheck", "--admin", f"0.0.0.0:{port}"], capture_output=True)
        assert ended.returncode == 0, ended.stderr
