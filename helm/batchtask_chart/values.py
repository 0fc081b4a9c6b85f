"""The chart's values: one source of values.yaml, values.schema.json and the README's table.

A model is closed: a typo is refused by its name. What is a piece of a Kubernetes object is open,
and the API server checks it.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from batchtask_api.names import DEFAULT_NAMESPACE
from batchtask_api.rbac import AIRFLOW_API_SERVER, AIRFLOW_NAMESPACE, AIRFLOW_SCHEDULER
from batchtask_chart.settings import SettingsValues

Piece = dict[str, Any]
"""A piece of a Kubernetes object."""
Name = Annotated[str, Field(pattern=r"^([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?)?$")]
"""The name of a Kubernetes object, or empty."""
Texts = dict[str, str]

_SPREAD = [
    {"maxSkew": 1, "topologyKey": key, "whenUnsatisfiable": "ScheduleAnyway"}
    for key in ("topology.kubernetes.io/zone", "kubernetes.io/hostname")
]


class Closed(BaseModel):
    """A section that takes these keys and no others."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, alias_generator=to_camel, populate_by_name=True
    )


class Image(Closed):
    repository: str = Field("batchtask-controller", min_length=1, description="Where it is.")
    tag: str = Field("", description="Its tag; the chart's appVersion where empty.")
    digest: str = Field(
        "",
        pattern=r"^(sha256:[0-9a-f]{64})?$",
        description="Its digest, `sha256:…`, which goes before the tag.",
    )
    pull_policy: Literal["Always", "IfNotPresent", "Never"] = Field(
        "IfNotPresent", description="When the kubelet pulls it."
    )


class Crds(Closed):
    enabled: bool = Field(
        True, description="Install and upgrade the CRD; false where something else does."
    )
    keep: bool = Field(
        True,
        description="Leave the CRD and all tasks at uninstall. Else a hook lets every BatchTask of "
        "the cluster go first, so that nothing hangs.",
    )


class TasksNamespaces(Closed):
    create: bool = Field(
        True, description="Make the namespaces of `settings.namespaces`; an uninstall leaves them."
    )
    allow_airflows: bool = Field(
        False,
        description="Let `settings.namespaces` name `airflow.namespace`: there the controller can "
        "read every Secret of Airflow's, its database's address and its keys too.",
    )


class Account(Closed):
    service_account: Name = Field(description="Its service account.", min_length=1)


class Airflow(Closed):
    rbac: bool = Field(
        True, description="Give Airflow's accounts their rights in `airflow.tasksNamespace`."
    )
    namespace: Name = Field(
        AIRFLOW_NAMESPACE, min_length=1, description="Where Airflow is installed."
    )
    tasks_namespace: Name = Field(
        DEFAULT_NAMESPACE,
        min_length=1,
        description="Where its executor writes tasks: `[batchtask_executor] namespace`; one of "
        "`settings.namespaces`.",
    )
    scheduler: Account = Field(
        Account(service_account=AIRFLOW_SCHEDULER.name),
        description="Creates tasks and their Secrets, reads no Secret.",
    )
    api_server: Account = Field(
        Account(service_account=AIRFLOW_API_SERVER.name),
        description="Reads tasks, to show their logs.",
    )


class Admission(Closed):
    enabled: bool = Field(
        True,
        description="Where `settings.policy` is set, refuse at the API server too what it refuses: "
        "a ValidatingAdmissionPolicy over `settings.namespaces`.",
    )


class ServiceAccount(Closed):
    create: bool = Field(True, description="Make the controller's service account.")
    name: Name = Field("", description="Its name; made from the release's where empty.")
    annotations: Texts = Field(
        {},
        description="Its annotations. IRSA: `eks.amazonaws.com/role-arn`. EKS Pod Identity needs "
        "none: associate the role with this account.",
    )


class Rbac(Closed):
    create: bool = Field(True, description="Make all roles and bindings, those of the hooks too.")


class Release(Closed):
    wait_seconds: int = Field(
        60,
        ge=0,
        le=3600,
        description="How long the uninstall without `crds.keep` waits for the jobs to end.",
    )


class Probe(Closed):
    initial_delay_seconds: int = Field(0, ge=0, description="Seconds before the first.")
    period_seconds: int = Field(10, ge=1, description="Seconds between two.")
    timeout_seconds: int = Field(5, ge=1, description="Seconds that one may take.")
    failure_threshold: int = Field(3, ge=1, description="Failures in a row that count.")


class Probes(Closed):
    liveness: Probe = Field(
        Probe(failure_threshold=6),
        description="Fails where a loop has died, the poller stands still or the watch is blind.",
    )
    readiness: Probe = Field(
        Probe(period_seconds=5), description="Fails until the watch runs, on a standby too."
    )


class PodDisruptionBudget(Closed):
    enabled: bool = Field(True, description="Let drains evict one controller at a time.")
    max_unavailable: int = Field(1, ge=1, description="How many may be away at once.")


class NetworkPolicy(Closed):
    enabled: bool = Field(False, description="Limit what the controller may reach and be asked.")
    ingress_from: list[Piece] = Field(
        [], description="Who may ask /metrics and the probes; everybody where empty."
    )
    egress_ports: list[int] = Field(
        [443, 6443], description="Ports of the API server and of AWS, anywhere."
    )
    extra_egress: list[Piece] = Field([], description="More egress rules, such as a proxy's.")


class Monitor(Closed):
    enabled: bool = Field(False, description="Make it; its CRD must be there.")
    interval: str = Field("30s", description="How often it asks.")
    labels: Texts = Field({}, description="Labels by which your Prometheus finds it.")


class PrometheusRule(Closed):
    enabled: bool = Field(False, description="Make the alerts; the CRD must be there.")
    labels: Texts = Field({}, description="Labels by which your Prometheus finds them.")


class Dashboard(Closed):
    enabled: bool = Field(False, description="Make a ConfigMap with the Grafana dashboard.")
    labels: Texts = Field(
        {"grafana_dashboard": "1"}, description="Labels by which Grafana's sidecar finds it."
    )


class Metrics(Closed):
    pod_monitor: Monitor = Field(Monitor(), description="A PodMonitor.")
    service_monitor: Monitor = Field(Monitor(), description="A ServiceMonitor and its Service.")
    prometheus_rule: PrometheusRule = Field(PrometheusRule(), description="Alerts.")
    dashboard: Dashboard = Field(Dashboard(), description="The Grafana dashboard.")


class FlowControl(Closed):
    enabled: bool = Field(
        False,
        description="Give the controller and Airflow's scheduler a priority level of their own at "
        "the API server, apart from other service accounts' requests.",
    )
    shares: int = Field(20, ge=1, description="nominalConcurrencyShares of that level.")
    matching_precedence: int = Field(
        1000, ge=1, le=10000, description="Precedence of the FlowSchema; lower goes first."
    )


class Values(Closed):
    """The values of the chart airflow-batchtask."""

    model_config = ConfigDict(title="Values of airflow-batchtask")

    global_: Piece = Field({}, alias="global", description="Helm's own; not used here.")
    fullname_override: Name = Field(
        "", max_length=40, description="What all names begin with; the release's name where empty."
    )
    replicas: int = Field(
        2, ge=0, le=10, description="Controllers: one leads, the others stand by."
    )
    image: Image = Field(Image(), description="The controller's image.")
    image_pull_secrets: list[Piece] = Field([], description="Secrets to pull it with: `name: …`.")
    settings: SettingsValues = Field(
        SettingsValues(),
        description="The controller's settings: `pollIntervalSeconds` is "
        "BATCHTASK_POLL_INTERVAL_SECONDS. null leaves the controller's own default.",
    )
    tasks_namespaces: TasksNamespaces = Field(
        TasksNamespaces(), description="The namespaces that tasks and their Secrets live in."
    )
    airflow: Airflow = Field(Airflow(), description="The Airflow beside it.")
    crds: Crds = Field(Crds(), description="The CustomResourceDefinition.")
    admission: Admission = Field(Admission(), description="The policy, at admission.")
    service_account: ServiceAccount = Field(
        ServiceAccount(), description="The controller's identity, in the cluster and with AWS."
    )
    rbac: Rbac = Field(Rbac(), description="Rights.")
    release: Release = Field(Release(), description="The hook before an uninstall.")
    resources: Piece = Field(
        {"requests": {"cpu": "100m", "memory": "256Mi"}, "limits": {"memory": "1Gi"}},
        description="The controller's resources; what it was measured to use stands below.",
    )
    probes: Probes = Field(Probes(), description="The kubelet's probes.")
    pod_disruption_budget: PodDisruptionBudget = Field(
        PodDisruptionBudget(), description="What a drain may do."
    )
    network_policy: NetworkPolicy = Field(NetworkPolicy(), description="A NetworkPolicy.")
    metrics: Metrics = Field(Metrics(), description="What watches over it.")
    flow_control: FlowControl = Field(
        FlowControl(), description="API priority and fairness; one such release a cluster."
    )
    common_labels: Texts = Field({}, description="Labels of all objects.")
    pod_annotations: Texts = Field({}, description="Annotations of the pods.")
    pod_labels: Texts = Field({}, description="Labels of the pods.")
    pod_security_context: Piece = Field(
        {
            "runAsNonRoot": True,
            "runAsUser": 65532,
            "runAsGroup": 65532,
            "fsGroup": 65532,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        description="securityContext of the pods, as the restricted standard wants it.",
    )
    security_context: Piece = Field(
        {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        },
        description="securityContext of the containers, as the restricted standard wants it.",
    )
    topology_spread_constraints: list[Piece] = Field(
        _SPREAD, description="How the pods are spread; a labelSelector that lacks is put in."
    )
    priority_class_name: str = Field("", description="priorityClassName of the pods.")
    node_selector: Texts = Field({}, description="nodeSelector of the pods.")
    tolerations: list[Piece] = Field([], description="tolerations of the pods.")
    affinity: Piece = Field({}, description="affinity of the pods.")
    termination_grace_period_seconds: int = Field(
        60, ge=30, description="The sends under way at a SIGTERM may take 25 s."
    )
    extra_env: list[Piece] = Field([], description="More environment variables.")
    extra_env_from: list[Piece] = Field([], description="More sources of such.")
    extra_volumes: list[Piece] = Field([], description="More volumes of the pods.")
    extra_volume_mounts: list[Piece] = Field([], description="Where they are mounted.")
    extra_objects: list[Piece] = Field(
        [], description="More objects, each of them a template: `{{ .Release.Namespace }}` works."
    )
