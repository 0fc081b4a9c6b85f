"""`airflow batchtask migrate-config`."""

from batchtask_executor.checks.advice import OLD_SECTION
from batchtask_executor.checks.migrate import OLD_OPTIONS, migrated
from batchtask_executor.cli.configuration import option, say, section


def migrate_config(args: object) -> None:
    """Print the new section, made from the old one as Airflow reads it now."""
    del args
    for line in migrated(option("core", "executor") or "", section(OLD_SECTION, OLD_OPTIONS)):
        say(line)
