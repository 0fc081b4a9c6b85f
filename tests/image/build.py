"""Carries a Dockerfile's steps out in copies of a clean Debian, by chroot; only root can."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from image.dockerfile import Copy, Entrypoint, Env, Run, Stage, User

SUITE = "trixie"
PACKAGES = ("ca-certificates", "python-is-python3", "python3", "python3-pip", "python3-venv")
"""What makes of Debian a stand-in for the base: its `python` with pip and venv."""
ROOT_USER = User(0, 0)
DEBIANS_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class Image:
    """A root that the steps were carried out in, and how a container of it is started."""

    root: Path
    environment: Mapping[str, str]
    user: User = ROOT_USER
    entrypoint: tuple[str, ...] = ()

    def start(
        self,
        *arguments: str,
        environment: Mapping[str, str] | None = None,
        entrypoint: tuple[str, ...] | None = None,
    ) -> subprocess.Popen[str]:
        """Start its entrypoint as its user, on a root that nobody can write to."""
        variables = {**self.environment, **(environment or {})}
        words = [*(self.entrypoint if entrypoint is None else entrypoint), *arguments]
        read_only = 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$@"'
        root = str(self.root)
        chroot = ["chroot", f"--userspec={self.user.uid}:{self.user.gid}", root]
        env = ["env", "-i", *(f"{name}={value}" for name, value in variables.items())]
        return subprocess.Popen(
            ["unshare", "--mount", "sh", "-c", read_only, root, *chroot, *env, *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def bytes_of(self, path: str) -> int:
        """How many bytes the files beneath a path have."""
        files = (each for each in (self.root / path).rglob("*") if not each.is_symlink())
        return sum(each.stat().st_size for each in files if each.is_file())


def debian(directory: Path) -> Path:
    """Make a clean Debian with Python."""
    root = directory / "debian"
    words = ["--variant=minbase", f"--include={','.join(PACKAGES)}", SUITE, str(root)]
    subprocess.run(["debootstrap", *words], check=True, stdout=subprocess.DEVNULL)
    return root


def context(source: Path, directory: Path) -> Path:
    """Make the build's context: what .dockerignore leaves of the repository."""
    made = directory / "context"
    lines = (source / ".dockerignore").read_text("utf-8").splitlines()
    *others, last = [line for line in lines if line and not line.startswith("#")]
    assert (others[0], last) == ("*", "**/__pycache__")
    for line in others[1:]:
        kept = line.removeprefix("!")
        target = made / kept
        target.parent.mkdir(parents=True, exist_ok=True)
        _copy(source / kept, target, without="__pycache__")
    return made


def build(stages: tuple[Stage, ...], base: Path, of: Path, directory: Path) -> Image:
    """Carry out all stages; give the last one's image."""
    built: dict[str, Path] = {}
    for number, stage in enumerate(stages):
        root = directory / f"stage-{number}"
        subprocess.run(["cp", "--archive", "--reflink=auto", str(base), str(root)], check=True)
        image = Image(root, {"PATH": DEBIANS_PATH})
        for step in stage.steps:
            match step:
                case Run(command):
                    _run(image, command)
                case Copy(source, target, from_stage):
                    taken = built[from_stage] if from_stage else of
                    _copy(taken / source.lstrip("/"), root / target.lstrip("/"))
                case Env(variables):
                    image = replace(image, environment={**image.environment, **variables})
                case User() as user:
                    image = replace(image, user=user)
                case Entrypoint(words):
                    image = replace(image, entrypoint=words)
        if stage.name:
            built[stage.name] = root
    return image


def _run(image: Image, command: str) -> None:
    """Run as an engine does; what this machine needs to reach its package index comes along."""
    settings = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
    if certificate := settings.get("PIP_CERT"):
        shutil.copy(certificate, image.root / certificate.lstrip("/"))
    shutil.copy("/etc/resolv.conf", image.root / "etc" / "resolv.conf")
    for file in map(Path, ("/etc/pip.conf", "/etc/hosts")):
        if file.exists():
            shutil.copy(file, image.root / file.relative_to("/"))
    subprocess.run(
        ["chroot", str(image.root), "/bin/sh", "-c", command],
        env={**settings, **image.environment},
        check=True,
    )


def _copy(source: Path, target: Path, *, without: str = "") -> None:
    """Copy as COPY does: a folder's content into the target, which is made."""
    if source.is_dir():
        ignored = shutil.ignore_patterns(without)
        shutil.copytree(source, target, symlinks=True, dirs_exist_ok=True, ignore=ignored)
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target)
