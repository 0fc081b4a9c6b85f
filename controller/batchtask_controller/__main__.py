"""`python -m batchtask_controller`: read the settings, then serve; or run one of the commands."""

import asyncio
import contextlib
import logging
import os
import sys

import pydantic
from pydantic_core import ErrorDetails
from pydantic_settings import CliApp, SettingsError

from batchtask_api.addresses import without_login
from batchtask_controller import logs
from batchtask_controller.aws import AwsBatch
from batchtask_controller.clock import SystemClock
from batchtask_controller.commands import COMMANDS
from batchtask_controller.config import PREFIX, Settings, unread
from batchtask_controller.places import Account
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
        for wrong in error.errors(include_url=False):
            print(_complaint(wrong), file=sys.stderr)  # noqa: T201 - as below
        return 2
    except SettingsError as error:
        print(error, file=sys.stderr)  # noqa: T201 - the logs are not set up yet
        return 2
    logs.configure(settings.log_format, settings.log_level)
    for warning in unread(os.environ):
        log.warning("%s", warning)
    timings = Timings()
    try:
        with contextlib.ExitStack() as stack:
            batches = {
                account: stack.enter_context(contextlib.closing(_batch(account, settings, timings)))
                for account in {settings.home, *settings.account_of.values()}
            }
            asyncio.run(serve(settings, batches, SystemClock(), timings))
    except (ValueError, OSError) as error:
        log.critical("%s", without_login(str(error)))
        return 2
    return 0


def _complaint(wrong: ErrorDetails) -> str:
    """Say which option is wrong, why, and what it is for."""
    option, *path = map(str, wrong["loc"])
    about = Settings.model_fields[option].description
    message = wrong["msg"].removeprefix("Value error, ")
    return ": ".join([PREFIX + option.upper(), *path, message]) + f" ({about})"


def _batch(account: Account, settings: Settings, timings: Timings) -> AwsBatch:
    return AwsBatch(
        account.region,
        account.endpoint_url,
        timings.call_timeout,
        settings.log_group,
        account.role_arn,
    )


if __name__ == "__main__":
    sys.exit(main())
