"""The chart's section `settings`, made from the controller's Settings."""

import json
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, create_model
from pydantic.alias_generators import to_camel
from pydantic.fields import FieldInfo

from batchtask_controller.config import Settings

_USED_BY_TEMPLATES: Final = ("namespaces", "health_port")
"""Where the chart must know the default as well: for roles and namespaces, and for the ports."""
_OF_THE_RELEASE: Final = {
    "lease_name": "made from the release's name",
    "lease_namespace": "the release's",
    "identity": "the pod's name and process",
}
"""Defaults that the chart or the pod makes."""


def _field(name: str, field: FieldInfo) -> Any:
    annotation: Any = field.annotation
    for constraint in field.metadata:
        annotation = Annotated[annotation, constraint]
    if name in _USED_BY_TEMPLATES:
        return annotation, Field(field.default, description=field.description)
    description = f"{field.description}{_default(name, field)}"
    return annotation | None, Field(None, description=description)


def _default(name: str, field: FieldInfo) -> str:
    """The controller's own default, in words."""
    if name in _OF_THE_RELEASE:
        return f" Default: {_OF_THE_RELEASE[name]}."
    if field.default_factory is not None or field.default is None:
        return ""
    return f" Default: {json.dumps(field.default)}."


SettingsValues: type[BaseModel] = create_model(
    "SettingsValues",
    __config__=ConfigDict(
        extra="forbid", frozen=True, alias_generator=to_camel, populate_by_name=True
    ),
    **{name: _field(name, field) for name, field in Settings.model_fields.items()},
)
