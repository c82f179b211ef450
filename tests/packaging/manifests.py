"""The manifests as Kubernetes would get them: plain, from kustomize, and from the chart."""

import shutil
import subprocess
import sys
from pathlib import Path

import yaml
from helm_python.chart import Chart

ROOT = Path(__file__).resolve().parents[2]
KUBERNETES = ROOT / "contrib/kubernetes"
CHART = KUBERNETES / "helm/tidegate"

# The programs that start Tidegate are those of the SDK's tests.
sys.path.insert(0, str(ROOT / "tests/sdk/python"))

# Values that turn on whatever is off by default, but what needs CRDs.
EVERYTHING = {
    "image": {"digest": "sha256:" + "0" * 64},
    "imagePullSecrets": [{"name": "registry"}],
    "persistence": {"enabled": True, "storageClassName": "fast"},
    "env": [{"name": "OPENAI_API_KEY", "valueFrom": {"secretKeyRef": {"name": "openai", "key": "key"}}}],
    "service": {"annotations": {"a": "b"}},
    "podAnnotations": {"a": "b"},
    "podLabels": {"a": "b"},
    "nodeSelector": {"a": "b"},
    "tolerations": [{"key": "a", "operator": "Exists"}],
    "affinity": {"nodeAffinity": {}},
    "priorityClassName": "high",
    "extraVolumes": [{"name": "tls", "secret": {"secretName": "tls"}}],
    "extraVolumeMounts": [{"name": "tls", "mountPath": "/tls"}],
}


def documents(text):
    return [document for document in yaml.safe_load_all(text) if document]


def plain(path):
    return documents((KUBERNETES / path).read_text())


def kustomized(folder):
    assert shutil.which("kubectl"), "kubectl is missing; it builds the kustomizations"
    built = subprocess.run(["kubectl", "kustomize", KUBERNETES / folder], text=True, capture_output=True)
    assert built.returncode == 0, built.stderr
    return documents(built.stdout)


def charted(values=None, name="demo"):
    with Chart.load(CHART) as chart:
        chart.validate_schema(values)
        rendered = chart.render(values=values, name=name, namespace="apps")
    manifests = (text for path, text in rendered.items() if path.endswith(".yaml"))
    return [document for text in manifests for document in documents(text)]


SOURCES = {
    "sidecar.yaml": lambda: plain("sidecar/sidecar.yaml"),
    "gate.yaml": lambda: plain("gate/gate.yaml"),
    "kustomize gate": lambda: kustomized("gate"),
    "kustomize example": lambda: kustomized("example"),
    "chart": charted,
    "chart, everything on": lambda: charted(EVERYTHING),
}


def of_kind(kind, manifests):
    return [manifest for manifest in manifests if manifest["kind"] == kind]


def pods(manifests):
    """The pod specs of all workloads."""
    return [manifest["spec"]["template"]["spec"] for manifest in manifests if "template" in manifest.get("spec", {})]


def gates(manifests):
    """Each pod spec with the container in it that runs Tidegate."""
    found = []
    for pod in pods(manifests):
        containers = pod["containers"] + pod.get("initContainers", [])
        found += [(pod, container) for container in containers if container["name"] == "tidegate"]
    assert found, "no container runs Tidegate"
    return found


def environment(container):
    return {variable["name"]: variable.get("value") for variable in container.get("env", [])}


def configs(manifests):
    """The text of each tidegate.toml."""
    return [manifest["data"]["tidegate.toml"] for manifest in of_kind("ConfigMap", manifests)]
