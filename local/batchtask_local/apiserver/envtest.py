"""A real control plane on loopback: etcd, kube-apiserver, kube-controller-manager, no nodes."""

import contextlib
import os
import secrets
import shutil
import socket
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from batchtask_local.apiserver import binaries
from batchtask_local.apiserver.certificates import Certificates, make_certificates
from batchtask_local.apiserver.crds import apply_crds, read_crds
from batchtask_local.apiserver.errors import ApiServerError, RequestRefusedError
from batchtask_local.apiserver.server import ApiServer, Progress, quiet, write_kubeconfig
from batchtask_local.processes import ProcessEndedError, ProcessGroup

READY_SECONDS = 120
"""Generous: three seconds on an idle machine, but a busy one may starve the servers."""
POLL_SECONDS = 0.05
PROGRESS_SECONDS = 5

WORKLOAD_CONTROLLERS = ("deployment-controller", "replicaset-controller", "job-controller")
CONTROLLERS = (
    "garbage-collector-controller",
    "namespace-controller",
    "serviceaccount-controller",
    "serviceaccount-token-controller",
    "ttl-controller",
    "root-ca-certificate-publisher-controller",
)


@contextlib.contextmanager
def envtest(
    crds: Sequence[Path] = (),
    on_progress: Progress = quiet,
    *,
    directory: Path | None = None,
    environ: Mapping[str, str] = os.environ,
    schedules: bool = False,
    audits: bool = False,
) -> Iterator[ApiServer]:
    """Run a real API server while the context lasts, with RBAC on and nobody's nodes.

    One that schedules makes pods of Deployments and Jobs, and gives them to nodes: what runs them
    is the caller's matter. One that audits writes who asked for what to `<directory>/audit.log`.

    `crds` are applied before the garbage collector starts: it learns of a kind that comes later
    only after up to 30 seconds. Everything is kept in `directory`, or in a temporary one that is
    removed; nothing is read back from it by a later start. Binaries that aren't at hand are built.

    Raises:
        ApiServerError: the binaries can't be had, a server didn't start, or a CRD was refused.
    """
    definitions = read_crds(crds)
    programs = binaries.find_or_build(environ, on_progress)
    with _directories(directory) as (home, scratch):
        certificates = make_certificates(home / "pki")
        with ProcessGroup(home / "logs", removed_with_parent=scratch) as processes:
            server = _start_api(
                programs, home, scratch / "etcd", certificates, processes, audits=audits
            )
            _await(lambda: _is_ready(server), "kube-apiserver", processes, on_progress)
            apply_crds(server.request, definitions)
            extra = WORKLOAD_CONTROLLERS if schedules else ()
            _start_controllers(programs, server, certificates, processes, extra)
            if schedules:
                scheduler = binaries.kube_scheduler(environ, on_progress)
                processes.start("kube-scheduler", _kube_scheduler(scheduler, server))
            _await(
                lambda: _has_default_account(server),
                "kube-controller-manager",
                processes,
                on_progress,
            )
            yield server


@contextlib.contextmanager
def _directories(wanted: Path | None) -> Iterator[tuple[Path, Path]]:
    """Give a home, and a folder for what ends with the servers: all of it, unless it was wanted."""
    if wanted is None:
        home = scratch = Path(tempfile.mkdtemp(prefix="batchtask-envtest-"))
    else:
        home = wanted.absolute()
        home.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix="etcd-", dir=home))
    try:
        yield home, scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _start_api(
    programs: binaries.Binaries,
    home: Path,
    data: Path,
    certificates: Certificates,
    processes: ProcessGroup,
    *,
    audits: bool,
) -> ApiServer:
    client_port, peer_port, api_port = _free_ports(3)
    etcd_url, url = f"http://127.0.0.1:{client_port}", f"https://127.0.0.1:{api_port}"
    token = secrets.token_urlsafe(24)
    kubeconfig = home / "kubeconfig"
    write_kubeconfig(kubeconfig, url=url, ca_file=certificates.ca, token=token, user="admin")
    processes.start("etcd", _etcd(programs, data, etcd_url, f"http://127.0.0.1:{peer_port}"))
    argv = _kube_apiserver(programs, home, certificates, etcd_url, api_port, token)
    argv += _audit(home) if audits else []
    processes.start("kube-apiserver", argv)
    return ApiServer(url, kubeconfig, certificates.ca, token, "envtest", home)


def _etcd(programs: binaries.Binaries, data: Path, client_url: str, peer_url: str) -> list[str]:
    return [
        str(programs.etcd),
        f"--data-dir={data}",
        "--unsafe-no-fsync",  # the data dies with the directory anyway
        f"--listen-client-urls={client_url}",
        f"--advertise-client-urls={client_url}",
        f"--listen-peer-urls={peer_url}",
        f"--initial-advertise-peer-urls={peer_url}",
        f"--initial-cluster=default={peer_url}",
        "--log-level=warn",
    ]


def _kube_apiserver(
    programs: binaries.Binaries,
    home: Path,
    certificates: Certificates,
    etcd_url: str,
    port: int,
    token: str,
) -> list[str]:
    tokens = home / "pki" / "tokens.csv"
    tokens.touch(mode=0o600)
    tokens.write_text(f"{token},admin,admin,system:masters\n", encoding="utf-8")
    return [
        str(programs.kube_apiserver),
        f"--etcd-servers={etcd_url}",
        "--bind-address=127.0.0.1",
        "--advertise-address=127.0.0.1",
        f"--secure-port={port}",
        f"--tls-cert-file={certificates.serving}",
        f"--tls-private-key-file={certificates.serving_key}",
        f"--token-auth-file={tokens}",
        "--authorization-mode=RBAC",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={certificates.service_account_key}",
        f"--service-account-signing-key-file={certificates.service_account_key}",
        "--service-cluster-ip-range=10.0.0.0/24",
        "--endpoint-reconciler-type=none",
    ]


def _audit(home: Path) -> list[str]:
    """Every request, once it is answered, without its body."""
    policy = home / "audit-policy.yaml"
    rules = "omitStages: [RequestReceived]\nrules: [{level: Metadata}]\n"
    policy.write_text(f"apiVersion: audit.k8s.io/v1\nkind: Policy\n{rules}", encoding="utf-8")
    return [f"--audit-policy-file={policy}", f"--audit-log-path={home / 'audit.log'}"]


def _kube_scheduler(program: Path, server: ApiServer) -> list[str]:
    return [
        str(program),
        f"--kubeconfig={server.kubeconfig}",
        f"--authentication-kubeconfig={server.kubeconfig}",
        f"--authorization-kubeconfig={server.kubeconfig}",
        "--leader-elect=false",
        "--secure-port=0",
    ]


def _start_controllers(
    programs: binaries.Binaries,
    server: ApiServer,
    certificates: Certificates,
    processes: ProcessGroup,
    extra: Sequence[str],
) -> None:
    argv = [
        str(programs.kube_controller_manager),
        f"--kubeconfig={server.kubeconfig}",
        "--leader-elect=false",
        "--secure-port=0",
        f"--controllers={','.join([*CONTROLLERS, *extra])}",
        f"--service-account-private-key-file={certificates.service_account_key}",
        f"--root-ca-file={certificates.ca}",
    ]
    processes.start("kube-controller-manager", argv)


def _await(
    condition: Callable[[], bool],
    name: str,
    processes: ProcessGroup,
    on_progress: Progress,
) -> None:
    started = reported = time.monotonic()
    while not condition():
        try:
            processes.check()
        except ProcessEndedError as error:
            raise ApiServerError(str(error)) from error
        now = time.monotonic()
        if now - started > READY_SECONDS:
            raise ApiServerError(
                f"{name} isn't ready after {READY_SECONDS} s; the last lines of "
                f"{processes.log(name)}:\n{processes.log_tail(name)}"
            )
        if now - reported > PROGRESS_SECONDS:
            reported = now
            on_progress(f"waiting for {name}: {now - started:.0f} s")
        time.sleep(POLL_SECONDS)
    on_progress(f"{name} is ready after {time.monotonic() - started:.1f} s")


def _is_ready(server: ApiServer) -> bool:
    try:
        server.request("GET", "/readyz")
    except (OSError, RequestRefusedError):
        return False
    return True


def _has_default_account(server: ApiServer) -> bool:
    """Tell whether the controllers work: this account is their doing."""
    try:
        server.request("GET", "/api/v1/namespaces/default/serviceaccounts/default")
    except RequestRefusedError:
        return False
    return True


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
