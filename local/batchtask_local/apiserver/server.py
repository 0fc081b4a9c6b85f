"""An API server that is up, whichever it is, and the few calls that make it ready for use."""

import base64
import http.client
import json
import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote, urlsplit

import yaml

from batchtask_local.apiserver.crds import apply_crds, read_crds
from batchtask_local.apiserver.errors import ApiServerError, RequestRefusedError

__all__ = [
    "ApiServer",
    "ApiServerError",
    "Kind",
    "Progress",
    "RequestRefusedError",
    "quiet",
    "write_kubeconfig",
]

Kind = Literal["envtest", "emulator"]
Progress = Callable[[str], None]


def quiet(message: str) -> None:
    """Report no progress."""
    del message


@dataclass(frozen=True)
class ApiServer:
    """Where an API server is, and how its administrator gets in."""

    url: str
    kubeconfig: Path
    ca_file: Path
    admin_token: str = field(repr=False)
    kind: Kind
    directory: Path
    """Holds the kubeconfig files, and logs/ of the server processes."""

    def request(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        content_type: str = "application/json",
        accept: str = "application/json",
    ) -> dict[str, Any]:
        """Send one request as administrator and return the reply's JSON ({} when it isn't JSON).

        Raises:
            RequestRefusedError: the status is 400 or above.
            OSError: nothing listens (yet).
        """
        address = urlsplit(self.url)
        trust = ssl.create_default_context(cafile=str(self.ca_file))
        link = http.client.HTTPSConnection(address.netloc, context=trust, timeout=30)
        try:
            headers = {
                "Authorization": f"Bearer {self.admin_token}",
                "Content-Type": content_type,
                "Accept": accept,
            }
            link.request(method, path, None if body is None else json.dumps(body), headers)
            reply = link.getresponse()
            text = reply.read().decode()
        finally:
            link.close()
        found = json.loads(text) if text.startswith("{") else {}
        if reply.status >= http.HTTPStatus.BAD_REQUEST:
            message = str(found.get("message", text.strip()))
            raise RequestRefusedError(reply.status, str(found.get("reason", reply.reason)), message)
        return dict(found)

    def create_namespace(self, name: str) -> None:
        """Create a namespace; one that is there already will do."""
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        try:
            self.request("POST", "/api/v1/namespaces", body)
        except RequestRefusedError as error:
            if error.reason != "AlreadyExists":
                raise

    def apply_crds(self, files: Sequence[Path]) -> None:
        """Apply the CustomResourceDefinitions in these YAML files; return once they are served.

        Raises:
            ApiServerError: a file can't be read, holds anything else, or is refused.
        """
        apply_crds(self.request, read_crds(files))

    def kubeconfig_for_service_account(
        self, namespace: str, name: str, *, seconds: int = 3600
    ) -> Path:
        """Write a kubeconfig that logs in as this service account, valid for so many seconds.

        Raises:
            ApiServerError: there is no such service account, or its token was refused.
        """
        path = f"/api/v1/namespaces/{quote(namespace)}/serviceaccounts/{quote(name)}/token"
        body = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"expirationSeconds": seconds},
        }
        token = self.request("POST", path, body)["status"]["token"]
        file = self.directory / f"kubeconfig.{namespace}.{name}"
        write_kubeconfig(
            file, url=self.url, ca_file=self.ca_file, token=token, user=name, namespace=namespace
        )
        return file


def write_kubeconfig(
    file: Path, *, url: str, ca_file: Path, token: str, user: str, namespace: str = "default"
) -> None:
    """Write a kubeconfig of one context, readable by its owner only and complete in itself."""
    authority = base64.b64encode(ca_file.read_bytes()).decode()
    context = {"cluster": "batchtask-local", "user": user, "namespace": namespace}
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": "batchtask-local",
                "cluster": {"server": url, "certificate-authority-data": authority},
            }
        ],
        "users": [{"name": user, "user": {"token": token}}],
        "contexts": [{"name": "batchtask-local", "context": context}],
        "current-context": "batchtask-local",
    }
    file.touch(mode=0o600)
    file.write_text(yaml.safe_dump(content), encoding="utf-8")
