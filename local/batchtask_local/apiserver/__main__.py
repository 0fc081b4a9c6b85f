"""Command line: fill the cache with the real API server's binaries, or run an API server."""

import argparse
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from batchtask_local.apiserver import binaries, choice
from batchtask_local.apiserver.errors import ApiServerError
from batchtask_local.apiserver.server import ApiServer

BAD_INPUT = 2
INTERRUPTED = 130

DESCRIPTION = """\
An API server for local mode and for tests: either a real one (etcd, kube-apiserver and
kube-controller-manager on loopback, without nodes), or an emulator in this process.

The real one's binaries come from, in this order:
  KUBEBUILDER_ASSETS   a folder with etcd and kube-apiserver (and kube-controller-manager)
  the cache            BATCHTASK_CACHE, else XDG_CACHE_HOME/airflow-batchtask,
                       else ~/.cache/airflow-batchtask
  a build              from the Go modules that tests/envtest/go.mod pins, once, into the cache
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    options = _parser().parse_args(arguments)
    try:
        return _prepare(options) if options.command == "prepare" else _run(options)
    except (ApiServerError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        return BAD_INPUT
    except KeyboardInterrupt:
        return INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m batchtask_local.apiserver",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    prepare = commands.add_parser(
        "prepare",
        help="see that the real API server's binaries are there, building what is missing",
        description="See that the real API server's binaries and a kubectl are there. What is "
        "missing is built into the cache: about seven minutes on two cores, once.",
    )
    prepare.add_argument(
        "--with",
        dest="extra",
        action="append",
        choices=["helm", "kube-scheduler"],
        default=[],
        help="also helm 4 (PATH's, or built in three minutes), or what gives pods a node; may be "
        "repeated",
    )
    _add_run(commands.add_parser("run", help="run an API server until SIGINT or SIGTERM"))
    return parser


def _add_run(run: argparse.ArgumentParser) -> None:
    run.description = (
        "Run an API server until SIGINT or SIGTERM, and print how to use it. Nothing of it is "
        "left at the end, except in a folder given with --dir."
    )
    run.add_argument(
        "--api",
        choices=["envtest", "emulator"],
        help="envtest is the real one, built first if need be; default: the real one if its "
        "binaries are at hand, else the emulator",
    )
    run.add_argument(
        "--crd",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="apply the CustomResourceDefinitions in this YAML file; may be repeated",
    )
    run.add_argument(
        "--kubeconfig-out",
        type=Path,
        metavar="FILE",
        help="also write the kubeconfig here, where no file may be yet; removed at the end",
    )
    run.add_argument(
        "--dir",
        type=Path,
        metavar="DIR",
        help="put certificates, kubeconfig and the servers' logs here, and leave them at the end",
    )


def _prepare(options: argparse.Namespace) -> int:
    started = time.monotonic()

    def report(message: str) -> None:
        sys.stderr.write(f"[{time.monotonic() - started:6.1f} s] {message}\n")

    found = binaries.find_or_build(on_progress=report)
    tools = [
        ("etcd", found.etcd),
        ("kube-apiserver", found.kube_apiserver),
        ("kube-controller-manager", found.kube_controller_manager),
        ("kubectl", binaries.kubectl(on_progress=report)),
    ]
    if "helm" in options.extra:
        tools.append(("helm", binaries.helm(on_progress=report)))
    if "kube-scheduler" in options.extra:
        tools.append(("kube-scheduler", binaries.kube_scheduler(on_progress=report)))
    for name, path in tools:
        sys.stdout.write(f"{name:24} {path}\n")
    report("everything is there")
    return 0


def _run(options: argparse.Namespace) -> int:
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if options.kubeconfig_out and options.kubeconfig_out.exists():
        raise ApiServerError(f"--kubeconfig-out: {options.kubeconfig_out} is there already")
    kind = choice.choose(options.api)
    with choice.run(kind, options.crd, _report, directory=options.dir) as server:
        try:
            _announce(server, options.kubeconfig_out)
            while True:  # not pause(): a signal that comes just before it would be slept through
                time.sleep(1)
        except KeyboardInterrupt:
            _report("stopped")
        finally:
            if options.kubeconfig_out:
                options.kubeconfig_out.unlink(missing_ok=True)
    return 0


def _announce(server: ApiServer, kubeconfig_out: Path | None) -> None:
    kubeconfig = server.kubeconfig
    if kubeconfig_out:
        kubeconfig = kubeconfig_out.absolute()
        kubeconfig.touch(mode=0o600)
        kubeconfig.write_bytes(server.kubeconfig.read_bytes())
    sys.stdout.write(
        f"{server.kind} is up at {server.url}\n"
        f"  export KUBECONFIG={kubeconfig}\n"
        "  kubectl get namespaces\n"
        "Stop it with Ctrl-C.\n"
    )
    sys.stdout.flush()


def _report(message: str) -> None:
    sys.stderr.write(f"{message}\n")


if __name__ == "__main__":
    sys.exit(main())
