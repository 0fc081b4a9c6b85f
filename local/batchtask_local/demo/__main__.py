"""`python -m batchtask_local.demo`: an Airflow DAG runs on local Batch through BatchTasks."""

import argparse
import contextlib
import signal
import sys
from pathlib import Path
from typing import NoReturn

from rich.console import Console

from batchtask_local.apiserver import ApiServerError, choose
from batchtask_local.demo.airflow import AirflowError
from batchtask_local.demo.expected import DAG_ID, JOBS, STATES
from batchtask_local.demo.progress import Show, label, table
from batchtask_local.demo.run import follow, settle
from batchtask_local.demo.stage import Stage, stage
from batchtask_local.processes import ProcessEndedError


def main() -> int:
    """Run the demonstration.

    Returns:
        0 where every task came to the state that it should; 1 where not; 2 where it can't run;
        130 after Ctrl-C.
    """
    arguments = _arguments()
    signal.signal(signal.SIGTERM, _interrupt)
    show = Show(Console(soft_wrap=not sys.stdout.isatty()))
    api = arguments.api or choose()
    try:
        with stage(api, arguments.context, arguments.directory.resolve(), show) as running:
            wrong = _run(running, show)
            if arguments.keep:
                _keep(running, show)
    except (ApiServerError, AirflowError, ProcessEndedError) as error:
        show.say(f"[red]the demonstration can't go on:[/] {error}")
        show.say(f"the logs of all parts are in {arguments.directory}")
        return 2
    except KeyboardInterrupt:
        show.say("interrupted; everything that was started is stopped")
        return 130
    for line in wrong:
        show.say(f"[red]✗[/] {line}")
    show.say(f"{'[red]failed[/]' if wrong else '[green]done[/]'} after {show.total()}")
    return 1 if wrong else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="make demo",
        description=(
            "Start an API server, local Batch, the controller and Airflow; run an example DAG; "
            "show what came of it; stop everything."
        ),
    )
    parser.add_argument(
        "--api",
        choices=("envtest", "emulator", "kubeconfig"),
        help="envtest: a real kube-apiserver; emulator: a small one in this process; kubeconfig: "
        "a cluster of your own, named by --context. Default: envtest where its binaries are "
        "cached (make apiserver), else the emulator.",
    )
    parser.add_argument("--context", help="context of KUBECONFIG to use with --api kubeconfig")
    parser.add_argument("--keep", action="store_true", help="stay up afterwards, until Ctrl-C")
    parser.add_argument(
        "--directory",
        type=Path,
        default=Path(".demo"),
        help="where logs and databases go; it is emptied first (default: .demo)",
    )
    arguments = parser.parse_args()
    if arguments.api == "kubeconfig" and not arguments.context:
        parser.error(
            "a cluster of your own is used only by name: --context NAME, or "
            "make demo API=kubeconfig CONTEXT=NAME"
        )
    return arguments


def _interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt


def _run(running: Stage, show: Show) -> list[str]:
    """Run the DAG, show what came of it, and say what is not as it should be."""
    with show.phase(f"DAG {DAG_ID}"):
        run_id, state = follow(running, show)
    with show.phase("the last jobs' ends"):
        settle(running)
    instances = running.airflow.task_instances(DAG_ID, run_id)
    submitted = len(running.batch.journal("SubmitJob"))
    show.say("\n[bold]kubectl get batchtasks --namespace airflow-tasks[/]")
    show.plain(running.cluster.table())
    show.say(f"[bold]DAG run {run_id}: {state}[/]")
    show.table(table(instances))
    _where(running, show)
    states = {(one["task_id"], one["map_index"]): one["state"] for one in instances}
    wrong = [
        f"{label(*key)} is {states.get(key)}, not {wanted}"
        for key, wanted in STATES.items()
        if states.get(key) != wanted
    ]
    if submitted != JOBS:
        wrong.append(f"{submitted} jobs were submitted, not {JOBS}")
    return wrong


def _where(running: Stage, show: Show) -> None:
    show.say("\n[bold]where to look[/]")
    show.say(f"  task logs            {running.airflow.home / 'logs'}")
    show.say(f"  job output           {running.home / 'batch' / 'logs'}")
    show.say(f"  controller, Airflow  {running.home / 'logs'}\n")


def _keep(running: Stage, show: Show) -> None:
    show.say(f"[bold]Airflow's UI:[/] {running.airflow.url}")
    show.say(f"[bold]kubectl:[/] export KUBECONFIG={running.cluster.kubeconfig}")
    show.say(f"[bold]AWS Batch:[/] aws --endpoint-url {running.batch.url} batch list-jobs …")
    show.say("Ctrl-C stops it all")
    with contextlib.suppress(KeyboardInterrupt):
        signal.pause()


if __name__ == "__main__":
    sys.exit(main())
