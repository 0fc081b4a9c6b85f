"""What a DAG uses is found out by looking at its tasks."""

import datetime
from collections.abc import Iterator

import pytest
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.providers.standard.operators.latest_only import LatestOnlyOperator
from airflow.providers.standard.operators.python import BranchPythonOperator, ShortCircuitOperator
from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.providers.standard.sensors.external_task import ExternalTaskSensor
from airflow.providers.standard.sensors.time_delta import TimeDeltaSensor
from airflow.sdk import DAG, Asset, TriggerRule, setup, task, task_group

from matrix import features as of
from matrix.example import Feature


@pytest.fixture
def dag() -> Iterator[DAG]:
    with DAG("dag", schedule=None) as dag:
        yield dag


@task
def one(number: int = 1) -> int:
    return number


@task
def failing() -> None:
    raise RuntimeError


@setup
def before() -> None:
    """Set something up."""


def test_a_plain_task_uses_nothing(dag: DAG) -> None:
    one()

    assert of.features(dag) == set()


def test_a_mapped_task_and_xcom(dag: DAG) -> None:
    one.expand(number=one.override(task_id="numbers")())

    assert of.features(dag) == {Feature.MAPPED, Feature.XCOM}
    assert of.task_count(dag) == 2


def test_a_mapped_task_counts_what_it_is_mapped_over(dag: DAG) -> None:
    one.expand(number=[1, 2, 3])

    assert of.features(dag) == {Feature.MAPPED}
    assert of.task_count(dag) == 3


def test_a_mapped_group(dag: DAG) -> None:
    @task_group
    def group(number: int) -> None:
        one(number)

    group.expand(number=[1, 2])

    assert of.features(dag) == {Feature.MAPPED_GROUP}
    assert of.task_count(dag) == 2


def test_a_branch(dag: DAG) -> None:
    BranchPythonOperator(task_id="branch", python_callable=str)

    assert of.features(dag) == {Feature.BRANCH}


def test_a_skip(dag: DAG) -> None:
    ShortCircuitOperator(task_id="skip", python_callable=bool)

    assert of.features(dag) == {Feature.SKIP}


def test_latest_only_never_skips_after_a_run_that_is_started_by_hand(dag: DAG) -> None:
    LatestOnlyOperator(task_id="latest")

    assert of.features(dag) == set()


def test_a_trigger_rule(dag: DAG) -> None:
    EmptyOperator(task_id="end", trigger_rule=TriggerRule.ALL_DONE)

    assert of.features(dag) == {Feature.TRIGGER_RULE}


def test_a_setup_and_a_teardown(dag: DAG) -> None:
    begun = before()
    begun >> one().as_teardown(setups=begun)

    assert of.features(dag) == {Feature.SETUP_TEARDOWN}


def test_a_sensor_that_is_rescheduled_or_deferred(dag: DAG) -> None:
    delta = datetime.timedelta(seconds=1)
    TimeDeltaSensor(task_id="rescheduled", delta=delta, mode="reschedule")
    TimeDeltaSensor(task_id="deferred", delta=delta, deferrable=True)

    assert of.features(dag) == {Feature.RESCHEDULE, Feature.DEFERRABLE}


def test_retries_of_a_task_that_fails(dag: DAG) -> None:
    failing.override(retries=1)()

    assert of.features(dag) == {Feature.RETRIES}


def test_retries_of_a_task_that_cannot_fail_show_nothing(dag: DAG) -> None:
    one.override(retries=1)()

    assert of.features(dag) == set()


def test_params() -> None:
    dag = DAG("dag", schedule=None, params={"x": 1})

    assert of.features(dag) == {Feature.PARAMS}


def test_assets(dag: DAG) -> None:
    one.override(outlets=[Asset("a")])()

    assert of.features(dag) == {Feature.ASSETS}
    assert not of.consumes_assets(dag)


def test_a_dag_that_assets_schedule_consumes_them() -> None:
    assert of.consumes_assets(DAG("dag", schedule=[Asset("a")]))


def test_another_dags_run(dag: DAG) -> None:
    TriggerDagRunOperator(task_id="start", trigger_dag_id="started")
    ExternalTaskSensor(task_id="wait", external_dag_id="awaited")

    assert of.features(dag) == {Feature.OTHER_DAG}
    assert of.started_dags(dag) == {"started"}
    assert of.awaited_dags(dag) == {"started", "awaited"}
