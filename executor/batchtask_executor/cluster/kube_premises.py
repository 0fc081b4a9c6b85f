"""What a real API server tells of the place that the tasks live in."""

from collections.abc import Mapping
from typing import Any, Final

from batchtask_api import names
from batchtask_executor.checks.health import KIND, Premises, Right
from batchtask_executor.cluster.kube_api import KubeApi, check
from batchtask_executor.cluster.tasks import AlreadyExists, Unavailable
from batchtask_executor.config import Settings

_REVIEWS: Final = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
_PROBE: Final = "batchtask-preflight"


class KubePremises:
    """The namespace of the settings, and what its API server has."""

    def __init__(self, settings: Settings, api: KubeApi) -> None:
        self._namespace = settings.namespace
        self._api = api

    def schema(self) -> Mapping[str, Any] | None:
        """Read the published schema; see the port. A new CRD's is published some seconds later."""
        doing = "look for BatchTasks"
        response = self._api.request("GET", f"/apis/{names.API_VERSION}", doing)
        if response.status == 404:
            return None
        check(response, doing)
        response = self._api.request("GET", f"/openapi/v3/apis/{names.API_VERSION}", doing)
        document = {} if response.status == 404 else check(response, doing)
        for schema in document.get("components", {}).get("schemas", {}).values():
            if KIND in schema.get("x-kubernetes-group-version-kind", ()):
                found: Mapping[str, Any] = schema
                return found
        raise Unavailable(f"can't {doing}: their schema isn't published yet; try again")

    def may(self, right: Right) -> bool:
        """Ask for a review of the access; see the port."""
        asked = {
            "namespace": self._namespace,
            "verb": right.verb,
            "group": right.group,
            "resource": right.resource,
        }
        body = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": asked},
        }
        review = self._api.json("POST", _REVIEWS, "ask for this account's rights", body)
        return bool(review["status"]["allowed"])

    def has_namespace(self) -> bool:
        """Try to write there without writing: to read namespaces is a right that nobody has."""
        doing = f"look for namespace {self._namespace}"
        folder = f"/api/v1/namespaces/{self._namespace}/configmaps"
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": _PROBE}}
        response = self._api.request("POST", folder, doing, body, {"dryRun": "All"})
        if response.status == 404:
            return False
        try:
            check(response, doing)
        except AlreadyExists:
            return True
        return True


_: type[Premises] = KubePremises
