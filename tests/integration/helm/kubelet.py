"""A node whose pods are processes of this machine: as much of a kubelet as the chart's pods need.

Each pod has a loopback address of its own, logs in with a token of its service account, becomes
ready by its own readiness probe, and gets a SIGTERM when it is deleted. Images, volumes and
security contexts are not looked at: `python` is this very interpreter.
"""

import http.client
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from batchtask_local.apiserver import ApiServer, RequestRefusedError

NODE = "processes"
_LOOK_AGAIN = 0.2
_CAPACITY = {"cpu": "32", "memory": "64Gi", "pods": "110"}
_MERGE = "application/merge-patch+json"

Body = dict[str, Any]


@dataclass
class PodProcess:
    """The process of a pod's one container."""

    pod: Body
    address: str
    process: subprocess.Popen[bytes]
    log: Path
    is_ready: bool = False
    told_to_stop: float | None = None
    restarts: int = 0
    reported: Body = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The pod's name."""
        return str(self.pod["metadata"]["name"])

    @property
    def container(self) -> Body:
        """The container that the process stands for."""
        found: Body = self.pod["spec"]["containers"][0]
        return found

    def get(self, path: str) -> tuple[int, str]:
        """Ask the pod's port; status 0 where nobody listens or answers whole."""
        port = self.container["ports"][0]["containerPort"]
        link = http.client.HTTPConnection(self.address, port, timeout=5)
        try:
            link.request("GET", path)
            reply = link.getresponse()
            return reply.status, reply.read().decode()
        except (OSError, http.client.HTTPException):
            return 0, ""
        finally:
            link.close()

    def leads(self) -> bool:
        """Tell whether this controller leads, by its own metric."""
        return "\nbatchtask_leader 1.0\n" in self.get("/metrics")[1]

    def kill(self) -> None:
        """End it as a crash does."""
        self.process.kill()
        self.process.wait(10)


class Kubelet:
    """Runs the pods that the scheduler gives to the node, while the context lasts."""

    def __init__(self, server: ApiServer, directory: Path) -> None:
        self._server = server
        self._directory = directory
        self._pods: dict[str, PodProcess] = {}
        self._addresses = (f"127.0.1.{number}" for number in count(1))
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="kubelet", daemon=True)
        self.failure: BaseException | None = None

    def __enter__(self) -> Self:
        self._directory.mkdir(parents=True, exist_ok=True)
        self._join_the_cluster()
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join(30)
        for each in self._pods.values():
            each.kill()
        if self.failure is not None:
            raise self.failure

    def pods(self, component: str = "controller") -> list[PodProcess]:
        """Give the pods of a component that run and aren't told to stop."""
        return [
            each
            for each in list(self._pods.values())
            if each.pod["metadata"]["labels"].get("app.kubernetes.io/component") == component
            and each.told_to_stop is None
        ]

    def leader(self) -> PodProcess | None:
        """Give the controller that leads."""
        return next((each for each in self.pods() if each.leads()), None)

    def logs(self, component: str = "controller") -> str:
        """Give what all pods of a component ever wrote."""
        files = sorted(self._directory.glob(f"*-{component}*.log"))
        return "".join(file.read_text("utf-8", errors="replace") for file in files)

    def forget_logs(self) -> None:
        """Take away what pods wrote, for the next test."""
        for file in self._directory.glob("*.log"):
            file.unlink()

    def _join_the_cluster(self) -> None:
        labels = {"kubernetes.io/hostname": NODE, "topology.kubernetes.io/zone": "here"}
        node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": NODE, "labels": labels}}
        self._server.request("POST", "/api/v1/nodes", node)
        ready = {"type": "Ready", "status": "True", "reason": "KubeletReady"}
        status = {"capacity": _CAPACITY, "allocatable": _CAPACITY, "conditions": [ready]}
        self._patch(f"/api/v1/nodes/{NODE}/status", {"status": status})
        self._patch(f"/api/v1/nodes/{NODE}", {"spec": {"taints": None}})

    def _run(self) -> None:
        try:
            while not self._stop.wait(_LOOK_AGAIN):
                with suppress(RequestRefusedError, OSError):  # the next look makes up for it
                    self._look()
        except BaseException as error:
            self.failure = error
            raise

    def _look(self) -> None:
        path = f"/api/v1/pods?fieldSelector=spec.nodeName%3D{NODE}"
        listed = {
            body["metadata"]["uid"]: body for body in self._server.request("GET", path)["items"]
        }
        for uid in self._pods.keys() - listed.keys():
            self._pods.pop(uid).kill()
        for uid, body in listed.items():
            if "deletionTimestamp" in body["metadata"]:
                self._end(uid, body)
            elif uid not in self._pods:
                self._pods[uid] = self._start(body, next(self._addresses))
            else:
                self._report(self._pods[uid])

    def _start(self, pod: Body, address: str) -> PodProcess:
        log = self._directory / f"{pod['metadata']['name']}.log"
        return PodProcess(pod, address, self._spawn(pod, address, log), log)

    def _spawn(self, pod: Body, address: str, log: Path) -> subprocess.Popen[bytes]:
        container = pod["spec"]["containers"][0]
        command = [sys.executable if word == "python" else word for word in container["command"]]
        account = pod["spec"]["serviceAccountName"]
        environ = {
            "HOME": str(self._directory),
            "PATH": os.environ["PATH"],
            **{each["name"]: each["value"] for each in container.get("env", ())},
            # What a pod has of itself: its own network, and its account's token.
            "BATCHTASK_HEALTH_HOST": address,
            "KUBECONFIG": str(
                self._server.kubeconfig_for_service_account(pod["metadata"]["namespace"], account)
            ),
        }
        with log.open("ab") as output:
            return subprocess.Popen(command, env=environ, stdout=output, stderr=output)

    def _report(self, pod: PodProcess) -> None:
        code = pod.process.poll()
        if code is None:
            pod.is_ready = self._is_ready(pod)
            self._patch_status(pod, "Running", {"running": {}})
        elif pod.pod["spec"]["restartPolicy"] == "Never":
            phase = "Failed" if code else "Succeeded"
            self._patch_status(pod, phase, {"terminated": {"exitCode": code % 256}})
        else:
            pod.restarts += 1
            pod.is_ready = False
            pod.process = self._spawn(pod.pod, pod.address, pod.log)

    def _is_ready(self, pod: PodProcess) -> bool:
        probe = pod.container.get("readinessProbe")
        return probe is None or pod.get(probe["httpGet"]["path"])[0] == http.HTTPStatus.OK

    def _patch_status(self, pod: PodProcess, phase: str, state: Body) -> None:
        ready = pod.is_ready and phase == "Running"
        container = {
            "name": pod.container["name"],
            "image": pod.container["image"],
            "imageID": "",
            "ready": ready,
            "restartCount": pod.restarts,
            "state": state,
        }
        holds = {
            "PodScheduled": True,
            "Initialized": True,
            "ContainersReady": ready,
            "Ready": ready,
        }
        status = {
            "phase": phase,
            "podIP": pod.address,
            "podIPs": [{"ip": pod.address}],
            "hostIP": "127.0.0.1",
            "conditions": [
                {"type": kind, "status": "True" if is_so else "False"}
                for kind, is_so in holds.items()
            ],
            "containerStatuses": [container],
        }
        if status != pod.reported:
            self._patch(f"{_path(pod.pod)}/status", {"status": status})
            pod.reported = status

    def _end(self, uid: str, body: Body) -> None:
        pod = self._pods.get(uid)
        if pod is not None and pod.process.poll() is None:
            if pod.told_to_stop is None:
                pod.told_to_stop = time.monotonic()
                pod.process.send_signal(signal.SIGTERM)
            elif (
                time.monotonic() - pod.told_to_stop > body["spec"]["terminationGracePeriodSeconds"]
            ):
                pod.kill()
            return
        with suppress(RequestRefusedError):
            self._server.request("DELETE", f"{_path(body)}?gracePeriodSeconds=0")

    def _patch(self, path: str, body: Body) -> None:
        with suppress(RequestRefusedError):  # it may be gone by now
            self._server.request("PATCH", path, body, content_type=_MERGE)


def _path(pod: Body) -> str:
    metadata = pod["metadata"]
    return f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}"
