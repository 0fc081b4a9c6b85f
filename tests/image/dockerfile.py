"""What a Dockerfile says, as far as ours says anything; anything else is refused.

There is a library, dockerfile-parse: its last release is of 2023, and it leaves an instruction's
words as they are.
"""

import json
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Run:
    """A command of the shell."""

    command: str


@dataclass(frozen=True)
class Copy:
    """A copy from the context, or from another stage."""

    source: str
    target: str
    stage: str | None


@dataclass(frozen=True)
class Env:
    """Variables of all that follows, and of the container."""

    variables: Mapping[str, str]


@dataclass(frozen=True)
class User:
    """Whom the container runs as."""

    uid: int
    gid: int


@dataclass(frozen=True)
class Entrypoint:
    """What the container starts."""

    words: tuple[str, ...]


Step = Run | Copy | Env | User | Entrypoint


@dataclass(frozen=True)
class Stage:
    """What is done to a base."""

    base: str
    name: str | None
    steps: tuple[Step, ...]


def read(file: Path) -> tuple[Stage, ...]:
    """Read all stages, in order.

    Raises:
        ValueError: there is an instruction that isn't known here.
    """
    stages: list[Stage] = []
    for word, rest in _instructions(file.read_text("utf-8")):
        if word == "FROM":
            base, *named = rest.split()
            stages.append(Stage(base, named[1] if named else None, ()))
        elif word not in {"ARG", "LABEL", "EXPOSE"}:
            last = stages.pop()
            stages.append(Stage(last.base, last.name, (*last.steps, _step(word, rest))))
    return tuple(stages)


def _instructions(text: str) -> Iterator[tuple[str, str]]:
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    for line in re.sub(r"\\\n\s*", "", "\n".join(lines)).splitlines():
        if line.strip():
            word, _, rest = line.partition(" ")
            yield word, rest.strip()


def _step(word: str, rest: str) -> Step:
    match word:
        case "RUN":
            return Run(rest)
        case "COPY":
            found = re.fullmatch(r"(?:--from=(\S+) )?(\S+) (\S+)", rest)
            if not found:
                raise ValueError(f"COPY {rest}")
            return Copy(found[2], found[3], found[1])
        case "ENV":
            pairs = (each.partition("=") for each in shlex.split(rest))
            return Env({name: value for name, _, value in pairs})
        case "USER":
            uid, _, gid = rest.partition(":")
            return User(int(uid), int(gid))
        case "ENTRYPOINT":
            return Entrypoint(tuple(json.loads(rest)))
        case _:
            raise ValueError(f"{word} {rest}")
