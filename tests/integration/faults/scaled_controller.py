"""The controller with its long durations shortened: an entry point of the tests' own."""

import asyncio
import os
import sys
from dataclasses import replace

from pydantic_settings import CliApp

from batchtask_controller import logs
from batchtask_controller.aws import AwsBatch
from batchtask_controller.clock import SystemClock
from batchtask_controller.config import Settings
from batchtask_controller.serve import serve
from batchtask_controller.timings import Timings

FACTOR = "FAULTS_TIME_FACTOR"


def scaled(factor: float) -> Timings:
    """All durations but the Lease's times a factor: a busy machine must not cost the lead."""
    product = Timings()
    return replace(
        product.scaled(factor),
        lease_duration=product.lease_duration,
        renew_deadline=product.renew_deadline,
        lease_retry=product.lease_retry,
    )


def main() -> int:
    """Serve until SIGTERM."""
    settings = CliApp.run(Settings)
    logs.configure(settings.log_format, settings.log_level)
    timings = scaled(float(os.environ[FACTOR]))
    batch = AwsBatch(settings.aws_region, settings.aws_endpoint_url, timings.call_timeout)
    asyncio.run(serve(settings, {settings.home: batch}, SystemClock(), timings))
    return 0


if __name__ == "__main__":
    sys.exit(main())
