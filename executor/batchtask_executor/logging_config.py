"""Airflow's own logging configuration, with BatchTasks in its log view.

`[logging] logging_config_class` names `batchtask_executor.logging_config.LOGGING_CONFIG`; Airflow
takes the other names here from beside it.
"""

import logging
import pkgutil
from typing import Any
from urllib.parse import urlsplit

from airflow.config_templates import airflow_local_settings
from airflow.configuration import conf

from batchtask_executor.remote_log import BatchTaskLogIO

log = logging.getLogger(__name__)


def _theirs() -> Any:
    """The remote log IO that Airflow would find without this module, in its own order."""
    return _of_a_provider() or getattr(airflow_local_settings, "REMOTE_TASK_LOG", None)


def _of_a_provider() -> Any:
    """What a provider offers for the scheme of remote_base_log_folder, from Airflow 3.3 on."""
    from airflow.providers_manager import ProvidersManager

    if not conf.getboolean("logging", "remote_logging", fallback=False):
        return None
    providers = ProvidersManager()  # type: ignore[no-untyped-call]
    by_scheme = getattr(providers, "remote_logging_handler_by_scheme", None)
    folder = conf.get("logging", "remote_base_log_folder", fallback="")
    offered = by_scheme(urlsplit(folder or "").scheme) if by_scheme else None
    if offered is None:
        return None
    try:
        return pkgutil.resolve_name(offered.classpath).from_config()
    except Exception:  # Airflow goes on without it, too
        log.exception("Remote logs are not available: %s can't be made", offered.classpath)
        return None


LOGGING_CONFIG: dict[str, Any] = airflow_local_settings.DEFAULT_LOGGING_CONFIG
DEFAULT_REMOTE_CONN_ID: str | None = getattr(airflow_local_settings, "DEFAULT_REMOTE_CONN_ID", None)
REMOTE_TASK_LOG = BatchTaskLogIO(_theirs)
