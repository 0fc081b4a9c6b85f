"""The API server's refusals, as the port's errors."""

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from batchtask_executor.cluster.tasks import (
    AlreadyExists,
    Conflict,
    Forbidden,
    Gone,
    NotInstalled,
    Refused,
    TasksError,
    Unavailable,
)
from batchtask_executor.config import SECTION
from batchtask_executor.redaction import presentable

_POLICY: Final = re.compile(r"admission webhook|ValidatingAdmissionPolicy|denied (the )?request")
_MOST_BYTES: Final = 2000


def refusal(status: int, body: bytes, headers: Mapping[str, str], doing: str) -> TasksError:
    """Turn a reply that isn't a success into an error.

    Args:
        status: of HTTP.
        body: the API server's Status object, or whatever a proxy sent.
        headers: of the reply.
        doing: what failed, such as "create BatchTask ns/name".
    """
    reply = _status_object(body)
    words = f"can't {doing}: {_words(status, reply, body)}"
    match status:
        case 401:
            return Unavailable(f"{words}; see [{SECTION}] in_cluster and config_file")
        case 403:
            return _forbidden(reply, words)
        case 404:
            return _absent(reply, words)
        case 409:
            return (AlreadyExists if reply.get("reason") == "AlreadyExists" else Conflict)(words)
        case 410:
            return Gone(words)
        case 429:
            return Unavailable(words, retry_after=_retry_after(reply, headers))
        case 413:
            return Refused(words)
        case 400 | 422 if reply.get("kind") == "Status":  # else it isn't the API server who speaks
            return Refused(words)
    return _server_error(status, reply, headers, words)


def _forbidden(reply: Mapping[str, Any], words: str) -> TasksError:
    if "exceeded quota" in words:
        return Forbidden(f"{words}; waiting for room: raise the ResourceQuota, or let tasks finish")
    if "NamespaceTerminating" in json.dumps(reply) or "is being terminated" in words:
        return Forbidden(
            f"{words}; the namespace is being deleted: create it again, or set "
            f"[{SECTION}] namespace to another one"
        )
    if _POLICY.search(words):
        return Refused(words)
    return Forbidden(f"{words}; give Airflow's scheduler this right (manifests/rbac.yaml)")


def _absent(reply: Mapping[str, Any], words: str) -> TasksError:
    if (reply.get("details") or {}).get("kind") == "namespaces":
        return Forbidden(f"{words}; create the namespace, or set [{SECTION}] namespace")
    return NotInstalled(
        f"{words}; the cluster doesn't know BatchTasks: install the CRD "
        "(manifests/crd.yaml, or the chart)"
    )


def _server_error(
    status: int, reply: Mapping[str, Any], headers: Mapping[str, str], words: str
) -> TasksError:
    if "request is too large" in words:  # etcd's own limit comes as a 500
        return Refused(words)
    if "Too large resource version" in words:  # the store was set back
        return Gone(words)
    # A 500 may be due to this object alone, to a webhook that fails on it for example.
    return Unavailable(
        words, retry_after=_retry_after(reply, headers), is_general=status in (502, 503, 504)
    )


def _status_object(body: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _words(status: int, reply: Mapping[str, Any], body: bytes) -> str:
    message = reply.get("message") or body[:_MOST_BYTES].decode("utf-8", "replace").strip()
    return presentable(f"{message or 'no reason given'} ({status})")


def _retry_after(reply: Mapping[str, Any], headers: Mapping[str, str]) -> float | None:
    named = (reply.get("details") or {}).get("retryAfterSeconds") or headers.get("Retry-After")
    try:
        return float(named) if named else None
    except ValueError:  # an HTTP date, as proxies send it
        return None
