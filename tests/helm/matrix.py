"""Sets of values that each turn something of the chart another way."""

from typing import Any

MATRIX: dict[str, dict[str, Any]] = {
    "defaults": {},
    "everything-on": {
        "metrics": {
            "podMonitor": {"enabled": True, "labels": {"release": "prometheus"}},
            "serviceMonitor": {"enabled": True},
            "prometheusRule": {"enabled": True, "labels": {"release": "prometheus"}},
            "dashboard": {"enabled": True},
        },
        "networkPolicy": {
            "enabled": True,
            "ingressFrom": [{"namespaceSelector": {"matchLabels": {"team": "monitoring"}}}],
            "extraEgress": [{"ports": [{"port": 3128, "protocol": "TCP"}]}],
        },
        "flowControl": {"enabled": True},
        "priorityClassName": "system-cluster-critical",
    },
    "everything-off": {
        "replicas": 1,
        "crds": {"enabled": False},
        "rbac": {"create": False},
        "serviceAccount": {"create": False, "name": "mine"},
        "podDisruptionBudget": {"enabled": False},
        "tasksNamespaces": {"create": False},
        "topologySpreadConstraints": [],
    },
    "uninstalls-all": {"crds": {"keep": False}, "release": {"waitSeconds": 5}},
    "two-teams": {
        "settings": {"namespaces": ["team-a", "team-b"], "leaseName": "lead"},
        "airflow": {
            "namespace": "flow",
            "tasksNamespace": "team-a",
            "scheduler": {"serviceAccount": "prod-airflow-scheduler"},
            "apiServer": {"serviceAccount": "prod-airflow-api-server"},
        },
    },
    "airflows-own-namespace": {
        "settings": {"namespaces": ["airflow"]},
        "airflow": {"tasksNamespace": "airflow"},
        "tasksNamespaces": {"allowAirflows": True},
    },
    "on-eks": {
        "image": {"repository": "images/batchtask-controller", "digest": "sha256:" + "0" * 64},
        "imagePullSecrets": [{"name": "pull"}],
        "serviceAccount": {"annotations": {"eks.amazonaws.com/role-arn": "arn:aws:iam::1:role/x"}},
        "settings": {"awsRegion": "eu-central-1", "callsPerSecond": 25, "logTail": False},
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "tolerations": [{"key": "infra", "operator": "Exists"}],
        "affinity": {"nodeAffinity": {}},
    },
    "policed": {
        "settings": {
            "policy": {
                "airflow-tasks": {
                    "jobQueues": ["analytics"],
                    "jobDefinitions": ["worker:7", "batch"],
                }
            },
            "accounts": {
                "airflow-tasks": {"roleArn": "arn:aws:iam::123456789012:role/batchtask"},
            },
        },
    },
    "extras": {
        "fullnameOverride": "bt",
        "commonLabels": {"team": "data"},
        "podLabels": {"mesh": "off"},
        "podAnnotations": {"note": "x"},
        "extraEnv": [{"name": "HTTPS_PROXY", "value": "http://proxy:3128"}],
        "extraEnvFrom": [{"configMapRef": {"name": "more"}}],
        "extraVolumes": [{"name": "ca", "configMap": {"name": "ca"}}],
        "extraVolumeMounts": [{"name": "ca", "mountPath": "/etc/ca", "readOnly": True}],
        "extraObjects": [
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": "{{ .Release.Name }}-more"},
                "data": {"A": "1"},
            }
        ],
        "settings": {"orphanSweepSeconds": 1000000, "pollIntervalSeconds": 0.5},
    },
}
