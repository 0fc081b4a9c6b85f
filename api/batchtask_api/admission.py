"""The policy as a ValidatingAdmissionPolicy: what it refuses never gets into the cluster."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from batchtask_api import names
from batchtask_api.policy import ANY, Rules

NAME: Final = "batchtask-policy"
_API_VERSION: Final = "admissionregistration.k8s.io/v1"


def rules_expression(rules: Rules) -> str:
    """Write the rules as a CEL map: JSON is one, and a chart's `toJson` of its value serves too.

    A list, or a namespace, that is left out allows nothing.
    """
    return json.dumps({namespace: allowed.to_json() for namespace, allowed in rules.items()})


def policy(rules: str, name: str = NAME) -> dict[str, Any]:
    """Make the policy.

    Args:
        rules: the CEL expression of the rules, as `rules_expression` writes it.
        name: the name of the object, which the cluster has once.
    """
    return {
        "apiVersion": _API_VERSION,
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": name},
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": {"resourceRules": [_CREATION]},
            "variables": [{"name": "rules", "expression": rules}, *_VARIABLES],
            "validations": [*_VALIDATIONS],
        },
    }


def binding(namespaces: Sequence[str], name: str = NAME) -> dict[str, Any]:
    """Make the binding, to the namespaces that the controller serves: others are not its own."""
    selector = {"key": "kubernetes.io/metadata.name", "operator": "In", "values": [*namespaces]}
    return {
        "apiVersion": _API_VERSION,
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": name},
        "spec": {
            "policyName": name,
            "validationActions": ["Deny"],
            "matchResources": {"namespaceSelector": {"matchExpressions": [selector]}},
        },
    }


# Creations only: spec.job can't be changed, and to ask again on an update would keep the finalizer
# of a task on which its namespace's list has shrunk since.
_CREATION: Final = {
    "apiGroups": [names.GROUP],
    "apiVersions": [names.VERSION],
    "operations": ["CREATE"],
    "resources": [names.PLURAL],
}


def _variable(name: str, expression: str) -> Mapping[str, str]:
    return {"name": name, "expression": expression}


def _list(of: str) -> str:
    return f"variables.rules[?request.namespace][?'{of}'].orValue([])"


_EKS: Final = "?eksPropertiesOverride.?podProperties.?metadata.?namespace"

_VARIABLES: Final = (
    _variable("queues", _list("jobQueues")),
    _variable("definitions", _list("jobDefinitions")),
    _variable("eksNamespaces", _list("eksNamespaces")),
    _variable("queue", "object.spec.job.?jobQueue.orValue('')"),
    _variable("definition", "object.spec.job.?jobDefinition.orValue('')"),
    _variable(
        "everyRevision",
        "variables.definition.matches(':[0-9]+$')"
        " ? variables.definition.substring(0, variables.definition.lastIndexOf(':'))"
        " : variables.definition",
    ),
    _variable(
        "eksNamed",
        f"[object.spec.job.{_EKS}]"
        " + object.spec.job.?nodeOverrides.?nodePropertyOverrides.orValue([])"
        f".map(node, node.{_EKS})",
    ),
    _variable(
        "eksRefused",
        f"'{ANY}' in variables.eksNamespaces ? [] : variables.eksNamed.filter(named,"
        " named.hasValue() && !(named.value() in variables.eksNamespaces)).map(named,"
        " named.value())",
    ),
)


def _by_name(kind: str, named: str) -> str:
    return f"entry.endsWith(':{kind}/' + variables.{named})"


def _in(entries: str, *named: str) -> str:
    return " || ".join(
        [f"'{ANY}' in variables.{entries}"]
        + [f"variables.{each} in variables.{entries}" for each in named]
    )


def _validation(field: str, expression: str, said: str) -> Mapping[str, str]:
    """The plain message stands in where the other would have several lines, or over 5 KiB."""
    return {
        "expression": expression,
        "message": f"spec.job{field} is not allowed in this namespace",
        "messageExpression": said,
        "reason": "Forbidden",
    }


def _field_message(field: str, named: str, entries: str) -> str:
    is_there = f"has(object.spec.job.{field})"
    return _message(f".{field}", f"({is_there} ? {_not_allowed(named)} : ' is missing')", entries)


def _not_allowed(named: str) -> str:
    return f"' \\'' + {named} + '\\' is not allowed'"


def _message(what: str, said: str, entries: str) -> str:
    allowed = f"(size(variables.{entries}) == 0 ? 'none' : variables.{entries}.join(', '))"
    return (
        f"'spec.job{what}' + {said} + ' in namespace ' + request.namespace"
        f" + '; allowed: ' + {allowed}"
    )


_VALIDATIONS: Final = (
    _validation(
        ".jobQueue",
        f"variables.queue != '' && ({_in('queues', 'queue')}"
        f" || variables.queues.exists(entry, {_by_name('job-queue', 'queue')}))",
        _field_message("jobQueue", "variables.queue", "queues"),
    ),
    _validation(
        ".jobDefinition",
        f"variables.definition != '' && ({_in('definitions', 'definition', 'everyRevision')}"
        f" || variables.definitions.exists(entry, {_by_name('job-definition', 'definition')}"
        f" || {_by_name('job-definition', 'everyRevision')}))",
        _field_message("jobDefinition", "variables.definition", "definitions"),
    ),
    _validation(
        ": EKS namespace",
        "size(variables.eksRefused) == 0",
        _message(": EKS namespace", _not_allowed("variables.eksRefused[0]"), "eksNamespaces"),
    ),
)
