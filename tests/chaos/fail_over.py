"""How long nothing is written after the leader dies, with the product's own durations."""

import time
from collections.abc import Callable
from pathlib import Path

from batchtask_local.apiserver import ApiServer
from chaos.orders import Orders
from chaos.scenario import PlannedTask, Scenario
from chaos.stage import set_up

WITHIN_SECONDS = 60.0
_TICK = 0.02


def seconds_to_first_patch(server: ApiServer, tasks: int, directory: Path | None = None) -> float:
    """Kill the leader under so many live tasks, and time the standby's first status patch.

    The jobs end a few each second all the while, so that there is something to write.
    """
    unscaled = Orders(scale=1.0, lease_scale=1.0)
    scenario = Scenario(
        name="fail-over",
        seed=0,
        tasks=[
            PlannedTask(f"task-{index}", "one", 0.0, 25 + index * 60 / tasks, 0, True)
            for index in range(tasks)
        ],
        first=unscaled,
        second=unscaled,
        settings={"BATCHTASK_POLL_INTERVAL_SECONDS": "10"},
    )
    with set_up(scenario, server, directory) as stage:
        stage.open()
        leader, standby = stage.controllers
        for task in scenario.tasks:
            stage.create(task)
        _until(lambda: all(task.get("status", {}).get("jobId") for task in stage.tasks()), 0.5)
        leader.send("KILL")
        killed = time.monotonic()
        _until(lambda: standby.said("task went from"), _TICK)
        return time.monotonic() - killed


def _until(condition: Callable[[], bool], tick: float) -> None:
    deadline = time.monotonic() + WITHIN_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {WITHIN_SECONDS:.0f} s")
        time.sleep(tick)
