"""AWS Batch of each account and region that the settings name."""

import contextlib
from collections.abc import Iterator, Mapping

from batchtask_controller.aws import AwsBatch
from batchtask_controller.config import Settings
from batchtask_controller.places import Account
from batchtask_controller.timings import Timings


@contextlib.contextmanager
def clients(settings: Settings, timings: Timings) -> Iterator[Mapping[Account, AwsBatch]]:
    """Make a client of each, and close them at the end; nothing is asked yet.

    Raises:
        ValueError: no region is known, or AWS's own settings are wrong.
    """
    with contextlib.ExitStack() as stack:
        yield {
            account: stack.enter_context(contextlib.closing(_client(account, settings, timings)))
            for account in {settings.home, *settings.account_of.values()}
        }


def _client(account: Account, settings: Settings, timings: Timings) -> AwsBatch:
    return AwsBatch(
        account.region,
        account.endpoint_url,
        timings.call_timeout,
        settings.log_group,
        account.role_arn,
    )
