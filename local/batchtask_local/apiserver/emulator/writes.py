"""Create, change and delete objects by the API server's rules."""

import datetime as dt
import secrets
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from batchtask_local.apiserver.emulator import builtin, errors
from batchtask_local.apiserver.emulator.bodies import WriteOptions, check_types, decoded
from batchtask_local.apiserver.emulator.decoding import with_defaults
from batchtask_local.apiserver.emulator.metadata import validate_metadata
from batchtask_local.apiserver.emulator.resources import (
    DEFINITIONS,
    NAMESPACES,
    SERVICE_ACCOUNTS,
    Object,
    Resource,
    from_definition,
)
from batchtask_local.apiserver.emulator.storage import Storage
from batchtask_local.apiserver.emulator.validation import validate

SUFFIX_LETTERS = "bcdfghjklmnpqrstvwxz2456789"
KEPT_METADATA = (
    "uid",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "generation",
    "resourceVersion",
)
"""What only the server writes."""


@dataclass(frozen=True)
class DeleteOptions:
    """How an object is to be deleted."""

    propagation: str = "Background"
    uid: str = ""
    resource_version: str = ""
    dry_run: bool = False


class Writer:
    """Writes to a storage. All times come from `clock`."""

    def __init__(self, storage: Storage, clock: Callable[[], dt.datetime]) -> None:
        self._storage = storage
        self._clock = clock

    def create(
        self, resource: Resource, namespace: str, body: Object, options: WriteOptions
    ) -> Object:
        """Create an object and return it as stored.

        Raises:
            StatusError: it is refused.
        """
        new = decoded(resource, namespace, body, options)
        if new["metadata"].get("resourceVersion"):
            message = "resourceVersion should not be set on objects to be created"
            raise errors.StatusError(500, "", message)
        metadata = {
            key: value
            for key, value in new["metadata"].items()
            if key not in KEPT_METADATA and key != "managedFields"
        }
        if not metadata.get("name") and metadata.get("generateName"):
            suffix = "".join(secrets.choice(SUFFIX_LETTERS) for _ in range(5))
            metadata["name"] = f"{metadata['generateName']}{suffix}"
        metadata |= {"uid": str(uuid.uuid4()), "creationTimestamp": self._now()}
        if resource.is_custom or resource is DEFINITIONS:
            metadata["generation"] = 1
        if namespace:
            metadata["namespace"] = namespace
            self._check_namespace(resource, namespace, metadata.get("name", ""))
        if resource.has_status:
            new.pop("status", None)
        new = self._checked(resource, {**new, "metadata": metadata}, None)
        if self._storage.find(resource, namespace, metadata["name"]):
            raise errors.already_exists(resource, metadata["name"])
        return new if options.dry_run else self._stored(resource, new)

    def update(
        self,
        resource: Resource,
        current: Object,
        body: Object,
        options: WriteOptions,
        *,
        subresource: str = "",
    ) -> Object:
        """Change an object into what `body` says, or only its status, and return it as stored.

        Raises:
            StatusError: it is refused; 409 if `body` carries another resourceVersion.
        """
        old = current["metadata"]
        name, namespace = old["name"], old.get("namespace", "")
        new = decoded(resource, namespace, body, options)
        if new["metadata"].get("name", name) != name:
            other = new["metadata"]["name"]
            raise errors.bad_request(
                f"the name of the object ({other}) does not match the name on the URL ({name})"
            )
        if new["metadata"].get("resourceVersion", old["resourceVersion"]) != old["resourceVersion"]:
            raise errors.conflict(resource, name)
        if new["metadata"].get("uid", old["uid"]) != old["uid"]:
            cause = errors.invalid_value(
                "metadata.uid", new["metadata"]["uid"], "field is immutable"
            )
            raise errors.invalid(resource.qualified_kind, name, [cause])
        new = _merged_parts(resource, current, new, subresource)
        new = self._checked(resource, new, current)
        if new == current or options.dry_run:
            return new
        if (resource.is_custom or resource is DEFINITIONS) and _intent(new) != _intent(current):
            metadata = {**new["metadata"], "generation": old.get("generation", 0) + 1}
            new = {**new, "metadata": metadata}
        if old.get("deletionTimestamp") and not new["metadata"].get("finalizers"):
            self._storage.remove(resource, current)
            return new
        return self._stored(resource, new)

    def delete(self, resource: Resource, current: Object, options: DeleteOptions) -> Object | None:
        """Delete an object, or mark it where a finalizer holds it; return it if it is still there.

        Raises:
            StatusError: 409, a precondition doesn't hold.
        """
        metadata = current["metadata"]
        self._check_preconditions(resource, metadata, options)
        held = list(metadata.get("finalizers") or ())
        guard = {"Foreground": "foregroundDeletion", "Orphan": "orphan"}.get(options.propagation)
        if guard and guard not in held:
            held.append(guard)
        if options.dry_run:
            return current if held else None
        if not held and resource is not NAMESPACES:
            self._storage.remove(resource, current)
            return None
        if metadata.get("deletionTimestamp"):
            return current
        marked = {**metadata, "deletionTimestamp": self._now()}
        if held:
            marked |= {"finalizers": held, "deletionGracePeriodSeconds": 0}
        if "generation" in metadata:
            marked["generation"] = metadata["generation"] + 1
        new = {**current, "metadata": marked}
        if resource is NAMESPACES:
            new["status"] = {**current.get("status", {}), "phase": "Terminating"}
        return self._storage.put(resource, new)

    def _check_preconditions(
        self, resource: Resource, metadata: Mapping[str, Any], options: DeleteOptions
    ) -> None:
        revision = metadata["resourceVersion"]
        for what, wanted, found, suspected in (
            ("UID", options.uid, metadata["uid"], "deleted and then recreated"),
            ("ResourceVersion", options.resource_version, revision, "modified"),
        ):
            if wanted and wanted != found:
                why = (
                    f"the {what} in the precondition ({wanted}) does not match the {what} in "
                    f"record ({found}). The object might have been {suspected}"
                )
                raise errors.conflict(resource, metadata["name"], why)

    def _checked(self, resource: Resource, new: Object, old: Object | None) -> Object:
        metadata = new["metadata"]
        name = metadata.get("name", "")
        if not resource.is_custom:
            check_types(resource, resource.schema, new)
        causes = list(validate_metadata(resource, metadata))
        if old and old["metadata"].get("deletionTimestamp"):
            causes.extend(_new_finalizers(old["metadata"], metadata))
        causes.extend(validate(resource.schema, new) if resource.is_custom else ())
        if causes:
            raise errors.invalid(resource.qualified_kind, name, causes)
        # Defaults once more: a status that was dropped, or never sent, has some of its own.
        content = builtin.completed(resource, new, old, self._now())
        return dict(with_defaults(resource.schema, content))

    def _check_namespace(self, resource: Resource, namespace: str, name: str) -> None:
        found = self._storage.find(NAMESPACES, "", namespace)
        if not found:
            raise errors.not_found(NAMESPACES, namespace)
        if found["metadata"].get("deletionTimestamp"):
            raise errors.terminating(resource, name, namespace)

    def _stored(self, resource: Resource, new: Object) -> Object:
        is_new = "resourceVersion" not in new["metadata"]
        if resource is DEFINITIONS:
            if is_new:
                finalizers = [*new["metadata"].get("finalizers", ()), builtin.CRD_FINALIZER]
                new = {**new, "metadata": {**new["metadata"], "finalizers": finalizers}}
            self._storage.serve(from_definition(new["spec"]))
        stored = self._storage.put(resource, new)
        if resource is NAMESPACES and is_new:
            account = {"metadata": {"name": "default"}}
            self.create(SERVICE_ACCOUNTS, new["metadata"]["name"], account, WriteOptions())
        return stored

    def _now(self) -> str:
        return self._clock().strftime("%Y-%m-%dT%H:%M:%SZ")


def _merged_parts(resource: Resource, current: Object, new: Object, subresource: str) -> Object:
    """Return the object with only those parts changed that a request to this path may change."""
    if subresource == "status":
        kept = {key: value for key, value in current.items() if key != "status"}
        return {**kept, **({"status": new["status"]} if "status" in new else {})}
    metadata = {
        key: value
        for key, value in new["metadata"].items()
        if key not in KEPT_METADATA and key != "managedFields" and value not in ({}, [])
    }
    fixed = (*KEPT_METADATA, "name", "namespace")
    metadata |= {key: value for key, value in current["metadata"].items() if key in fixed}
    result = {**new, "metadata": metadata}
    if resource.has_status:
        result.pop("status", None)
        if "status" in current:
            result["status"] = current["status"]
    return result


def _intent(content: Object) -> Object:
    """Return what a change of makes a new generation: all but metadata and status."""
    return {key: value for key, value in content.items() if key not in ("metadata", "status")}


def _new_finalizers(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[errors.Cause]:
    known = old.get("finalizers") or ()
    added = [name for name in new.get("finalizers") or () if name not in known]
    listed = ", ".join(f'"{name}"' for name in added)
    message = (
        "Forbidden: no new finalizers can be added if the object is being deleted, found new "
        f"finalizers []string{{{listed}}}"
    )
    return [errors.Cause("metadata.finalizers", "FieldValueForbidden", message)] if added else []
