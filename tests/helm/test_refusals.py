"""What the chart refuses, by name, before anything reaches a cluster."""

from typing import Any

import pytest

from helm.chart import refusal, render


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ({"replcas": 1}, "replcas"),
        ({"settings": {"pollIntervalSecond": 1}}, "pollIntervalSecond"),
        ({"settings": {"poll_interval_seconds": 1}}, "poll_interval_seconds"),
        ({"crds": {"kepe": True}}, "kepe"),
        ({"airflow": {"scheduler": {"serviceAccountName": "x"}}}, "serviceAccountName"),
        ({"metrics": {"podMonitor": {"enable": True}}}, "enable"),
        ({"probes": {"liveness": {"period": 1}}}, "period"),
        ({"image": {"repo": "x"}}, "repo"),
    ],
)
def test_a_typo_is_refused_by_its_name(values: dict[str, Any], name: str) -> None:
    assert f"'{name}' not allowed" in refusal(values)


@pytest.mark.parametrize(
    ("values", "place"),
    [
        ({"settings": {"callsPerSecond": 0}}, "/settings/callsPerSecond"),
        ({"settings": {"callsPerSecond": "many"}}, "/settings/callsPerSecond"),
        ({"settings": {"namespaces": []}}, "/settings/namespaces"),
        ({"settings": {"namespaces": "airflow-tasks"}}, "/settings/namespaces"),
        ({"settings": {"logLevel": "LOUD"}}, "/settings/logLevel"),
        ({"settings": {"healthPort": 70000}}, "/settings/healthPort"),
        ({"replicas": -1}, "/replicas"),
        ({"image": {"digest": "latest"}}, "/image/digest"),
        ({"image": {"pullPolicy": "Sometimes"}}, "/image/pullPolicy"),
        ({"airflow": {"namespace": ""}}, "/airflow/namespace"),
        ({"fullnameOverride": "Up"}, "/fullnameOverride"),
        ({"extraEnv": {"A": "1"}}, "/extraEnv"),
        ({"terminationGracePeriodSeconds": 5}, "/terminationGracePeriodSeconds"),
    ],
)
def test_a_value_that_cannot_be_is_refused_by_its_place(values: dict[str, Any], place: str) -> None:
    assert place in refusal(values)


def test_airflows_own_namespace_is_refused_unless_it_is_wanted() -> None:
    values = {
        "settings": {"namespaces": ["airflow"]},
        "airflow": {"tasksNamespace": "airflow"},
    }

    words = refusal(values)
    assert "Airflow's own" in words
    assert "tasksNamespaces.allowAirflows=true" in words
    assert render(values | {"tasksNamespaces": {"allowAirflows": True}}).objects


def test_a_namespace_that_no_controller_serves_is_refused() -> None:
    words = refusal({"settings": {"namespaces": ["elsewhere"]}})

    assert 'airflow.tasksNamespace is "airflow-tasks"' in words


def test_helms_own_global_values_are_taken() -> None:
    assert render({"global": {"region": "x"}}).objects
