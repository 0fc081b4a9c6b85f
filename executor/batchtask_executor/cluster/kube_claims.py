"""An instance's claim in Kubernetes: a ConfigMap in the tasks' namespace."""

from collections.abc import Mapping
from typing import Any, Final

from batchtask_api import names
from batchtask_executor.claim.instance import Claim, Claims, claim_name
from batchtask_executor.cluster.kube_api import STRICT, KubeApi, check
from batchtask_executor.config import Settings

_UNTOLD: Final = "(untold)"


class KubeClaims:
    """The claim of the settings' instance."""

    def __init__(self, settings: Settings, api: KubeApi) -> None:
        self._settings = settings
        self._api = api
        self._name = claim_name(settings.instance)
        self._folder = f"/api/v1/namespaces/{settings.namespace}/configmaps"
        self._path = f"{self._folder}/{self._name}"
        self._called = f"the claim, ConfigMap {settings.namespace}/{self._name}"

    def read(self) -> Claim | None:
        """Read the claim; see the port."""
        doing = f"read {self._called}"
        response = self._api.request("GET", self._path, doing)
        return None if response.status == 404 else _claim(check(response, doing))

    def create(self, claim: Claim) -> None:
        """Make the claim; see the port."""
        self._api.json("POST", self._folder, f"make {self._called}", self._body(claim), STRICT)

    def take_over(self, claim: Claim) -> None:
        """Put this claim in the place of any other; see the port."""
        doing = f"take over {self._called}"
        patch = {"data": _data(claim)}
        response = self._api.request("PATCH", self._path, doing, patch, STRICT)
        if response.status == 404:
            self.create(claim)
        else:
            check(response, doing)

    def _body(self, claim: Claim) -> dict[str, Any]:
        labels = {names.LABEL_INSTANCE: self._settings.instance}
        return {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": self._name, "labels": labels},
            "data": _data(claim),
        }


def _data(claim: Claim) -> dict[str, str]:
    return {"airflow": claim.airflow, "by": claim.by, "at": claim.at}


def _claim(body: Mapping[str, Any]) -> Claim:
    """The claim, whatever people did to it: without an id it is somebody else's."""
    data = body.get("data") or {}
    return Claim(*(data.get(key, _UNTOLD) for key in ("airflow", "by", "at")))


_: type[Claims] = KubeClaims
