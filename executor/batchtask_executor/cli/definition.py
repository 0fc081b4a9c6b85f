"""The commands under `airflow batchtask`: their definition alone, since every command loads it."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow.cli.cli_config import CLICommand

_COMMANDS = "batchtask_executor.cli"


def get_batchtask_cli_commands() -> "list[CLICommand]":
    """List the commands; that this exists keeps Airflow's CLI from importing the executor."""
    from airflow.cli.cli_config import ActionCommand, Arg, GroupCommand, lazy_load_command

    yes = Arg(  # type: ignore[no-untyped-call]
        ("-y", "--yes"), help="Do not ask for confirmation", action="store_true"
    )
    queue = Arg(  # type: ignore[no-untyped-call]
        ("-q", "--queue"), help="The Airflow queue whose jobs are tried; default: Airflow's own"
    )
    wait = Arg(  # type: ignore[no-untyped-call]
        ("--wait",), help="For how many seconds to follow the job", type=float, default=1800
    )
    migrate = ActionCommand(
        name="migrate-config",
        help="Print the new section, made from that of AwsBatchExecutor",
        func=lazy_load_command(f"{_COMMANDS}.migrate_config.migrate_config"),
        args=(),
    )
    preflight = ActionCommand(
        name="preflight",
        help="Check the options, the cluster, the rights and whose the instance is",
        description="Changes nothing. Its exit code is 1 where a task could not run.",
        func=lazy_load_command(f"{_COMMANDS}.preflight.preflight"),
        args=(),
    )
    claim = ActionCommand(
        name="claim",
        help="Take over the instance from another Airflow, or from this one's earlier database",
        description="The other one, if it still runs, creates and cancels nothing from then on.",
        func=lazy_load_command(f"{_COMMANDS}.claim.claim"),
        args=(yes,),
    )
    probe = ActionCommand(
        name="probe",
        help="Run a job that says whether Airflow's execution API can be reached from it",
        description="Its exit code is 1 where tasks could not start.",
        func=lazy_load_command(f"{_COMMANDS}.probe.probe"),
        args=(queue, wait),
    )
    return [
        GroupCommand(
            name="batchtask",
            help="Run tasks on AWS Batch by BatchTaskExecutor",
            subcommands=(claim, migrate, preflight, probe),
        )
    ]
