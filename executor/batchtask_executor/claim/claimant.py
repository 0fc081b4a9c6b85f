"""This Airflow, as one that claims an instance in a cluster."""

from airflow.configuration import conf
from airflow.utils.net import get_hostname

from batchtask_api.addresses import without_login
from batchtask_executor.claim.gate import Claimant
from batchtask_executor.claim.own_id import DatabaseId
from batchtask_executor.cluster.kube_api import KubeApi
from batchtask_executor.cluster.kube_claims import KubeClaims
from batchtask_executor.config import Settings


def airflow_claimant(settings: Settings) -> Claimant:
    """Put its parts together; nothing is asked before they are used."""
    return Claimant(KubeClaims(settings, KubeApi(settings, connections=1)), DatabaseId(), _address)


def _address() -> str:
    url: str | None = conf.get("api", "base_url", fallback=None)
    return without_login(url) if url else str(get_hostname())  # type: ignore[no-untyped-call]
