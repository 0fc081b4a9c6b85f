"""`airflow batchtask …`, over an API server and a database of Airflow's."""

import os
import subprocess
import sys
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from airflow import settings
from airflow.models.pool import Pool
from airflow.models.team import Team
from airflow.models.variable import Variable
from airflow.utils.session import create_session

from batchtask_executor.claim.instance import Claim
from batchtask_executor.cli.claim import claim
from batchtask_executor.cli.preflight import preflight
from batchtask_executor.cluster.kube_api import KubeApi
from batchtask_executor.cluster.kube_claims import KubeClaims
from batchtask_local.apiserver import ApiServer
from fakes.awaiting import until
from fakes.clusters import ServedCluster
from fakes.executors import options

pytestmark = pytest.mark.integration

THEIRS = Claim("b", "https://b.example", "2025-01-01T00:00:00Z")
WELL = {
    "AIRFLOW__CORE__PARALLELISM": "2000",
    "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": "https://airflow.example.com/execution/",
    "AIRFLOW__CORE__EXECUTOR": "batchtask_executor.BatchTaskExecutor",
    "AIRFLOW__SCHEDULER__MAX_TIS_PER_QUERY": "256",
    "AIRFLOW__LOGGING__REMOTE_LOGGING": "True",
}


@pytest.fixture(autouse=True)
def database() -> Iterator[None]:
    tables = [Team.__table__, Variable.__table__, Pool.__table__]
    assert settings.engine is not None
    Variable.metadata.create_all(settings.engine, tables=tables)
    yield
    Variable.metadata.drop_all(settings.engine, tables=tables)


@pytest.fixture
def configure(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Configure Airflow for a cluster; `of` goes over the options."""

    def configure(cluster: ServedCluster, **of: Any) -> None:
        values = {
            "namespace": cluster.namespace,
            "in_cluster": "False",
            "config_file": str(cluster.server.kubeconfig),
            "job_queue": "analytics",
            "job_definition": "worker:7",
        }
        for name, value in (WELL | dict(options(**(values | of)))).items():
            monkeypatch.setenv(name, value)

    return configure


@pytest.fixture
def claims(cluster: ServedCluster) -> KubeClaims:
    return KubeClaims(cluster.settings(), KubeApi(cluster.settings()))


def ran(capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """Run preflight: its exit code and what it printed."""
    try:
        preflight(Namespace())
        code = 0
    except SystemExit as end:
        code = int(str(end.code))
    return code, capsys.readouterr().out


def test_preflight_finds_nothing_where_all_is_well(
    cluster: ServedCluster, configure: Any, capsys: pytest.CaptureFixture[str], claims: KubeClaims
) -> None:
    configure(cluster)

    until(lambda: ran(capsys)[0] == 0)  # a new CRD's schema is published some seconds late

    assert ran(capsys) == (0, "no problem found\n")
    assert claims.read() is None


def test_preflight_names_all_that_is_wrong(
    cluster: ServedCluster, configure: Any, capsys: pytest.CaptureFixture[str], claims: KubeClaims
) -> None:
    claims.create(THEIRS)
    queues = {"gpu": {"job_queue": "gpu", "submit_job_kwargs": {"arrayProperties": {"size": 3}}}}
    configure(cluster, queues=queues, job_definition="", job_definitio="worker:7")

    code, text = ran(capsys)

    assert code == 1
    assert "problem: no jobDefinition for Airflow's queue 'default'" in text
    assert "problem: no jobDefinition for Airflow's queue 'gpu'" in text
    assert "problem: instance 'airflow' in namespace" in text
    assert "https://b.example" in text
    assert "job_definitio is no option, so it has no effect: is job_definition meant?" in text


@pytest.mark.envtest
def test_preflight_names_each_missing_right(
    envtest_server: ApiServer,
    namespace: str,
    configure: Any,
    capsys: pytest.CaptureFixture[str],
) -> None:
    cluster = ServedCluster(envtest_server, namespace)
    accounts = f"/api/v1/namespaces/{namespace}/serviceaccounts"
    envtest_server.request("POST", accounts, {"metadata": {"name": "nobody"}})
    kubeconfig = envtest_server.kubeconfig_for_service_account(namespace, "nobody")
    rules = [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "create"]}]
    rbac = "rbac.authorization.k8s.io"
    folder = f"/apis/{rbac}/v1/namespaces/{namespace}"
    envtest_server.request(
        "POST", f"{folder}/roles", {"metadata": {"name": "some"}, "rules": rules}
    )
    binding = {
        "metadata": {"name": "some"},
        "roleRef": {"apiGroup": rbac, "kind": "Role", "name": "some"},
        "subjects": [{"kind": "ServiceAccount", "name": "nobody", "namespace": namespace}],
    }
    envtest_server.request("POST", f"{folder}/rolebindings", binding)
    configure(cluster, config_file=str(kubeconfig))

    def told() -> str:
        return next((line for line in ran(capsys)[1].splitlines() if "may not" in line), "")

    until(lambda: "get configmaps" not in told() and told())  # the grant takes a moment

    assert "create batchtasks.batchtask.dev, get batchtasks.batchtask.dev" in told()
    assert "create secrets, patch secrets, patch configmaps" in told()


def test_preflight_warns_and_reminds_of_what_the_configuration_shows(
    cluster: ServedCluster,
    configure: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure(cluster, submit_job_kwargs={"job_name": "x"})
    monkeypatch.setenv("AIRFLOW__LOGGING__REMOTE_LOGGING", "False")
    monkeypatch.setenv("AIRFLOW__CORE__PARALLELISM", "32")
    with create_session() as session:
        session.add(Pool(pool="default_pool", slots=128, include_deferred=False))

    until(lambda: ran(capsys)[0] == 0)
    lines = ran(capsys)[1].splitlines()

    assert [line[:40] for line in lines] == [
        "warning: [batchtask_executor] submit_job",
        "warning: [logging] remote_logging is off",
        "note: [core] parallelism is Airflow's de",
        "note: the pool default_pool has Airflow'",
        "no problem found",
    ]


def test_claim_takes_over_and_then_has_nothing_to_do(
    cluster: ServedCluster, configure: Any, capsys: pytest.CaptureFixture[str], claims: KubeClaims
) -> None:
    claims.create(THEIRS)
    configure(cluster)

    claim(Namespace(yes=True))
    held = claims.read()
    claim(Namespace(yes=True))

    assert held is not None
    assert held.airflow != THEIRS.airflow
    assert claims.read() == held
    out = capsys.readouterr().out
    assert "is this Airflow's now" in out
    assert "is this Airflow's already" in out


def test_claim_asks_first_and_names_whom_it_takes_it_from(
    cluster: ServedCluster,
    configure: Any,
    monkeypatch: pytest.MonkeyPatch,
    claims: KubeClaims,
) -> None:
    asked: list[str] = []

    def no(prompt: str) -> str:
        asked.append(prompt)
        return "n"

    monkeypatch.setattr("builtins.input", no)
    claims.create(THEIRS)
    configure(cluster)

    with pytest.raises(SystemExit, match="nothing was changed"):
        claim(Namespace(yes=False))

    assert "of https://b.example, id b, since 2025-01-01T00:00:00Z" in asked[0]
    assert claims.read() == THEIRS


def test_airflows_own_command_line_has_them(tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "AIRFLOW_HOME": str(tmp_path),
        "AIRFLOW__AWS_BATCH_EXECUTOR__JOB_QUEUE": "analytics",
    }

    done = subprocess.run(
        [sys.executable, "-m", "airflow", "batchtask", "migrate-config"],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )

    assert "[batchtask_executor]\njob_queue = analytics\n" in done.stdout
