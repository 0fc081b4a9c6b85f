"""Starts local Batch from the command line, and switches the faults of one that runs."""

import argparse
import asyncio
import json
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import aiohttp

from batchtask_local.batch import options
from batchtask_local.batch.errors import ApiError
from batchtask_local.batch.faults import Faults
from batchtask_local.batch.service import LocalBatch, LocalBatchConfig

DESCRIPTION = """\
Local Batch: a server of AWS Batch's API that runs each job's command as a process of this
machine. Clients need nothing but its endpoint URL, a region and any credentials:

  aws --endpoint-url URL batch describe-job-queues
  boto3.client("batch", endpoint_url=URL)

It also answers CloudWatch Logs' GetLogEvents, for the log streams of its jobs."""

RUN = """\
Make one compute environment and job queue for each --queue, register the job definitions, and
serve until SIGTERM or SIGINT. No process of a job remains then, however this process ends.

A job's image is not looked at, but for two: jobs of image local/simulated have no process, and
their command is made of `sleep SECONDS`, `exit CODE`, `print TEXT` and `deaf` (to SIGTERM); the
image local/cannot-pull is never there."""

FAULTS = """\
Without settings, show the faults that are switched on. Settings are words of the form KEY=VALUE:

  latency=0.2                     seconds before every reply
  jitter=0.1                      up to so many seconds more; seed=7 makes them repeat
  throttle=50                     calls a second in all; the rest get TooManyRequestsException
  neighbor=30                     so many of those are used by another client
  retry_after=2                   what a 429's Retry-After header says
  visibility_lag=10               Batch's seconds for which a new job is in no description or list
  expired=true                    every call gets ExpiredTokenException
  denied_queues=a,b               submitting to these gets AccessDeniedException
  error=OPERATION:CODE:STATUS[:TIMES]
                                  calls have no effect and get this error, TIMES times or always;
                                  OPERATION is a name such as SubmitJob, or *
  reply=OUTCOME[:OPERATION[:TIMES[:SECONDS]]]
                                  calls take effect, and their reply is spoiled: drop (the
                                  connection closes), delay (it comes SECONDS late), unreadable,
                                  error (status 500); OPERATION is SubmitJob unless given

`none` takes a value back; --reset switches everything off first."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command that the arguments say, and return the exit code."""
    parsed = _parser().parse_args(arguments)
    try:
        return asyncio.run(_run(parsed) if parsed.command == "run" else _faults(parsed))
    except (ApiError, OSError, ValueError, aiohttp.ClientError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 2


async def _run(parsed: argparse.Namespace) -> int:
    directory = parsed.dir or Path(tempfile.mkdtemp(prefix="local-batch-"))
    config = LocalBatchConfig(
        directory=directory,
        queues=parsed.queue,
        job_definitions=[request for requests in parsed.job_definition for request in requests],
        environment=dict(parsed.env),
        host=parsed.host,
        port=parsed.port,
        region=parsed.region,
        account=parsed.account,
        time_scale=parsed.time_scale,
        faults=options.faults(parsed.fault, Faults()),
    )
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    async with LocalBatch(config) as batch:
        for queue in config.queues:
            _say(f"queue {queue.name}: {queue.vcpus} vCPUs, priority {queue.priority}")
        for definition in config.job_definitions:
            _say(f"job definition {definition['jobDefinitionName']}")
        _say(f"logs and journal: {directory}")
        _say(f"ready: {batch.url}")
        await stopped.wait()
        _say("stopping: killing what still runs")
    _say("stopped")
    return 0


async def _faults(parsed: argparse.Namespace) -> int:
    url = f"{parsed.endpoint.rstrip('/')}/_local/faults"
    async with aiohttp.ClientSession(raise_for_status=_explain) as session:
        async with session.get(url) as reply:
            current = Faults() if parsed.reset else Faults.model_validate(await reply.json())
        if parsed.settings or parsed.reset:
            wanted = options.faults(parsed.settings, current)
            async with session.put(url, data=wanted.model_dump_json()) as reply:
                current = Faults.model_validate(await reply.json())
    _say(json.dumps(current.model_dump(mode="json", exclude_defaults=True), indent=2))
    return 0


async def _explain(reply: aiohttp.ClientResponse) -> None:
    if reply.status >= 400:
        raise ValueError(f"{reply.url} answered {reply.status}: {await reply.text()}")


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m batchtask_local.batch",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True)
    _add_run(commands)
    faults = commands.add_parser(
        "faults",
        help="switch faults of a running local Batch",
        description=FAULTS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    faults.add_argument("--endpoint", required=True, metavar="URL", help="where it listens")
    faults.add_argument("--reset", action="store_true", help="switch everything off first")
    faults.add_argument("settings", nargs="*", metavar="KEY=VALUE", help="see above")
    return parser


def _add_run(commands: Any) -> None:
    run = commands.add_parser(
        "run",
        help="serve until SIGTERM or SIGINT",
        description=RUN,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = run.add_argument
    add("--host", default="127.0.0.1", help="the address to listen on (%(default)s)")
    add("--port", type=int, default=0, help="0, the default, takes any that is free")
    add("--dir", type=Path, help="for logs, the journal and scratch folders; else a new one")
    add(
        "--queue",
        type=options.queue,
        action="append",
        default=[],
        metavar="NAME:VCPUS[:PRIORITY]",
        help="a job queue over an environment of so many vCPUs; repeatable",
    )
    add(
        "--job-definition",
        type=options.job_definitions,
        action="append",
        default=[],
        metavar="FILE.json",
        help="a RegisterJobDefinition request, or a list of them; repeatable",
    )
    add(
        "--env",
        type=options.variable,
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="a variable of every job; repeatable. Nothing else of this environment reaches jobs",
    )
    add("--region", default="us-east-1", help="the region in every ARN (%(default)s)")
    add("--account", default="123456789012", help="the account in every ARN (%(default)s)")
    add(
        "--time-scale",
        type=float,
        default=1.0,
        help="how long a second of Batch's own durations lasts (1); 0.01 makes a minute 0.6 s",
    )
    add(
        "--fault",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="a fault to begin with, as the command `faults` takes it; repeatable",
    )


if __name__ == "__main__":
    sys.exit(main())
