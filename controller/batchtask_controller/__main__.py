"""`python -m batchtask_controller`: read the settings, then serve; or run one of the commands."""

import asyncio
import logging
import os
import sys

import pydantic
from pydantic_settings import CliApp, SettingsError

from batchtask_api.addresses import without_login
from batchtask_controller import logs
from batchtask_controller.clients import clients
from batchtask_controller.clock import SystemClock
from batchtask_controller.commands import COMMANDS
from batchtask_controller.config import Settings, complaints, unread
from batchtask_controller.serve import serve
from batchtask_controller.timings import Timings

log = logging.getLogger(__name__)


def main() -> int:
    """Serve until SIGTERM, or run the command that stands first.

    Returns:
        0 after a clean stop; 2 where the settings are wrong; what the command returns.
    """
    words = sys.argv[1:]
    if words and (command := COMMANDS.get(words[0])):
        return command(words[1:])
    try:
        settings = CliApp.run(Settings)
    except pydantic.ValidationError as error:
        for wrong in complaints(error):
            print(wrong, file=sys.stderr)  # noqa: T201 - as below
        return 2
    except SettingsError as error:
        print(error, file=sys.stderr)  # noqa: T201 - the logs are not set up yet
        return 2
    logs.configure(settings.log_format, settings.log_level)
    for warning in unread(os.environ):
        log.warning("%s", warning)
    timings = Timings()
    try:
        with clients(settings, timings) as batches:
            asyncio.run(serve(settings, batches, SystemClock(), timings))
    except (ValueError, OSError) as error:
        log.critical("%s", without_login(str(error)))
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
