import threading
import time

from batchtask_executor.cluster.work_queue import WorkQueue
from fakes.awaiting import until


def test_the_highest_priority_comes_first_and_the_oldest_of_it() -> None:
    queue: WorkQueue[str] = WorkQueue()
    queue.put_all([("low", 1), ("high", 9), ("high too", 9)])
    queue.put("highest", 10)

    assert [queue.get() for _ in range(4)] == ["highest", "high", "high too", "low"]


def test_an_item_comes_when_it_is_due() -> None:
    queue: WorkQueue[str] = WorkQueue()
    started = time.monotonic()
    queue.put("later", 9, delay_seconds=0.05)
    queue.put("now", 1)

    assert queue.get() == "now"
    assert queue.get() == "later"
    assert time.monotonic() - started >= 0.05


def test_a_pause_holds_everything_back() -> None:
    queue: WorkQueue[str] = WorkQueue()
    queue.put("item", 1)
    started = time.monotonic()
    queue.pause(0.05)
    queue.pause(0.01)

    assert queue.get() == "item"
    assert time.monotonic() - started >= 0.05


def test_who_waits_gets_what_comes() -> None:
    queue: WorkQueue[str] = WorkQueue()
    got: list[str | None] = []
    thread = threading.Thread(target=lambda: got.append(queue.get()))
    thread.start()

    queue.put("item", 1)

    until(lambda: got == ["item"])
    thread.join()


def test_a_closed_queue_lets_everybody_go() -> None:
    queue: WorkQueue[str] = WorkQueue()
    got: list[str | None] = []
    threads = [threading.Thread(target=lambda: got.append(queue.get())) for _ in range(3)]
    for thread in threads:
        thread.start()

    queue.close()

    for thread in threads:
        thread.join(5)
    assert got == [None, None, None]
    queue.put("item", 1)
    assert queue.get() is None
