import logging
from typing import Any

import pytest

from batchtask_executor.backoff import Backoff
from batchtask_executor.checks.checkup import Checkup
from batchtask_executor.cluster.tasks import Unavailable
from batchtask_executor.config import Settings
from fakes.premises import FakePremises

QUICK = Backoff(first_seconds=0.001, most_seconds=0.002)


def done(premises: FakePremises) -> None:
    checkup = Checkup(premises, Settings(), backoff=QUICK)
    checkup.start()
    checkup.join(10)


def test_all_that_is_wrong_is_logged_from_a_thread(caplog: pytest.LogCaptureFixture) -> None:
    done(FakePremises(kind=None, namespace_is_there=False))

    assert [each.levelno for each in caplog.records] == [logging.ERROR] * 2
    assert all(each.threadName == "batchtask-checkup" for each in caplog.records)


def test_where_all_is_well_nothing_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    done(FakePremises())

    assert not caplog.records


def test_an_answer_that_comes_late_is_waited_for(caplog: pytest.LogCaptureFixture) -> None:
    class Late(FakePremises):
        asked = 0

        def _arrive(self) -> None:
            self.asked += 1
            if self.asked < 4:
                raise Unavailable("their schema isn't published yet")

    done(Late(kind=None))

    (record,) = caplog.records
    assert "install the CRD" in record.getMessage()


def test_one_that_never_comes_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    done(FakePremises(down=Unavailable("no answer from https://x")))

    (record,) = caplog.records
    assert record.getMessage() == (
        "Health check: the cluster can't be examined: no answer from https://x"
    )


def test_a_bug_is_logged_and_ends_it(caplog: pytest.LogCaptureFixture) -> None:
    class Odd(FakePremises):
        def may(self, right: Any) -> bool:
            raise KeyError(right)

    done(Odd())

    assert "A bug stopped the health check" in caplog.text


def test_it_stops_when_it_is_told_to() -> None:
    checkup = Checkup(FakePremises(down=Unavailable("down")), Settings(), backoff=Backoff(60, 60))
    checkup.start()

    checkup.stop()
    checkup.join(10)

    assert not checkup._thread.is_alive()
