"""The chart, as Helm reads it: its values are checked, and its names are valid."""

import defaults
import pytest
from helm_python import chart
from helm_python.errors import HelmValuesError
from manifests import CHART, EVERYTHING, charted, gates

WRONG = {
    "a misspelled key": {"servce": {}},
    "a misspelled key in a table": {"image": {"repo": "a"}},
    "a port that is no number": {"service": {"port": "http"}},
    "a port that is none": {"service": {"port": 70000}},
    "a short digest": {"image": {"digest": "sha256:12"}},
    "a configuration that is a table": {"config": {"upstream": {}}},
    "no grace period": {"terminationGracePeriodSeconds": 0},
    "a variable without a name": {"env": [{"value": "a"}]},
    "memory that is none": {"resources": {"limits": {"memory": "much"}}},
}


@pytest.mark.parametrize("values", WRONG.values(), ids=WRONG)
def test_wrong_values_are_rejected(values):
    with chart.Chart.load(CHART) as loaded, pytest.raises(HelmValuesError):
        loaded.validate_schema(values)


def test_lint_finds_nothing_but_the_missing_icon():
    found = chart.lint(CHART)
    assert [message["error"] for message in found["messages"]] == ["icon is recommended"]


def test_schema_knows_every_value():
    with chart.Chart.load(CHART) as loaded:
        assert loaded.values.keys() == loaded.schema["properties"].keys() - {"global"}
        loaded.validate_schema(EVERYTHING)


def test_versions_are_those_of_the_program():
    with chart.Chart.load(CHART) as loaded:
        assert (loaded.version, loaded.metadata["appVersion"]) == (defaults.version(), defaults.version())


def test_long_release_names_are_cut():
    names = {manifest["metadata"]["name"] for manifest in charted(name="a" * 53)}
    assert [len(name) for name in names] == [62]


def test_release_called_tidegate_has_no_double_name():
    assert {manifest["metadata"]["name"] for manifest in charted(name="tidegate")} == {"tidegate"}


def test_changed_configuration_changes_the_pod():
    def annotations(config):
        [deployment] = [one for one in charted({"config": config}) if one["kind"] == "Deployment"]
        return deployment["spec"]["template"]["metadata"]["annotations"]

    assert annotations("[queue]\n") != annotations("[queue]\nmax_waiting = 5\n")


def test_digest_wins_over_the_tag():
    [(_, container)] = gates(charted({"image": {"tag": "1", "digest": "sha256:" + "a" * 64}}))
    assert container["image"] == "tidegate@sha256:" + "a" * 64
