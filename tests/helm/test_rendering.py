"""What the chart makes of values, over a matrix of them."""

import json
import re
import tomllib
from typing import Any

import promql_parser
import pytest
import yaml
from prometheus_client import REGISTRY
from pydantic import TypeAdapter

import batchtask_controller.metrics  # noqa: F401 - registers them
from batchtask_api import admission, rbac, submit_job
from batchtask_api.crd import custom_resource_definition
from batchtask_api.policy import Rules
from batchtask_controller.config import Settings
from helm.chart import CHART, NAMESPACE, ROOT, Rendered, helm, render
from helm.matrix import MATRIX

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def bare(body: dict[str, Any]) -> dict[str, Any]:
    """Leave away what Helm puts on every object."""
    metadata = {
        key: body["metadata"][key] for key in ("name", "namespace") if key in body["metadata"]
    }
    return body | {"metadata": metadata}


def rights(rendered: Rendered, *, hooks: bool = False) -> list[dict[str, Any]]:
    kinds = ("Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding")
    return [
        bare(body)
        for kind in kinds
        for body in rendered.all(kind)
        if hooks == ("helm.sh/hook" in body["metadata"].get("annotations", {}))
    ]


def in_order(bodies: list[dict[str, Any]]) -> list[str]:
    return sorted(json.dumps(body, sort_keys=True) for body in bodies)


@pytest.mark.parametrize("name", MATRIX)
def test_lint_finds_nothing(name: str) -> None:
    linted = helm("lint", "--strict", str(CHART), "--values", "-", stdin=json.dumps(MATRIX[name]))

    assert linted.returncode == 0, linted.stdout + linted.stderr


@pytest.mark.parametrize("name", MATRIX)
def test_every_object_has_our_labels_and_no_name_twice(name: str) -> None:
    rendered = render(MATRIX[name])

    named = [
        (body["kind"], body["metadata"].get("namespace"), body["metadata"]["name"])
        for body in rendered.objects
    ]
    assert len(named) == len(set(named))
    for body in rendered.objects:
        if not body["metadata"]["name"].endswith("-more"):
            labels = body["metadata"]["labels"]
            assert labels["app.kubernetes.io/instance"] == "batchtask"
            assert labels["helm.sh/chart"] == f"airflow-batchtask-{PROJECT['version']}"


def test_the_charts_versions_are_the_projects() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text("utf-8"))

    assert {chart["version"], chart["appVersion"]} == {PROJECT["version"]}


def test_the_rights_are_those_of_the_one_table() -> None:
    meant = [body for grant in rbac.grants() for body in (grant.role(), grant.binding())]
    for_hooks = [body for grant in rbac.hook_grants() for body in (grant.role(), grant.binding())]

    rendered = render(MATRIX["uninstalls-all"])

    assert in_order(rights(rendered)) == in_order(meant)
    assert in_order(rights(rendered, hooks=True)) == in_order(for_hooks)


def test_other_accounts_and_namespaces_get_the_same_rights() -> None:
    rendered = render(MATRIX["two-teams"])
    meant = [
        body
        for tasks in ("team-a", "team-b")
        for grant in rbac.grants(
            tasks=tasks,
            scheduler=rbac.Account("prod-airflow-scheduler", "flow"),
            api_server=rbac.Account("prod-airflow-api-server", "flow"),
        )
        # Airflow writes to the first; the controller's account serves both.
        if tasks == "team-a" or (grant.account == rbac.CONTROLLER and grant.namespace == tasks)
        for body in (grant.role(), grant.binding())
    ]

    assert in_order(rights(rendered)) == in_order(meant)


def test_without_rbac_no_role_is_made_and_no_binding() -> None:
    rendered = render(MATRIX["everything-off"] | {"crds": {"keep": False}})

    assert not {"Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding"} & rendered.kinds()
    assert {"Job", "Pod", "ServiceAccount"} <= rendered.kinds()


def test_the_plain_manifests_are_the_charts() -> None:
    rendered = render()
    plain = [
        body
        for file in (ROOT / "manifests").glob("*.yaml")
        for body in yaml.safe_load_all(file.read_text("utf-8"))
    ]
    # A release's own namespace is Helm's to make; its test is a hook.
    meant = [
        bare(body)
        for body in rendered.objects
        if "helm.sh/hook" not in body["metadata"].get("annotations", {})
    ]
    # And the policy is what an administrator narrows there, and values hold here.
    found = [
        bare(body) for body in plain if body["metadata"]["name"] not in {NAMESPACE, admission.NAME}
    ]

    assert in_order(found) == in_order(meant)


def test_the_policy_is_the_same_at_admission_and_in_the_controller() -> None:
    given = MATRIX["policed"]["settings"]
    rendered = render(MATRIX["policed"])
    rules = TypeAdapter(Rules).validate_python(given["policy"])

    found = rendered.one("ValidatingAdmissionPolicy")
    meant = admission.policy("the rules")
    variables = found["spec"]["variables"]
    assert json.loads(variables[0].pop("expression")) == given["policy"]
    meant["spec"]["variables"][0].pop("expression")
    assert bare(found) == meant
    bound = rendered.one("ValidatingAdmissionPolicyBinding")
    assert bare(bound) == admission.binding(["airflow-tasks"])
    assert TypeAdapter(Rules).validate_json(rendered.env()["BATCHTASK_POLICY"]) == rules
    assert json.loads(rendered.env()["BATCHTASK_ACCOUNTS"]) == given["accounts"]


@pytest.mark.parametrize(
    "values", [{}, MATRIX["policed"] | {"admission": {"enabled": False}}], ids=["none", "off"]
)
def test_without_a_policy_nothing_is_refused_at_admission(values: dict[str, Any]) -> None:
    assert not {kind for kind in render(values).kinds() if kind.startswith("Validating")}


def test_kubectl_meets_no_object_before_its_namespace() -> None:
    there = {"default"}
    for file in sorted((ROOT / "manifests").glob("*.yaml")):
        for body in yaml.safe_load_all(file.read_text("utf-8")):
            assert body["metadata"].get("namespace", "default") in there, file.name
            if body["kind"] == "Namespace":
                there.add(body["metadata"]["name"])


def test_the_crd_is_the_apis() -> None:
    crd = render().one("CustomResourceDefinition")

    assert crd["spec"] == custom_resource_definition(submit_job.schema())["spec"]


@pytest.mark.parametrize(("keep", "policy"), [(True, "keep"), (False, None)])
def test_the_crd_stays_at_uninstall_if_it_is_to(keep: bool, policy: str | None) -> None:
    rendered = render({"crds": {"keep": keep}})
    crd = rendered.one("CustomResourceDefinition")

    assert crd["metadata"].get("annotations", {}).get("helm.sh/resource-policy") == policy
    assert ("Job" in rendered.kinds()) == (not keep)


def test_without_the_crd_no_hook_lets_other_peoples_tasks_go() -> None:
    rendered = render({"crds": {"enabled": False, "keep": False}})

    assert not {"CustomResourceDefinition", "Job"} & rendered.kinds()


def test_the_tasks_namespaces_outlive_the_chart() -> None:
    rendered = render(MATRIX["two-teams"])

    kept = {
        body["metadata"]["name"]: body["metadata"]["annotations"]["helm.sh/resource-policy"]
        for body in rendered.all("Namespace")
    }
    assert kept == {"team-a": "keep", "team-b": "keep"}


def test_a_namespace_that_is_there_anyway_is_not_made() -> None:
    assert render(MATRIX["airflows-own-namespace"]).all("Namespace") == []
    assert render(namespace="airflow-tasks").all("Namespace") == []


def test_each_setting_reaches_the_controller_as_its_variable() -> None:
    given = {
        "namespaces": ["airflow-tasks", "other"],
        "awsRegion": "eu-central-1",
        "awsEndpointUrl": "http://localhost:4566",
        "callsPerSecond": 12.5,
        "pollIntervalSeconds": 7,
        "terminateOrphans": False,
        "orphanSweepSeconds": 1000000,
        "orphansPerSweep": 1000,
        "logTail": True,
        "leaseName": "lead",
        "leaseNamespace": "here",
        "healthPort": 9000,
        "logLevel": "DEBUG",
    }

    env = render({"settings": given}).env()

    settings = Settings(
        **{name.removeprefix("BATCHTASK_").lower(): value for name, value in env.items()}  # type: ignore[arg-type]
    )
    found = settings.model_dump(by_alias=True)
    assert {name: found[snake(name)] for name in given} == given | {
        "namespaces": tuple(given["namespaces"])  # type: ignore[arg-type]
    }
    assert len(env) == len(given)


def snake(name: str) -> str:
    return re.sub(r"([A-Z])", lambda found: f"_{found[1].lower()}", name)


def test_settings_and_values_have_the_same_names() -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text("utf-8"))

    assert [snake(name) for name in values["settings"]] == list(Settings.model_fields)


def test_by_default_only_the_releases_own_settings_are_set() -> None:
    assert render().env() == {
        "BATCHTASK_HEALTH_PORT": "8080",
        "BATCHTASK_LEASE_NAME": "batchtask-controller",
        "BATCHTASK_LEASE_NAMESPACE": NAMESPACE,
        "BATCHTASK_NAMESPACES": "airflow-tasks",
    }


@pytest.mark.parametrize("name", MATRIX)
def test_every_pod_keeps_to_the_restricted_standard(name: str) -> None:
    rendered = render(MATRIX[name])

    pods = [rendered.pod(), *(body["spec"] for body in rendered.all("Pod"))]
    pods += [body["spec"]["template"]["spec"] for body in rendered.all("Job")]
    for pod in pods:
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] == 65532
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in pod["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "capabilities": {"drop": ["ALL"]},
                "readOnlyRootFilesystem": True,
            }
            assert container["resources"]["requests"].keys() == {"cpu", "memory"}
            assert "memory" in container["resources"]["limits"]


def test_a_standby_waits_and_both_are_spread() -> None:
    deployment = render().one("Deployment")
    spec = deployment["spec"]

    assert spec["replicas"] == 2
    assert spec["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}
    for constraint in spec["template"]["spec"]["topologySpreadConstraints"]:
        assert constraint["labelSelector"] == spec["selector"]
    assert render().one("PodDisruptionBudget")["spec"]["selector"] == spec["selector"]


@pytest.mark.parametrize(
    ("image", "found"),
    [
        ({}, f"batchtask-controller:{PROJECT['version']}"),
        ({"tag": "1.2.3"}, "batchtask-controller:1.2.3"),
        (
            {"tag": "1.2.3", "digest": "sha256:" + "a" * 64},
            "batchtask-controller@sha256:" + "a" * 64,
        ),
    ],
)
def test_the_image_is_named_by_digest_or_tag(image: dict[str, str], found: str) -> None:
    rendered = render({"image": image, "crds": {"keep": False}})

    pods = [rendered.pod(), rendered.one("Pod")["spec"]]
    pods.append(rendered.one("Job")["spec"]["template"]["spec"])
    assert {container["image"] for pod in pods for container in pod["containers"]} == {found}


def test_the_network_policy_lets_through_what_the_controller_needs() -> None:
    spec = render(MATRIX["everything-on"]).one("NetworkPolicy")["spec"]

    assert spec["ingress"] == [
        {
            "ports": [{"port": "health", "protocol": "TCP"}],
            "from": MATRIX["everything-on"]["networkPolicy"]["ingressFrom"],
        }
    ]
    ports = {port["port"] for rule in spec["egress"] for port in rule["ports"]}
    assert ports == {53, 80, 443, 6443, 3128}


def test_extra_objects_are_templates() -> None:
    found = render(MATRIX["extras"]).one("ConfigMap")

    assert (found["metadata"]["name"], found["data"]) == ("batchtask-more", {"A": "1"})


def test_extras_reach_the_pod() -> None:
    rendered = render(MATRIX["extras"])
    container, template = rendered.container(), rendered.one("Deployment")["spec"]["template"]

    assert rendered.env()["HTTPS_PROXY"] == "http://proxy:3128"
    assert container["envFrom"] == MATRIX["extras"]["extraEnvFrom"]
    assert container["volumeMounts"] == MATRIX["extras"]["extraVolumeMounts"]
    assert rendered.pod()["volumes"] == MATRIX["extras"]["extraVolumes"]
    assert template["metadata"]["annotations"] == {"note": "x"}
    assert {"mesh": "off", "team": "data"}.items() <= template["metadata"]["labels"].items()
    assert rendered.one("Deployment")["metadata"]["name"] == "bt-controller"


SUFFIXES = {"counter": ["_total"], "histogram": ["_bucket", "_sum", "_count"]}


def known_metrics() -> set[str]:
    """What the controller registers when it is imported."""
    return {
        family.name + suffix
        for family in REGISTRY.collect()
        if family.name.startswith("batchtask_")
        for suffix in SUFFIXES.get(family.type, [""])
    }


def alerts() -> list[str]:
    """The expressions of the PrometheusRule."""
    rule = render(MATRIX["everything-on"]).one("PrometheusRule")
    return [each["expr"] for group in rule["spec"]["groups"] for each in group["rules"]]


def panels() -> list[str]:
    """Those of the dashboard, whose $namespace Grafana fills in."""
    data = render(MATRIX["everything-on"]).one("ConfigMap", "batchtask-dashboard")["data"]
    shown = json.loads(data["airflow-batchtask.json"])["panels"]
    return [target["expr"] for panel in shown for target in panel["targets"]]


def test_prometheus_can_read_every_expression() -> None:
    for expression in (*alerts(), *panels()):
        promql_parser.parse(expression)


def test_alerts_and_dashboard_ask_for_metrics_that_there_are() -> None:
    rules, asked = alerts(), [*alerts(), *panels()]

    used = {name for text in asked for name in re.findall(r"batchtask_\w+", text)}

    assert used <= known_metrics()
    assert len(rules) == 7
    assert all(f'namespace="{NAMESPACE}"' in rule for rule in rules)
    # Every metric is on the dashboard.
    shown = {name for text in panels() for name in re.findall(r"batchtask_\w+", text)}
    assert {re.sub("_(bucket|sum|count)$", "", name) for name in known_metrics()} == {
        re.sub("_bucket$", "", name) for name in shown
    }


def test_the_monitors_find_the_port_that_the_pods_have() -> None:
    rendered = render(MATRIX["everything-on"])
    port = rendered.container()["ports"][0]
    service = rendered.one("Service")

    pods, services = rendered.one("PodMonitor")["spec"], rendered.one("ServiceMonitor")["spec"]
    assert pods["podMetricsEndpoints"][0]["port"] == port["name"]
    assert service["spec"]["ports"][0]["targetPort"] == port["name"]
    assert services["endpoints"][0]["port"] == service["spec"]["ports"][0]["name"]
    assert services["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    assert rendered.one("PodMonitor")["metadata"]["labels"]["release"] == "prometheus"
