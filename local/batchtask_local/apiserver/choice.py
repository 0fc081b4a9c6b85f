"""Choose between the real API server and the emulator."""

import contextlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from batchtask_local.apiserver import binaries
from batchtask_local.apiserver.emulator.serve import emulator
from batchtask_local.apiserver.envtest import envtest
from batchtask_local.apiserver.server import ApiServer, Kind, Progress, quiet


def choose(api: Kind | None = None, environ: Mapping[str, str] = os.environ) -> Kind:
    """Return what is asked for, else the real one if it need not be built, else the emulator.

    Raises:
        BinariesMissingError: KUBEBUILDER_ASSETS is set to a folder that lacks a binary.
    """
    return api or ("envtest" if binaries.find(environ) else "emulator")


def run(
    kind: Kind,
    crds: Sequence[Path] = (),
    on_progress: Progress = quiet,
    *,
    directory: Path | None = None,
) -> contextlib.AbstractContextManager[ApiServer]:
    """Run the API server of that kind while the context lasts: `envtest` or `emulator`."""
    if kind == "envtest":
        return envtest(crds, on_progress, directory=directory)
    return emulator(crds, on_progress, directory=directory)
