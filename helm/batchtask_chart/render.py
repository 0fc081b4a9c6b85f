"""Writes the values' model as values.yaml, as a JSON Schema and as the README's table."""

import json
import textwrap
from collections.abc import Iterator
from typing import Any, Final

import yaml
from pydantic import BaseModel

from batchtask_chart.values import Values

_WIDTH: Final = 100


def values_yaml(values: Values) -> str:
    """The defaults, each below its description."""
    return "\n".join(_section(values, 0)) + "\n"


def _section(section: BaseModel, depth: int) -> Iterator[str]:
    indent = "  " * depth
    for key, value, description in _entries(section):
        yield textwrap.fill(
            description,
            _WIDTH,
            initial_indent=f"{indent}# -- ",
            subsequent_indent=f"{indent}# ",
            break_long_words=False,
            break_on_hyphens=False,
        )
        if isinstance(value, BaseModel):
            yield f"{indent}{key}:"
            yield from _section(value, depth + 1)
        else:
            yield textwrap.indent(_yaml({key: value}), indent)


def _entries(section: BaseModel) -> Iterator[tuple[str, Any, str]]:
    for name, field in type(section).model_fields.items():
        value = getattr(section, name)
        plain = list(value) if isinstance(value, tuple) else value
        yield field.alias or name, plain, field.description or ""


def _yaml(value: object) -> str:
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=_WIDTH).rstrip()


def schema(values: type[Values]) -> str:
    """The JSON Schema by which Helm refuses what isn't a value of the chart."""
    found = _untitled(values.model_json_schema(by_alias=True))
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    return json.dumps(head | found, indent=2, ensure_ascii=False) + "\n"


def _untitled(schema: Any) -> Any:
    """Leave out the titles that pydantic makes of the fields' names."""
    if isinstance(schema, list):
        return [_untitled(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: _untitled(value)
        for key, value in schema.items()
        if key != "title" or not isinstance(value, str)
    }


def table(values: Values) -> str:
    """The table of all values, in Markdown."""
    rows = (
        f"| `{key}` | `{json.dumps(value, ensure_ascii=False)}` | {description} |"
        for key, value, description in _leaves(values, "")
    )
    return "\n".join(["| value | default | what it is |", "|---|---|---|", *rows])


def _leaves(section: BaseModel, prefix: str) -> Iterator[tuple[str, Any, str]]:
    for key, value, description in _entries(section):
        if isinstance(value, BaseModel):
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value, description.replace("|", "\\|")
