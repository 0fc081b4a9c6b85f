"""The API server takes the way to Airflow's execution API."""

import pytest
import yaml

from batchtask_local.apiserver import ApiServer
from integration.api.conftest import ROOT

pytestmark = [pytest.mark.integration, pytest.mark.envtest]


def test_the_ingress_is_taken(envtest_server: ApiServer) -> None:
    ingress = yaml.safe_load((ROOT / "aws" / "execution-api.yaml").read_text("utf-8"))
    envtest_server.create_namespace(ingress["metadata"]["namespace"])
    path = f"/apis/networking.k8s.io/v1/namespaces/{ingress['metadata']['namespace']}/ingresses"

    made = envtest_server.request("POST", f"{path}?dryRun=All&fieldValidation=Strict", ingress)

    assert made["spec"] == ingress["spec"]
