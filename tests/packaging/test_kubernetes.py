"""Manifests against the API's schemas, against each other, and against what Tidegate does by default."""

import tomllib

import defaults
import kubernetes_validate
import pytest
from kubernetes_validate.utils import all_versions, major_minor
from manifests import KUBERNETES, SOURCES, charted, configs, environment, gates, kustomized, of_kind, plain, pods

# Native sidecars are on by default since this.
OLDEST = "1.29"
# The kinds of others, whose schemas no package has.
FOREIGN = {"PodMonitor"}


def versions():
    return [version for version in map(major_minor, all_versions()) if number(version) >= number(OLDEST)]


def number(version):
    return tuple(map(int, version.split(".")))


@pytest.fixture(params=SOURCES, scope="module")
def manifests(request):
    return SOURCES[request.param]()


@pytest.mark.parametrize("version", versions())
def test_manifests_match_the_api_schemas(manifests, version):
    for manifest in manifests:
        assert kubernetes_validate.validate(manifest, version, strict=True) == version


def test_oldest_version_knows_native_sidecars():
    sidecar = plain("sidecar/sidecar.yaml")[1]
    with pytest.raises(kubernetes_validate.ValidationError, match="restartPolicy"):
        kubernetes_validate.validate(sidecar, "1.27", strict=True)


def test_every_manifest_is_checked():
    files = {path.relative_to(KUBERNETES).parts[0] for path in KUBERNETES.rglob("*.yaml")}
    assert files == {"component", "example", "gate", "helm", "sidecar"}


def test_image_is_the_one_of_this_version(manifests):
    for _, container in gates(manifests):
        name, _, tag = container["image"].partition(":")
        assert name.split("@")[0] == "tidegate"
        assert tag == defaults.version() or "@" in name


def test_ports_are_those_of_the_defaults(manifests):
    for _, container in gates(manifests):
        variables = environment(container)
        ports = {variable: int(variables[variable].rpartition(":")[2]) for variable in ("TIDEGATE_LISTEN", "TIDEGATE_ADMIN")}
        assert ports == {"TIDEGATE_LISTEN": defaults.port("listen"), "TIDEGATE_ADMIN": defaults.port("admin")}
        open_ports = {port["containerPort"] for port in container["ports"]}
        assert open_ports == {int(address.rpartition(":")[2]) for address in variables.values() if is_open(address)}


def is_open(address):
    return bool(address) and address.startswith("0.0.0.0:")


def test_probes_ask_the_admin_port(manifests):
    for _, container in gates(manifests):
        admin = next(port["name"] for port in container["ports"] if port["containerPort"] == defaults.port("admin"))
        probes = {name: probe["httpGet"] for name, probe in container.items() if name.endswith("Probe")}
        assert {probe["port"] for probe in probes.values()} == {admin}
        assert {"startupProbe", "readinessProbe"} <= probes.keys()


def test_user_is_the_one_of_the_image(manifests):
    user, group = map(int, defaults.image("USER")[0].split(":"))
    for _, container in gates(manifests):
        context = container["securityContext"]
        assert (context["runAsUser"], context["runAsGroup"], context["runAsNonRoot"]) == (user, group, True)


def test_security_context_meets_the_restricted_standard(manifests):
    for _, container in gates(manifests):
        context = container["securityContext"]
        assert context["allowPrivilegeEscalation"] is False
        assert context["readOnlyRootFilesystem"] is True
        assert context["capabilities"] == {"drop": ["ALL"]}
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}


def test_grace_period_is_longer_than_the_drain(manifests):
    for pod, container in gates(manifests):
        # A sidecar is stopped after the app, when nothing is in progress any more.
        if container in pod["containers"]:
            assert pod["terminationGracePeriodSeconds"] > defaults.drain_s()
        assert "lifecycle" not in container


def test_sidecars_are_native_and_start_first(manifests):
    for pod, container in gates(manifests):
        if container not in pod["containers"]:
            assert container["restartPolicy"] == "Always"
            assert pod["initContainers"][0] is container


def test_apps_are_pointed_at_a_port_that_is_open(manifests):
    urls = [environment(container).get("OPENAI_BASE_URL") for pod in pods(manifests) for container in pod["containers"]]
    sidecars = [container for pod, container in gates(manifests) if container not in pod["containers"]]
    assert len([url for url in urls if url]) == len(sidecars)
    assert {url for url in urls if url} <= {f"http://127.0.0.1:{defaults.port('listen')}/v1"}


def test_volumes_and_mounts_name_each_other(manifests):
    for pod, container in gates(manifests):
        mounted = {mount["name"] for mount in container["volumeMounts"]}
        assert mounted == {volume["name"] for volume in pod["volumes"]}


def test_services_and_policies_reach_the_gate(manifests):
    ports = {port["name"] for _, container in gates(manifests) for port in container["ports"]}
    services = [port["targetPort"] for service in of_kind("Service", manifests) for port in service["spec"]["ports"]]
    policies = [rule for policy in of_kind("NetworkPolicy", manifests) for rule in policy["spec"]["ingress"]]
    allowed = {port["port"] for rule in policies for port in rule["ports"]}
    assert set(services) <= ports and allowed <= ports
    labels = [manifest["spec"]["template"]["metadata"]["labels"] for manifest in of_kind("Deployment", manifests)]
    for service in of_kind("Service", manifests):
        assert service["spec"]["selector"].items() <= labels[0].items()


def test_shared_gate_is_never_run_twice(manifests):
    for manifest in of_kind("Deployment", manifests):
        if manifest["metadata"]["labels"]["app.kubernetes.io/name"] == "tidegate":
            assert (manifest["spec"]["replicas"], manifest["spec"]["strategy"]) == (1, {"type": "Recreate"})


def test_component_adds_the_sidecar_of_the_plain_manifest():
    [(pod, container)] = gates(plain("sidecar/sidecar.yaml"))
    component = gates(kustomized("example"))
    assert len(component) == 2
    for component_pod, component_container in component:
        assert component_container == container
        names = [volume["name"] for volume in component_pod["volumes"]]
        assert names == [volume["name"] for volume in pod["volumes"]]


def test_all_ways_run_the_same_container():
    [(_, plainly)] = gates(plain("gate/gate.yaml"))
    [(_, by_chart)] = gates(charted({"logFormat": "text"}))
    by_chart["env"] = [variable for variable in by_chart["env"] if variable["name"] != "TIDEGATE_LOG_FORMAT"]
    del by_chart["imagePullPolicy"]
    assert plainly == by_chart
    written = [tomllib.loads(text) for source in SOURCES.values() for text in configs(source())]
    assert all(settings == written[0] for settings in written)


def test_pod_monitor_scrapes_the_admin_port():
    manifests = charted({"podMonitor": {"enabled": True, "labels": {"release": "prometheus"}}})
    [monitor] = of_kind("PodMonitor", manifests)
    assert {manifest["kind"] for manifest in manifests} - {manifest["kind"] for manifest in charted()} == FOREIGN
    [(_, container)] = gates(manifests)
    [endpoint] = monitor["spec"]["podMetricsEndpoints"]
    assert endpoint["port"] in {port["name"] for port in container["ports"]}
    assert endpoint["path"] == "/metrics"
