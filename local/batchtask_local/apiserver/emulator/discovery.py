"""What the server tells clients about the kinds it has."""

from collections.abc import Sequence

from batchtask_local.apiserver.emulator.errors import unknown_path
from batchtask_local.apiserver.emulator.resources import SERVICE_ACCOUNTS, Object, Resource

VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")
SUBRESOURCE_VERBS = ("get", "patch", "update")
REVIEWS = {
    "name": "selfsubjectaccessreviews",
    "singularName": "selfsubjectaccessreview",
    "namespaced": False,
    "kind": "SelfSubjectAccessReview",
    "verbs": ["create"],
}
REVIEWS_VERSION = "authorization.k8s.io/v1"


def version(release: str) -> Object:
    """Return /version; `release` is the Kubernetes version that is emulated, such as 1.36.3."""
    major, minor, _ = release.split(".", 2)
    return {
        "major": major,
        "minor": minor,
        "gitVersion": f"v{release}+batchtask-emulator",
        "gitCommit": "",
        "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "none",
        "compiler": "none",
        "platform": "emulator",
    }


def core_versions() -> Object:
    """Return /api."""
    return {"kind": "APIVersions", "apiVersion": "v1", "versions": ["v1"]}


def groups(resources: Sequence[Resource]) -> Object:
    """Return /apis."""
    versions = sorted({each.api_version for each in resources if each.group} | {REVIEWS_VERSION})
    found = [_group(api_version) for api_version in versions]
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": found}


def group(resources: Sequence[Resource], name: str) -> Object:
    """Return /apis/<group>."""
    for found in groups(resources)["groups"]:
        if found["name"] == name:
            return {"kind": "APIGroup", "apiVersion": "v1", **found}
    raise unknown_path()


def _group(api_version: str) -> Object:
    name, _, number = api_version.partition("/")
    told = {"groupVersion": api_version, "version": number}
    return {"name": name, "versions": [told], "preferredVersion": told}


def resource_list(resources: Sequence[Resource], api_version: str) -> Object:
    """Return /api/v1 or /apis/<group>/<version>."""
    listed = [
        entry
        for resource in resources
        if resource.api_version == api_version
        for entry in _entries(resource)
    ]
    if api_version == REVIEWS_VERSION:
        listed.append(REVIEWS)
    if not listed:
        raise unknown_path()
    head = {"kind": "APIResourceList", "apiVersion": "v1"}
    return {**head, "groupVersion": api_version, "resources": listed}


def _entries(resource: Resource) -> list[Object]:
    common = {"namespaced": resource.namespaced, "kind": resource.kind}
    entry = {
        "name": resource.plural,
        "singularName": resource.singular,
        **common,
        "verbs": list(VERBS),
        **({"shortNames": list(resource.short_names)} if resource.short_names else {}),
        **({"categories": list(resource.categories)} if resource.categories else {}),
    }
    below = [
        {
            "name": f"{resource.plural}/{name}",
            "singularName": "",
            **common,
            "verbs": list(SUBRESOURCE_VERBS),
        }
        for name in resource.subresources
    ]
    if resource is SERVICE_ACCOUNTS:
        below.append(
            {
                "name": "serviceaccounts/token",
                "singularName": "",
                "namespaced": True,
                "group": "authentication.k8s.io",
                "version": "v1",
                "kind": "TokenRequest",
                "verbs": ["create"],
            }
        )
    return [entry, *below]
