import json
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import airflow
import jsonschema  # type: ignore[import-untyped]
import pytest
from airflow.configuration import conf
from airflow.executors.executor_loader import ExecutorLoader
from airflow.providers_manager import ProvidersManager

from batchtask_executor.cli.definition import get_batchtask_cli_commands
from batchtask_executor.config import SECTION, Settings
from batchtask_executor.get_provider_info import get_provider_info

INFO = get_provider_info()
MANAGER = ProvidersManager()  # type: ignore[no-untyped-call]
OPTIONS: dict[str, Any] = INFO["config"][SECTION]["options"]


def test_it_fits_airflows_schema() -> None:
    schema = json.loads((Path(airflow.__file__).parent / "provider_info.schema.json").read_text())

    jsonschema.validate(INFO, schema)


def test_the_entry_point_and_the_name_are_the_distributions() -> None:
    found = distribution(INFO["package-name"])

    (entry,) = found.entry_points.select(group="apache_airflow_provider")
    assert entry.load() is get_provider_info


def test_its_options_are_the_settings_with_the_same_defaults() -> None:
    assert OPTIONS.keys() == Settings.model_fields.keys()

    assert Settings.read(lambda name: OPTIONS[name]["default"]) == Settings()


def test_airflow_hands_its_defaults_out() -> None:
    MANAGER.initialize_providers_configuration()

    assert Settings.read(lambda name: conf.get(SECTION, name, fallback=None)) == Settings()


@pytest.mark.parametrize("option", OPTIONS)
def test_every_option_is_described(option: str) -> None:
    described = OPTIONS[option]

    assert described.keys() == {"description", "version_added", "type", "example", "default"}
    assert described["description"]
    if described["example"]:
        Settings.read({option: described["example"]}.get)


def test_airflow_finds_the_executor_and_its_commands() -> None:
    assert [path for path in INFO["executors"] if path in MANAGER.executor_class_names]
    (path,) = INFO["cli"]
    assert path.endswith(get_batchtask_cli_commands.__name__)
    assert get_batchtask_cli_commands in MANAGER.cli_command_functions


def test_airflow_loads_the_executor_by_its_path(configured: pytest.MonkeyPatch) -> None:
    path = INFO["executors"][0]
    configured.setenv("AIRFLOW__CORE__EXECUTOR", f"LocalExecutor,batchtask:{path}")

    (name,) = [name for name in _names() if name.alias == "batchtask"]
    found, _ = ExecutorLoader.import_executor_cls(name)

    assert f"{found.__module__}.{found.__name__}" == "batchtask_executor.executor.BatchTaskExecutor"


def _names() -> Any:
    from airflow.executors import executor_loader

    executor_loader._executor_names.clear()
    try:
        return list(ExecutorLoader.get_executor_names(validate_teams=False))
    finally:
        executor_loader._executor_names.clear()
