import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import SecretStr

from batchtask_api import AirflowIdentity
from batchtask_executor.backoff import Backoff
from batchtask_executor.cluster.manifest import Identity, batch_task, external_id_from
from batchtask_executor.cluster.orders import (
    Delayed,
    Draft,
    Order,
    Rejected,
    Renamed,
    Report,
    Written,
)
from batchtask_executor.cluster.tasks import (
    Conflict,
    Forbidden,
    Gone,
    NotInstalled,
    Refused,
    TasksError,
    Unavailable,
)
from batchtask_executor.cluster.writer import TOKEN_TRIES, Writer
from batchtask_executor.jobs.job import BadJob, Job
from batchtask_executor.jobs.tokens import MintedWorkload, NoToken, Queuing
from fakes.awaiting import until
from fakes.tasks import FakeBatchTasks

QUICK = Backoff(first_seconds=0.01, most_seconds=0.02)
AIRFLOW = AirflowIdentity(dag_id="etl", task_id="load", run_id="r", try_number=1)
TOP_SECRET = '{"token": "eyJ.top.secret"}'
TROUBLES = [
    Unavailable("no answer"),
    Unavailable("a hiccup", is_general=False),
    Conflict("at the same moment"),
    Forbidden("no right"),
    NotInstalled("no CRD"),
    Gone("too large resource version"),
]


def a_workload() -> MintedWorkload:
    return MintedWorkload(SecretStr(TOP_SECRET), datetime.now(UTC))


def an_order(
    number: int = 1,
    *,
    queuing: str = "q",
    priority: int = 0,
    bad: Any = None,
    mint: Callable[[], MintedWorkload] = a_workload,
) -> Order:
    def draft(identity: Identity) -> Draft:
        if bad:
            raise bad
        job = Job({"jobQueue": "q", "jobDefinition": "d"})
        task = batch_task(identity, job, namespace="tasks", instance="airflow", priority=priority)
        return Draft(task, mint)

    return Order(Identity(an_id(number), Queuing(queuing), AIRFLOW), priority, draft)


def an_id(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012}"


def name_of(number: int) -> str:
    return f"bt-{an_id(number)}"


@pytest.fixture
def writer(cluster: FakeBatchTasks) -> Iterator[Writer]:
    writer = Writer(cluster, backoff=QUICK, threads=3)
    yield writer
    writer.stop()
    writer.join(5)


def reports_of(writer: Writer, count: int) -> list[Report]:
    found: list[Report] = []

    def enough() -> bool:
        found.extend(writer.drain())
        return len(found) >= count

    until(enough)
    return found


def test_a_task_is_created_and_then_its_workload(writer: Writer, cluster: FakeBatchTasks) -> None:
    writer.start()

    writer.submit([an_order()])

    assert reports_of(writer, 1) == [Written(name_of(1))]
    secret = cluster.secrets[name_of(1)]
    assert secret.content.get_secret_value() == TOP_SECRET
    assert secret.owner.uid == cluster.objects[name_of(1)].metadata.uid
    assert cluster.requests == {"create": 1, "put_workload": 1}


def test_the_highest_priority_is_written_first(cluster: FakeBatchTasks) -> None:
    writer = Writer(cluster, backoff=QUICK, threads=1)
    writer.submit([an_order(number, priority=number) for number in (2, 3, 1)])
    writer.start()

    reports_of(writer, 3)

    assert list(cluster.objects) == [name_of(3), name_of(2), name_of(1)]
    writer.stop()


@pytest.mark.parametrize("error", TROUBLES)
@pytest.mark.parametrize("operation", ["create", "put_workload"])
def test_trouble_is_waited_out(
    writer: Writer, cluster: FakeBatchTasks, error: TasksError, operation: str
) -> None:
    cluster.fail_next[operation] = [error, error]
    writer.start()

    writer.submit([an_order()])

    until(lambda: name_of(1) in cluster.secrets)
    assert reports_of(writer, 1)[-1] == Written(name_of(1))
    assert list(cluster.objects) == [name_of(1)]


@pytest.mark.parametrize("error", TROUBLES)
def test_trouble_that_lasts_is_reported_once(
    writer: Writer, cluster: FakeBatchTasks, error: TasksError
) -> None:
    cluster.down = error
    writer.start()
    writer.submit([an_order()])
    until(lambda: cluster.requests["create"] > 5)

    cluster.down = None

    assert reports_of(writer, 2) == [Delayed(name_of(1), str(error)), Written(name_of(1))]


class Key:
    """A signing key that can be read, or can't, one try after the other; and can from then on."""

    def __init__(self, *is_readable: bool) -> None:
        self.tries = 0
        self._is_readable = is_readable

    def mint(self) -> MintedWorkload:
        self.tries += 1
        if self.tries <= len(self._is_readable) and not self._is_readable[self.tries - 1]:
            raise NoToken("the key can't be read")
        return a_workload()


def test_a_key_that_cannot_be_read_for_a_while_is_waited_for(
    writer: Writer, cluster: FakeBatchTasks
) -> None:
    key = Key(*[False] * (TOKEN_TRIES - 1))
    writer.start()

    writer.submit([an_order(1, mint=key.mint), an_order(2)])

    first, second, third = reports_of(writer, 3)
    assert {first, second} == {
        Written(name_of(2)),
        Delayed(name_of(1), "the key can't be read"),
    }
    assert third == Written(name_of(1))
    assert set(cluster.secrets) == {name_of(1), name_of(2)}


def test_a_key_that_cannot_be_read_for_long_fails_the_task_before_it_is_created(
    writer: Writer, cluster: FakeBatchTasks
) -> None:
    key = Key(*[False] * TOKEN_TRIES)
    writer.start()

    writer.submit([an_order(mint=key.mint)])

    assert reports_of(writer, 2)[-1] == Rejected(name_of(1), "the key can't be read")
    assert key.tries == TOKEN_TRIES
    assert not cluster.requests


def test_only_tries_in_a_row_without_a_token_count(writer: Writer, cluster: FakeBatchTasks) -> None:
    almost = [False] * (TOKEN_TRIES - 1)
    key = Key(*almost, True, *almost)
    cluster.fail_next["create"] = [Forbidden("no room")]
    writer.start()

    writer.submit([an_order(mint=key.mint)])

    until(lambda: name_of(1) in cluster.secrets)
    assert key.tries == 2 * TOKEN_TRIES


def test_a_lost_reply_makes_no_second_task(writer: Writer, cluster: FakeBatchTasks) -> None:
    cluster.lose_next["create"] = [Unavailable("no answer in time")]
    writer.start()

    writer.submit([an_order()])

    assert reports_of(writer, 1) == [Written(name_of(1))]
    assert list(cluster.objects) == [name_of(1)]
    assert name_of(1) in cluster.secrets


def test_the_name_of_an_earlier_queuing_is_not_taken_for_ones_own(
    writer: Writer, cluster: FakeBatchTasks
) -> None:
    earlier = an_order(queuing="an earlier one")
    cluster.create(earlier.draft(earlier.identity).task)
    writer.start()

    writer.submit([an_order(queuing="this one")])

    new = f"bt-{external_id_from('this one')}"
    assert reports_of(writer, 2) == [Renamed(name_of(1), new), Written(new)]
    assert list(cluster.objects) == [name_of(1), new]
    assert list(cluster.secrets) == [new]


def test_a_name_that_can_only_be_ours_and_is_not_is_rejected(
    writer: Writer, cluster: FakeBatchTasks
) -> None:
    queuing = an_id(1).replace("-", "")
    other = an_order(queuing="of somebody else")
    cluster.create(other.draft(other.identity).task)
    writer.start()

    writer.submit([an_order(queuing=queuing)])

    (report,) = reports_of(writer, 1)
    assert isinstance(report, Rejected)
    assert "is there already, and not of this queuing" in report.message


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (BadJob("executor_config.x is unknown"), "executor_config.x"),
        (TypeError("odd"), "TypeError"),
    ],
)
def test_a_bad_order_fails_alone(
    writer: Writer, cluster: FakeBatchTasks, error: Exception, words: str
) -> None:
    writer.start()

    writer.submit([an_order(1, bad=error), an_order(2)])

    first, second = sorted(reports_of(writer, 2), key=lambda report: report.name)
    assert isinstance(first, Rejected)
    assert words in first.message
    assert second == Written(name_of(2))
    assert list(cluster.objects) == [name_of(2)]


def test_what_the_api_server_never_takes_is_rejected_with_its_words(
    writer: Writer, cluster: FakeBatchTasks
) -> None:
    cluster.fail_next["create"] = [Refused("spec.job.jobQueue: Required value")]
    writer.start()

    writer.submit([an_order()])

    assert reports_of(writer, 1) == [Rejected(name_of(1), "spec.job.jobQueue: Required value")]


def test_a_task_whose_workload_is_refused_is_cancelled(
    writer: Writer, cluster: FakeBatchTasks
) -> None:
    cluster.fail_next["put_workload"] = [Refused("too large")]
    writer.start()

    writer.submit([an_order()])

    assert reports_of(writer, 1) == [Rejected(name_of(1), "too large")]
    until(lambda: cluster.objects[name_of(1)].spec.cancel)


def test_a_cancelled_order_is_never_written(writer: Writer, cluster: FakeBatchTasks) -> None:
    writer.submit([an_order(1), an_order(2)])
    writer.cancel(name_of(1))
    writer.start()

    assert reports_of(writer, 1) == [Written(name_of(2))]
    assert list(cluster.objects) == [name_of(2)]
    assert cluster.requests["cancel"] == 0


def test_an_order_cancelled_while_it_is_created_is_cancelled_there(
    writer: Writer, cluster: FakeBatchTasks
) -> None:
    cluster.latency_seconds = 0.05
    writer.start()
    writer.submit([an_order()])
    until(lambda: cluster.requests["create"])

    writer.cancel(name_of(1))

    until(lambda: name_of(1) in cluster.objects and cluster.objects[name_of(1)].spec.cancel)
    assert not cluster.secrets


def test_an_order_cancelled_while_its_workload_is_made_is_never_created(
    writer: Writer, cluster: FakeBatchTasks
) -> None:
    def mint() -> MintedWorkload:
        writer.cancel(name_of(1))
        return a_workload()

    writer.start()

    writer.submit([an_order(1, mint=mint)])

    until(lambda: not writer._open)
    assert not cluster.requests


def test_an_order_cancelled_while_its_reply_is_lost_is_cancelled_there(
    cluster: FakeBatchTasks,
) -> None:
    cluster.lose_next["create"] = [Unavailable("no answer in time", is_general=False)]
    writer = Writer(cluster, backoff=Backoff(first_seconds=0.3, most_seconds=0.3), threads=1)
    writer.start()
    writer.submit([an_order()])
    until(lambda: name_of(1) in cluster.objects)

    writer.cancel(name_of(1))

    until(lambda: cluster.objects[name_of(1)].spec.cancel)
    assert cluster.requests["create"] == 1
    assert not cluster.secrets
    writer.stop()
    writer.join(5)


def test_a_cancelled_order_without_an_answer_leaves_an_earlier_queuings_task_alone(
    cluster: FakeBatchTasks,
) -> None:
    earlier = an_order(queuing="an earlier one")
    cluster.create(earlier.draft(earlier.identity).task)
    cluster.fail_next["create"] = [Unavailable("no answer in time", is_general=False)]
    writer = Writer(cluster, backoff=Backoff(first_seconds=0.3, most_seconds=0.3), threads=1)
    writer.start()
    writer.submit([an_order(queuing="this one")])
    until(lambda: cluster.requests["create"] == 2)

    writer.cancel(name_of(1))

    until(lambda: not writer._open)
    assert cluster.requests["get"] == 1
    assert not cluster.requests["cancel"]
    assert not cluster.objects[name_of(1)].spec.cancel
    writer.stop()
    writer.join(5)


def test_a_cancelled_order_for_a_task_that_is_there_cancels_the_task(
    writer: Writer, cluster: FakeBatchTasks
) -> None:
    """Else its job would start with the workload that was to be replaced."""
    order = an_order()
    cluster.create(order.draft(order.identity).task)
    writer.submit([replace(order, is_there=True)])

    writer.cancel(name_of(1))
    writer.start()

    until(lambda: cluster.objects[name_of(1)].spec.cancel)
    assert not cluster.secrets


def test_a_cancel_that_waits_is_not_asked_for_again(
    writer: Writer, cluster: FakeBatchTasks
) -> None:
    """The tracker asks again and again while a right is missing."""
    order = an_order()
    cluster.create(order.draft(order.identity).task)
    for _ in range(100):
        writer.cancel(name_of(1))
    writer.start()
    until(lambda: cluster.objects[name_of(1)].spec.cancel)
    writer.submit([an_order(2)])
    reports_of(writer, 1)

    assert cluster.requests["cancel"] == 1
    writer.cancel(name_of(1))
    until(lambda: cluster.requests["cancel"] == 2)


def test_an_order_cancelled_under_its_old_name_is_cancelled_under_the_new_one(
    writer: Writer, cluster: FakeBatchTasks
) -> None:
    earlier = an_order(queuing="an earlier one")
    cluster.create(earlier.draft(earlier.identity).task)
    new = f"bt-{external_id_from('this one')}"
    hold = [Unavailable("a hiccup", is_general=False)] * 30
    cluster.fail_next["put_workload"] = list(hold)
    writer.start()
    writer.submit([an_order(queuing="this one")])
    until(lambda: cluster.requests["put_workload"] > 1)

    writer.cancel(name_of(1))

    until(lambda: cluster.objects[new].spec.cancel)
    assert not cluster.objects[name_of(1)].spec.cancel


@pytest.mark.parametrize("error", TROUBLES)
def test_a_cancel_is_tried_until_it_is_taken(
    writer: Writer, cluster: FakeBatchTasks, error: TasksError
) -> None:
    order = an_order()
    cluster.create(order.draft(order.identity).task)
    cluster.fail_next["cancel"] = [error, error]
    writer.start()

    writer.cancel(name_of(1))

    until(lambda: cluster.objects[name_of(1)].spec.cancel)


def test_an_outage_holds_all_back_with_few_requests(
    writer: Writer, cluster: FakeBatchTasks
) -> None:
    cluster.down = Unavailable("can't reach it")
    slow = Writer(cluster, backoff=Backoff(first_seconds=0.2, most_seconds=0.2), threads=3)
    slow.submit([an_order(number) for number in range(200)])
    slow.start()
    until(lambda: cluster.requests["create"] >= 1)
    cluster.down = None

    reports_of(slow, 200)

    assert cluster.requests["create"] <= 200 + 2 * 3
    slow.stop()


def test_an_item_that_waits_alone_does_not_fill_the_log(
    writer: Writer, cluster: FakeBatchTasks, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    refused = Forbidden("no room for this one")
    cluster.fail_next["put_workload"] = [refused] * 15
    writer.start()

    writer.submit([an_order(number) for number in range(40)])
    until(lambda: len(cluster.secrets) == 40)

    assert caplog.text.count("no room for this one") == 1
    assert "takes requests again" not in caplog.text


def test_no_secret_reaches_the_log(
    writer: Writer, cluster: FakeBatchTasks, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    cluster.fail_next["put_workload"] = [RuntimeError("a bug"), Refused("no")]
    writer.start()

    writer.submit([an_order(1), an_order(2), an_order(3)])
    reports_of(writer, 3)

    assert "a bug" in caplog.text
    assert "top.secret" not in caplog.text


def test_it_stops_at_once(cluster: FakeBatchTasks) -> None:
    before = threading.active_count()
    cluster.down = Unavailable("can't reach it")
    writer = Writer(cluster, backoff=Backoff(first_seconds=600, most_seconds=600), threads=3)
    writer.start()
    writer.submit([an_order(number) for number in range(10)])
    until(lambda: cluster.requests["create"])

    writer.stop()
    writer.join(5)

    assert threading.active_count() == before
