"""The chart as `helm template` renders it."""

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from batchtask_local.apiserver import binaries

ROOT = Path(__file__).parents[2]
CHART = ROOT / "helm" / "airflow-batchtask"
NAMESPACE = "batchtask-system"

Body = dict[str, Any]
Values = Mapping[str, Any]


@dataclass(frozen=True)
class Rendered:
    """The objects of a release."""

    objects: list[Body]

    def all(self, kind: str) -> list[Body]:
        """Give the objects of a kind."""
        return [body for body in self.objects if body["kind"] == kind]

    def one(self, kind: str, name: str | None = None) -> Body:
        """Give the one object of a kind, or the one with this name."""
        found = [
            body for body in self.all(kind) if name is None or body["metadata"]["name"] == name
        ]
        assert len(found) == 1, [body["metadata"]["name"] for body in self.all(kind)]
        return found[0]

    def kinds(self) -> set[str]:
        """Give the kinds there are."""
        return {body["kind"] for body in self.objects}

    def pod(self) -> Body:
        """Give the spec of the controller's pods."""
        spec: Body = self.one("Deployment")["spec"]["template"]["spec"]
        return spec

    def container(self) -> Body:
        """Give the controller's container."""
        container: Body = self.pod()["containers"][0]
        return container

    def env(self) -> dict[str, str]:
        """Give the controller's environment."""
        return {each["name"]: each["value"] for each in self.container()["env"]}


def helm(*arguments: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run helm, without a cluster."""
    return subprocess.run(
        [binaries.helm(), *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def template(
    values: Values, *, release: str = "batchtask", namespace: str = NAMESPACE
) -> subprocess.CompletedProcess[str]:
    """Render the chart, whether it can be or not."""
    words = ["template", release, str(CHART), "--namespace", namespace, "--values", "-"]
    return helm(*words, stdin=json.dumps(values))


def render(values: Values | None = None, **where: str) -> Rendered:
    """Render the chart, hooks and tests included."""
    done = template(values or {}, **where)
    assert done.returncode == 0, done.stderr
    return Rendered([body for body in yaml.safe_load_all(done.stdout) if body])


def refusal(values: Values) -> str:
    """Give the words with which helm refuses values."""
    done = template(values)
    assert done.returncode != 0, "helm took it"
    return done.stderr
