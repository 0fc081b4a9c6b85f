"""The chart's monitors and rule, held against the prometheus-operator's own CRDs."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from batchtask_local.apiserver import ApiServer, RequestRefusedError, binaries, envtest
from helm.chart import NAMESPACE, render
from helm.matrix import MATRIX

pytestmark = [pytest.mark.integration, pytest.mark.envtest]

KINDS = ("PodMonitor", "PrometheusRule", "ServiceMonitor")
Body = dict[str, Any]


@pytest.fixture(scope="module")
def server() -> Iterator[ApiServer]:
    """A real API server that has the operator's CRDs, and nothing of ours."""
    with envtest(binaries.monitoring_crds()) as server:
        server.create_namespace(NAMESPACE)
        yield server


def apply(server: ApiServer, body: Body) -> Body:
    """Apply it strictly, and have the server forget it."""
    path = f"/apis/{body['apiVersion']}/namespaces/{NAMESPACE}/{body['kind'].lower()}s"
    return server.request(
        "PATCH",
        f"{path}/{body['metadata']['name']}?fieldManager=test&fieldValidation=Strict&dryRun=All",
        body,
        content_type="application/apply-patch+yaml",
    )


@pytest.mark.parametrize("kind", KINDS)
def test_the_operators_schema_takes_it(kind: str, server: ApiServer) -> None:
    body = render(MATRIX["everything-on"]).one(kind)

    taken = apply(server, body)

    assert taken["spec"].items() >= body["spec"].items()


def misspell(spec: Body) -> None:
    spec["podMetricsEndpoints"][0]["scrape-interval"] = "30s"


def give_no_time(spec: Body) -> None:
    spec["podMetricsEndpoints"][0]["interval"] = "often"


@pytest.mark.parametrize("spoil", [misspell, give_no_time])
def test_it_would_refuse_what_is_wrong(spoil: Callable[[Body], None], server: ApiServer) -> None:
    body = render(MATRIX["everything-on"]).one("PodMonitor")
    spoil(body["spec"])

    with pytest.raises(RequestRefusedError, match="interval"):
        apply(server, body)
