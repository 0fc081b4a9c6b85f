"""`airflow batchtask claim`."""

import sys
from argparse import Namespace
from datetime import UTC, datetime

from batchtask_executor.claim.claimant import airflow_claimant
from batchtask_executor.cli.configuration import say, settings_or_exit
from batchtask_executor.cluster.tasks import TasksError


def claim(args: Namespace) -> None:
    """Take the instance over, once a person has seen from whom."""
    settings = settings_or_exit()
    claimant = airflow_claimant(settings)
    called = f"instance {settings.instance!r} in namespace {settings.namespace}"
    try:
        held = claimant.claims.read()
        ours = claimant.claim(datetime.now(UTC))
        if held is not None and held.airflow == ours.airflow:
            say(f"{called} is this Airflow's already")
            return
        whose = f"of {held.by}, id {held.airflow}, since {held.at}" if held else "of nobody"
        if not args.yes and input(f"Take over {called}, {whose}? (y/N) ").lower() != "y":
            sys.exit("nothing was changed")
        claimant.claims.take_over(ours)
    except TasksError as error:
        sys.exit(str(error))
    say(f"{called} is this Airflow's now; its scheduler sees that within a minute")
