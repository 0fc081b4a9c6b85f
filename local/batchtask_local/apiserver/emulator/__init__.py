"""A small API server in this process: enough for kubectl, the official client and kopf."""

from batchtask_local.apiserver.emulator.serve import LIMITS, emulator

__all__ = ["LIMITS", "emulator"]
