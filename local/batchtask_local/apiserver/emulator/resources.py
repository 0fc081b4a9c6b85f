"""What kinds of object there are: the built-in ones, and those that a CRD describes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Object = dict[str, Any]
"""An object as JSON. Stored ones are shared by all who read them: nobody changes one in place."""

STRING = {"type": "string"}
INTEGER = {"type": "integer"}
BOOLEAN = {"type": "boolean"}
STRINGS = {"type": "array", "items": STRING}
STRING_MAP = {"type": "object", "additionalProperties": STRING}
ANYTHING = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
ANYTHINGS = {"type": "array", "items": ANYTHING}

OWNER_REFERENCE = {
    "type": "object",
    "properties": {
        **dict.fromkeys(("apiVersion", "kind", "name", "uid"), STRING),
        **dict.fromkeys(("controller", "blockOwnerDeletion"), BOOLEAN),
    },
}
METADATA = {
    "type": "object",
    "properties": {
        **dict.fromkeys(
            (
                *("creationTimestamp", "deletionTimestamp", "generateName", "name", "namespace"),
                *("resourceVersion", "selfLink", "uid"),
            ),
            STRING,
        ),
        **dict.fromkeys(("generation", "deletionGracePeriodSeconds"), INTEGER),
        **dict.fromkeys(("labels", "annotations"), STRING_MAP),
        "finalizers": STRINGS,
        "ownerReferences": {"type": "array", "items": OWNER_REFERENCE},
        "managedFields": ANYTHINGS,
    },
}


@dataclass(frozen=True)
class Column:
    """A column that `kubectl get` prints; from priority 1 on only with -o wide."""

    name: str
    path: str
    type: str = "string"
    priority: int = 0
    format: str = ""
    description: str = ""


NAME = Column("Name", ".metadata.name", format="name")
AGE = Column("Age", ".metadata.creationTimestamp", type="date")


@dataclass(frozen=True)
class Resource:
    """A kind of object, as it is served under one API version."""

    group: str
    version: str
    plural: str
    kind: str
    schema: Mapping[str, Any]
    namespaced: bool = True
    singular: str = ""
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    columns: tuple[Column, ...] = (NAME, AGE)
    selectable: tuple[str, ...] = ()
    """Paths that field selectors may name, besides metadata.name and metadata.namespace."""
    has_status: bool = False
    """The status is a subresource: only writes to /status change it."""
    is_custom: bool = False

    @property
    def api_version(self) -> str:
        """Group and version, as objects have it."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def list_kind(self) -> str:
        """The kind of a list of these."""
        return f"{self.kind}List"

    @property
    def qualified_plural(self) -> str:
        """The plural as messages have it."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def qualified_kind(self) -> str:
        """The kind as messages have it."""
        return f"{self.kind}.{self.group}" if self.group else self.kind

    @property
    def subresources(self) -> tuple[str, ...]:
        """What stands behind the name in a path."""
        return ("status",) if self.has_status else ()


def _properties(**properties: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


NAMESPACES = Resource(
    "",
    "v1",
    "namespaces",
    "Namespace",
    _properties(
        spec=_properties(finalizers=STRINGS), status=_properties(phase=STRING, conditions=ANYTHINGS)
    ),
    namespaced=False,
    singular="namespace",
    short_names=("ns",),
    columns=(NAME, Column("Status", ".status.phase"), AGE),
    selectable=("status.phase",),
    has_status=True,
)
SECRETS = Resource(
    "",
    "v1",
    "secrets",
    "Secret",
    _properties(data=STRING_MAP, stringData=STRING_MAP, type=STRING, immutable=BOOLEAN),
    singular="secret",
    columns=(NAME, Column("Type", ".type"), Column("Data", "count(.data)"), AGE),
    selectable=("type",),
)
CONFIG_MAPS = Resource(
    "",
    "v1",
    "configmaps",
    "ConfigMap",
    _properties(data=STRING_MAP, binaryData=STRING_MAP, immutable=BOOLEAN),
    singular="configmap",
    short_names=("cm",),
    columns=(NAME, Column("Data", "count(.data)"), AGE),
)
SERVICE_ACCOUNTS = Resource(
    "",
    "v1",
    "serviceaccounts",
    "ServiceAccount",
    _properties(
        secrets=ANYTHINGS, imagePullSecrets=ANYTHINGS, automountServiceAccountToken=BOOLEAN
    ),
    singular="serviceaccount",
    short_names=("sa",),
)
EVENTS = Resource(
    "",
    "v1",
    "events",
    "Event",
    ANYTHING,
    singular="event",
    short_names=("ev",),
    columns=(
        Column("Last Seen", ".lastTimestamp", type="date"),
        Column("Type", ".type"),
        Column("Reason", ".reason"),
        Column("Object", ".involvedObject.name"),
        Column("Message", ".message"),
    ),
    selectable=(
        *(f"involvedObject.{key}" for key in ("apiVersion", "kind", "name", "namespace", "uid")),
        *("involvedObject.fieldPath", "involvedObject.resourceVersion"),
        *("reason", "reportingComponent", "source", "type"),
    ),
)
LEASES = Resource(
    "coordination.k8s.io",
    "v1",
    "leases",
    "Lease",
    _properties(
        spec=_properties(
            **dict.fromkeys(
                ("acquireTime", "holderIdentity", "preferredHolder", "renewTime", "strategy"),
                STRING,
            ),
            **dict.fromkeys(("leaseDurationSeconds", "leaseTransitions"), INTEGER),
        )
    ),
    singular="lease",
    columns=(NAME, Column("Holder", ".spec.holderIdentity"), AGE),
)
DEFINITIONS = Resource(
    "apiextensions.k8s.io",
    "v1",
    "customresourcedefinitions",
    "CustomResourceDefinition",
    _properties(spec=ANYTHING, status=ANYTHING),
    namespaced=False,
    singular="customresourcedefinition",
    short_names=("crd", "crds"),
    categories=("api-extensions",),
    columns=(NAME, Column("Created At", ".metadata.creationTimestamp")),
    has_status=True,
)
BUILT_IN = (NAMESPACES, SECRETS, CONFIG_MAPS, SERVICE_ACCOUNTS, EVENTS, LEASES, DEFINITIONS)


def from_definition(spec: Mapping[str, Any]) -> Resource:
    """Return the resource that a checked CRD's spec, of one version, describes."""
    names, version = spec["names"], spec["versions"][0]
    printed = [
        Column(
            column["name"],
            column["jsonPath"],
            type=column["type"],
            priority=column.get("priority", 0),
            format=column.get("format", ""),
            description=column.get(
                "description",
                f"Custom resource definition column (in JSONPath format): {column['jsonPath']}",
            ),
        )
        for column in version.get("additionalPrinterColumns") or ()
    ]
    return Resource(
        spec["group"],
        version["name"],
        names["plural"],
        names["kind"],
        version["schema"]["openAPIV3Schema"],
        namespaced=spec["scope"] == "Namespaced",
        singular=names.get("singular") or names["kind"].lower(),
        short_names=tuple(names.get("shortNames") or ()),
        categories=tuple(names.get("categories") or ()),
        columns=(NAME, *(printed or [AGE])),
        selectable=tuple(
            found["jsonPath"].removeprefix(".") for found in version.get("selectableFields") or ()
        ),
        has_status="status" in (version.get("subresources") or {}),
        is_custom=True,
    )
