"""The chart's README: its text, with the rights, the measurements and the values put in."""

from pathlib import Path
from typing import Final

from batchtask_api import rbac
from batchtask_chart import render
from batchtask_chart.values import Values

_HERE: Final = Path(__file__).parent


def readme(values: Values) -> str:
    """The whole page."""
    text = (_HERE / "README.md.in").read_text("utf-8")
    parts = {"@rights@": _rights(), "@values@": render.table(values)}
    for mark, part in parts.items():
        text = text.replace(mark, part)
    return text


def _rights() -> str:
    rows = []
    for grant in (*rbac.grants(), *rbac.hook_grants()):
        where = f"in `{grant.namespace}`" if grant.namespace else "in all namespaces"
        for rule in grant.rules:
            named = f" {', '.join(rule.resource_names)}" if rule.resource_names else ""
            verbs = ", ".join(rule.verbs)
            rows.append(f"| `{grant.account.name}` | {verbs} `{rule.resource}`{named} {where} |")
    return "\n".join(rows)
