"""An API server for local mode: a real kube-apiserver where it can be had, else an emulator."""

from batchtask_local.apiserver.choice import choose, run
from batchtask_local.apiserver.emulator.serve import emulator
from batchtask_local.apiserver.envtest import envtest
from batchtask_local.apiserver.errors import ApiServerError, RequestRefusedError
from batchtask_local.apiserver.server import ApiServer, Kind, Progress

__all__ = [
    "ApiServer",
    "ApiServerError",
    "Kind",
    "Progress",
    "RequestRefusedError",
    "choose",
    "emulator",
    "envtest",
    "run",
]
