"""The probe as a job: each thing that can be wrong is named where people look."""

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from pydantic import JsonValue

from batchtask_api import BatchTask, names
from batchtask_executor.checks import probe_script
from batchtask_executor.checks.probe import MEANINGS, probe_task, verdict
from batchtask_executor.jobs.job import Job
from batchtask_local.apiserver.certificates import Certificates, make_certificates
from fakes.execution_api import HEALTH, Answer, serving, silent
from integration.api.cluster import Tasks
from integration.controller.support import free_port
from integration.controller.test_tasks import finished

pytestmark = [pytest.mark.integration, pytest.mark.envtest]

API = {HEALTH: Answer()}
URL = probe_script.VARIABLE
CA = "AIRFLOW__API__SSL_CERT"


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """A private CA, and a certificate of it for 127.0.0.1."""
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def places(certificates: Certificates) -> Iterator[Any]:
    """Start what stands at an address; all of it ends with the test."""
    with ExitStack() as started:
        yield lambda server: started.enter_context(server)


AIRFLOWS_PYTHON = Path(sys.executable).parent


@pytest.fixture(scope="module")
def bare_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a Python that has no Airflow, and starts sooner."""
    folder = tmp_path_factory.mktemp("bin")
    (folder / "python").symlink_to(Path(sys.base_prefix, "bin", "python3"))
    return folder


Seen = tuple[BatchTask, str]
Find = Callable[[dict[str, str]], Seen]


@pytest.fixture
def find(shared: Tasks, name: str, bare_python: Path) -> Find:
    """Run the probe in a job with these variables; give the task and what it says at last."""

    def find(environment: dict[str, str]) -> Seen:
        variables = {"PATH": str(bare_python), **environment}
        overrides: JsonValue = {
            "environment": [{"name": n, "value": v} for n, v in variables.items()]
        }
        job = Job(
            {"jobQueue": "default", "jobDefinition": "shell", "containerOverrides": overrides}
        )
        task = probe_task(job, namespace=shared.namespace, name=name)
        shared.create({"apiVersion": names.API_VERSION, "kind": names.KIND, **_sent(task)})
        finished(shared, name)
        task = BatchTask.from_json(shared.get(name))
        return task, list(verdict(task))[-1]

    return find


def _sent(task: BatchTask) -> dict[str, Any]:
    return {key: value for key, value in task.to_json().items() if key != "status"}


def is_wrong(seen: Seen, code: int, *words: str) -> None:
    """Check that the task's status says so, by its exit code and by its last lines."""
    task, said = seen
    assert task.status.log_tail is not None
    assert task.status.log_tail[-1] == said
    assert said.startswith("WRONG: ")
    assert [each for each in words if each not in said] == [], said
    assert task.status.exit_code == code
    without_output = task.model_copy(
        update={"status": task.status.model_copy(update={"log_tail": None})}
    )
    assert list(verdict(without_output)) == [MEANINGS[code]]


def test_an_api_that_answers_is_a_success(find: Find, places: Any) -> None:
    url = f"http://{places(serving(API))}/execution/"

    task, said = find({URL: url})

    assert (task.status.phase, task.status.exit_code) == ("Succeeded", 0)
    assert said == "a job reached Airflow's execution API"


@pytest.mark.parametrize("has_airflow", [True, False], ids=["Airflow", "Python alone"])
def test_a_private_ca_is_accepted_where_tasks_accept_it(
    find: Find, places: Any, certificates: Certificates, has_airflow: bool
) -> None:
    url = f"https://{places(serving(API, certificates))}/execution"
    own = {"PATH": str(AIRFLOWS_PYTHON)} if has_airflow else {}

    task, _ = find({URL: url, CA: str(certificates.ca), **own})

    assert task.status.phase == "Succeeded"


def an_airflow(folder: Path, client: str) -> str:
    """Make as much of an Airflow as the probe looks into, beside a certifi; give its folder."""
    public = make_certificates(folder / "public").ca
    files = {
        "certifi.py": f"def where():\n    return {str(public)!r}\n",
        "airflow/configuration.py": "class conf:\n    get = lambda section, name, fallback: "
        "__import__('os').environ.get(f'AIRFLOW__{section}__{name}'.upper())\n",
        "airflow/sdk/api/client.py": client,
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return str(folder)


def test_the_systems_authorities_count_from_airflow_3_3_on(
    find: Find, places: Any, certificates: Certificates, tmp_path: Path
) -> None:
    url = f"https://{places(serving(API, certificates))}/execution/"
    airflow = an_airflow(tmp_path, "API_SSL_CA_FILE_PATH = None\n")

    task, _ = find({URL: url, "SSL_CERT_FILE": str(certificates.ca), "PYTHONPATH": airflow})

    assert task.status.phase == "Succeeded"


def test_the_systems_authorities_do_not_count_on_airflow_3_2(
    find: Find, places: Any, certificates: Certificates, tmp_path: Path
) -> None:
    url = f"https://{places(serving(API, certificates))}/execution/"
    airflow = an_airflow(tmp_path, "API_SSL_CERT_PATH = None\n")

    seen = find({URL: url, "SSL_CERT_FILE": str(certificates.ca), "PYTHONPATH": airflow})

    is_wrong(seen, probe_script.NO_TLS, "TLS: the certificate is not accepted", CA)


@pytest.mark.parametrize("has_airflow", [True, False], ids=["Airflow", "Python alone"])
def test_no_address(find: Find, has_airflow: bool) -> None:
    own = {"PATH": str(AIRFLOWS_PYTHON)} if has_airflow else {}

    is_wrong(find(own), probe_script.NOT_SET, URL, "is not set")


@pytest.mark.parametrize(
    "url", ["airflow.example.com/execution/", "https://airflow.example.com:port/execution/"]
)
def test_what_is_no_address(find: Find, url: str) -> None:
    seen = find({URL: url})

    is_wrong(seen, probe_script.NOT_SET, "not like https://host/execution/")


def test_a_name_that_nobody_knows_is_told_without_the_login(find: Find) -> None:
    seen = find({URL: "https://me:secret@airflow-api-server.invalid/execution/"})

    is_wrong(seen, probe_script.NO_NAME, "DNS: airflow-api-server.invalid has no address here")
    assert "secret" not in str(seen[0].status.log_tail)


def test_a_port_that_nobody_listens_on(find: Find) -> None:
    seen = find({URL: f"http://127.0.0.1:{free_port()}/execution/"})

    is_wrong(seen, probe_script.NO_CONNECTION, "TCP: can't connect", "Connection refused")


def test_a_certificate_of_a_ca_that_the_image_lacks(
    find: Find, places: Any, certificates: Certificates
) -> None:
    seen = find({URL: f"https://{places(serving(API, certificates))}/execution/"})

    is_wrong(seen, probe_script.NO_TLS, "TLS: the certificate is not accepted", CA)


def test_a_certificate_of_another_name(find: Find, places: Any, certificates: Certificates) -> None:
    url = f"https://{places(serving(API, certificates, '127.0.0.2'))}/execution/"

    seen = find({URL: url, CA: str(certificates.ca)})

    is_wrong(seen, probe_script.NO_TLS, "is not valid for '127.0.0.2'")


def test_a_ca_file_that_is_not_in_the_image(
    find: Find, places: Any, certificates: Certificates
) -> None:
    url = f"https://{places(serving(API, certificates))}/execution/"

    seen = find({URL: url, CA: "/nowhere/ca.pem"})

    is_wrong(seen, probe_script.NO_TLS, "No such file", "is a file of [api] ssl_cert missing")


def test_tls_asked_of_a_port_without(find: Find, places: Any) -> None:
    seen = find({URL: f"https://{places(serving(API))}/execution/"})

    is_wrong(seen, probe_script.NO_TLS, "TLS: no handshake", "does this port speak TLS?")


def test_plain_http_asked_of_a_port_with_tls(
    find: Find, places: Any, certificates: Certificates
) -> None:
    seen = find({URL: f"http://{places(serving(API, certificates))}/execution/"})

    is_wrong(seen, probe_script.BAD_ANSWER, "no HTTP answer", "does this port speak http?")


def test_a_port_that_says_nothing(find: Find, places: Any) -> None:
    seen = find({URL: f"http://{places(silent())}/execution/"})

    is_wrong(seen, probe_script.BAD_ANSWER, "no HTTP answer", "timed out")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Answer(503), ["503", "no healthy api-server", "/execution/health"]),
        (Answer(403), ["403", "wants a login"]),
        (Answer(500), ["500: is not 200"]),
        (
            Answer(302, headers={"Location": "https://login.example.com/?state=1"}),
            ["leads to https://login.example.com/: tasks"],
        ),
    ],
    ids=["no target", "login", "error", "redirect"],
)
def test_something_else_than_success(
    find: Find, places: Any, answer: Answer, words: list[str]
) -> None:
    seen = find({URL: f"http://{places(serving({HEALTH: answer}))}/execution/"})

    is_wrong(seen, probe_script.BAD_ANSWER, "HTTP: ", *words)


@pytest.mark.parametrize(
    ("path", "answers"),
    [("/", API), ("/execution/", {HEALTH: Answer(404)}), ("/api/v2/monitor/", {})],
    ids=["the UI", "404", "the REST API"],
)
def test_a_path_that_leads_elsewhere(
    find: Find, places: Any, path: str, answers: dict[str, Answer]
) -> None:
    monitor = Answer(body=b'{"metadatabase": {"status": "healthy"}}')
    known = {"/api/v2/monitor/health": monitor, **answers}

    seen = find({URL: f"http://{places(serving(known))}{path}"})

    is_wrong(seen, probe_script.BAD_PATH, f"path: {path}health is not", "must end with")
