"""What an account may do, as the table grants it, and what it did, as the audit log has it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from batchtask_api import rbac


@dataclass(frozen=True)
class Right:
    """A verb on a resource in a namespace; without one, in all of them."""

    verb: str
    resource: str
    where: str = ""


def granted(account: rbac.Account) -> set[Right]:
    """Give all the rights of an account."""
    return {
        Right(verb, rule.resource, grant.namespace or "")
        for grant in (*rbac.grants(), *rbac.hook_grants())
        if grant.account == account
        for rule in grant.rules
        for verb in rule.verbs
    }


def used(audited: Iterable[Mapping[str, Any]], account: rbac.Account) -> set[tuple[Right, int]]:
    """Give what the account asked for, each with the status of the answer."""
    user = f"system:serviceaccount:{account.namespace}:{account.name}"
    everywhere = {right.resource for right in granted(account) if not right.where}
    return {
        (_right(entry, everywhere), entry["responseStatus"]["code"])
        for entry in audited
        if entry["user"]["username"] == user and _is_granted_by_us(entry)
    }


def _is_granted_by_us(entry: Mapping[str, Any]) -> bool:
    """Kubernetes itself lets everybody ask for paths, and what they may do."""
    return entry.get("objectRef", {}).get("apiGroup") != "authorization.k8s.io" and (
        "objectRef" in entry
    )


def _right(entry: Mapping[str, Any], everywhere: set[str]) -> Right:
    asked = entry["objectRef"]
    resource = "/".join(filter(None, (asked["resource"], asked.get("subresource"))))
    where = "" if resource in everywhere else asked.get("namespace", "")
    return Right(entry["verb"], resource, where)
