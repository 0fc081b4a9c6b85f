"""Airflow's configuration as the commands read it."""

import os
import sys
from collections.abc import Iterable

from airflow.configuration import conf
from airflow.exceptions import AirflowConfigException

from batchtask_executor.config import SECTION, Settings, SettingsError


def option(section: str, name: str) -> str | None:
    """An option's value as it holds now, environment and defaults included."""
    value: str | None = conf.get(section, name, fallback=None)
    return value


def listed(name: str) -> Iterable[str]:
    """The options that stand in a section, known or not, in a file or in the environment."""
    prefix = f"AIRFLOW__{name.upper()}__"
    # Airflow 3.2 lists no section that only the environment has.
    given = {each.removeprefix(prefix).lower() for each in os.environ if each.startswith(prefix)}
    try:
        return given | set(conf.getsection(name) or ())
    except AirflowConfigException:
        return given  # a value of another type than its option has, which reading it says


def section(name: str, known: Iterable[str]) -> dict[str, str]:
    """A section's options as they hold now; Airflow lists none where only the environment has it.

    Args:
        name: of the section.
        known: options to look for beside those that Airflow lists.
    """
    found = {each: option(name, each) for each in (*known, *listed(name))}
    return {each: value for each, value in found.items() if value}


def settings_or_exit() -> Settings:
    """The executor's settings; end the command where they can't be used."""
    try:
        return Settings.read(lambda name: option(SECTION, name))
    except SettingsError as error:
        sys.exit(str(error))


def say(line: str) -> None:
    """Print a line."""
    sys.stdout.write(f"{line}\n")
