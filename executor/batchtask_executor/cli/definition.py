"""The commands under `airflow batchtask`: their definition alone, since every command loads it."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow.cli.cli_config import CLICommand


def get_batchtask_cli_commands() -> "list[CLICommand]":
    """List the commands; that this exists keeps Airflow's CLI from importing the executor."""
    return []
