"""Where the real API server's binaries are: the user's own, the cache, or built into it."""

import os
import platform
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import batchtask_local
from batchtask_local.apiserver import build
from batchtask_local.apiserver.errors import ApiServerError
from batchtask_local.apiserver.server import Progress, quiet

ASSETS = "KUBEBUILDER_ASSETS"
SERVERS = ("etcd", "kube-apiserver", "kube-controller-manager")
MONITORING = ("podmonitors", "prometheusrules", "servicemonitors")
KUBECTL_SKEW = 4
"""How many minor versions kubectl may be away from the server; the suite runs with this."""


class BinariesMissingError(ApiServerError):
    """A binary that is wanted isn't at hand; the text says how to get it."""


@dataclass(frozen=True)
class Binaries:
    """The three processes of a control plane that stores, serves and collects garbage."""

    etcd: Path
    kube_apiserver: Path
    kube_controller_manager: Path


def find(environ: Mapping[str, str] = os.environ) -> Binaries | None:
    """Return the binaries if all are at hand, building nothing.

    Raises:
        BinariesMissingError: KUBEBUILDER_ASSETS is set to a folder that lacks one of its two.
    """
    files = _at_hand(environ)
    return None if None in files.values() else _binaries(files)


def find_or_build(
    environ: Mapping[str, str] = os.environ, on_progress: Progress = quiet
) -> Binaries:
    """Return the binaries, building into the cache what isn't at hand (minutes, once).

    Raises:
        BinariesMissingError: KUBEBUILDER_ASSETS lacks a binary, or there is no source checkout.
        BuildFailedError: there is no Go toolchain to be had, or it failed.
    """
    files = _at_hand(environ)
    missing = [name for name, file in files.items() if file is None]
    if missing:
        built = _build(missing, environ, on_progress)
        files = {name: file or built[name] for name, file in files.items()}
    return _binaries(files)


def kubectl(environ: Mapping[str, str] = os.environ, on_progress: Progress = quiet) -> Path:
    """Return a kubectl near enough to the server's version: PATH's, the cache's, or built."""
    on_path = shutil.which("kubectl", path=environ.get("PATH"))
    if on_path and abs(_minor_of_kubectl(on_path) - _minor(kubernetes_version())) <= KUBECTL_SKEW:
        return Path(on_path)
    cached = cache_directory(environ) / "kubectl"
    return cached if cached.exists() else _build(["kubectl"], environ, on_progress)["kubectl"]


def helm(environ: Mapping[str, str] = os.environ, on_progress: Progress = quiet) -> Path:
    """Return helm 4: the one on PATH, the cache's, or built."""
    on_path = shutil.which("helm", path=environ.get("PATH"))
    if on_path and b"v4." in _output([on_path, "version", "--short"]):
        return Path(on_path)
    cached = cache_directory(environ) / "helm"
    return cached if cached.exists() else _build(["helm"], environ, on_progress)["helm"]


def kube_scheduler(environ: Mapping[str, str] = os.environ, on_progress: Progress = quiet) -> Path:
    """Return kube-scheduler, which is of the server's own version: the cache's, or built."""
    name = "kube-scheduler"
    return _cached(name, environ) or _build([name], environ, on_progress)[name]


def monitoring_crds(
    environ: Mapping[str, str] = os.environ, on_progress: Progress = quiet
) -> Sequence[Path]:
    """Return the files of the prometheus-operator's CRDs that a chart for it uses: downloaded."""
    source = build.module_source(
        "github.com/prometheus-operator/prometheus-operator",
        sources=sources() / "prometheus-operator",
        toolchains=cache_root(environ),
        environ=environ,
        on_progress=on_progress,
    )
    folder = source / "example" / "prometheus-operator-crd"
    return [folder / f"monitoring.coreos.com_{plural}.yaml" for plural in MONITORING]


def cache_root(environ: Mapping[str, str] = os.environ) -> Path:
    """Return the folder that holds everything this project caches."""
    if own := environ.get("BATCHTASK_CACHE"):
        return Path(own)
    base = environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "airflow-batchtask"


def cache_directory(environ: Mapping[str, str] = os.environ) -> Path:
    """Return the cache's folder for the pinned version on this platform."""
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    target = f"{kubernetes_version()}-{platform.system().lower()}-{machine}"
    return cache_root(environ) / "envtest" / target


def sources() -> Path:
    """Return the folder whose go.mod pins what is built.

    Raises:
        BinariesMissingError: this is installed without its source checkout.
    """
    folder = Path(batchtask_local.__file__).parents[2] / "tests" / "envtest"
    if not (folder / "go.mod").exists():
        raise BinariesMissingError(
            f"the real API server is built from a source checkout, and {folder} isn't there: "
            f"work in a checkout, or set {ASSETS} to a folder that holds etcd and kube-apiserver, "
            "or use the emulator (--api emulator)"
        )
    return folder


def kubernetes_version() -> str:
    """Return the Kubernetes version that go.mod pins, such as 1.36.3."""
    text = (sources() / "go.mod").read_text("utf-8")
    found = re.search(r"^\s*k8s\.io/kubernetes v(\S+)", text, re.MULTILINE)
    if not found:
        raise BinariesMissingError(f"{sources() / 'go.mod'} doesn't require k8s.io/kubernetes")
    return found[1]


def _at_hand(environ: Mapping[str, str]) -> dict[str, Path | None]:
    if ASSETS not in environ:
        return {name: _cached(name, environ) for name in SERVERS}
    folder = Path(environ[ASSETS])
    for name in SERVERS[:2]:
        if not (folder / name).exists():
            raise BinariesMissingError(
                f"{ASSETS}={folder} holds no {name}: set it to a folder with etcd and "
                "kube-apiserver, or unset it"
            )
    # setup-envtest's archives come without this one.
    manager = folder / SERVERS[2]
    return {
        **{name: folder / name for name in SERVERS[:2]},
        SERVERS[2]: manager if manager.exists() else _cached(SERVERS[2], environ),
    }


def _cached(name: str, environ: Mapping[str, str]) -> Path | None:
    try:
        file = cache_directory(environ) / name
    except BinariesMissingError:  # no checkout: nothing could have been built from it
        return None
    return file if file.exists() else None


def _binaries(files: Mapping[str, Path | None]) -> Binaries:
    etcd, server, manager = (files[name] for name in SERVERS)
    if not (etcd and server and manager):
        raise BinariesMissingError("etcd, kube-apiserver or kube-controller-manager is missing")
    return Binaries(etcd, server, manager)


def _build(
    names: Sequence[str], environ: Mapping[str, str], on_progress: Progress
) -> dict[str, Path]:
    if ASSETS in environ and SERVERS[2] in names:
        on_progress(f"{ASSETS} holds no {SERVERS[2]}, which collects garbage: building that one")
    return build.build(
        names,
        sources=sources(),
        version=kubernetes_version(),
        into=cache_directory(environ),
        toolchains=cache_root(environ),
        environ=environ,
        on_progress=on_progress,
    )


def _minor(version: str) -> int:
    found = re.match(r"v?1\.(\d+)", version)
    return int(found[1]) if found else -1000


def _minor_of_kubectl(command: str) -> int:
    found = re.search(
        rb'"gitVersion":\s*"(v1\.\d+)', _output([command, "version", "--client", "-o", "json"])
    )
    return _minor(found[1].decode()) if found else -1000


def _output(argv: Sequence[str]) -> bytes:
    try:
        return subprocess.run(argv, capture_output=True, timeout=20, check=False).stdout  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return b""
