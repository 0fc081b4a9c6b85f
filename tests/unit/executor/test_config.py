import json
from typing import Any

import pytest

from batchtask_executor.config import Settings, SettingsError


def read(**options: str) -> Settings:
    return Settings.read(options.get)


def test_without_options_all_have_their_defaults() -> None:
    assert read() == Settings()


def test_an_empty_option_is_no_option() -> None:
    assert read(job_queue="", submit_job_kwargs="", in_cluster="") == Settings()


def test_options_are_read_as_what_they_are() -> None:
    settings = read(
        in_cluster="False",
        token_lifetime="3600",
        submit_job_kwargs='{"tags": {"a": "b"}}',
        queues='{"gpu": {"job_queue": "gpu", "submit_job_kwargs": {"timeout": {}}}}',
    )

    assert not settings.in_cluster
    assert settings.token_life.total_seconds() == 3600
    assert settings.submit_job_kwargs == {"tags": {"a": "b"}}
    assert settings.queues["gpu"].job_queue == "gpu"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"instance": "no spaces"}, "[batchtask_executor] instance: must be a Kubernetes label"),
        ({"instance": "a" * 64}, "at most 63"),
        ({"namespace": "Airflow"}, "[batchtask_executor] namespace: must be a namespace's name"),
        ({"in_cluster": "perhaps"}, "[batchtask_executor] in_cluster: "),
        ({"token_lifetime": "600"}, "[batchtask_executor] token_lifetime: "),
        ({"token_lifetime": "1 day"}, "[batchtask_executor] token_lifetime: "),
        (
            {"submit_job_kwargs": "{tags}"},
            "[batchtask_executor] submit_job_kwargs: it must be JSON",
        ),
        ({"submit_job_kwargs": "[]"}, "[batchtask_executor] submit_job_kwargs: "),
        ({"queues": '{"gpu": "q"}'}, "[batchtask_executor] queues.gpu: "),
        ({"queues": '{"gpu": {"queue": "q"}}'}, "[batchtask_executor] queues.gpu.queue: "),
    ],
)
def test_a_wrong_option_is_named(options: dict[str, str], words: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read(**options)

    assert words in str(caught.value)


def test_settings_cannot_be_changed() -> None:
    changed: Any = Settings()

    with pytest.raises(ValueError, match="frozen"):
        changed.instance = "other"


def test_every_wrong_option_is_told_at_once() -> None:
    with pytest.raises(SettingsError) as caught:
        read(instance="-", queues=json.dumps([]))

    assert "instance" in str(caught.value)
    assert "queues" in str(caught.value)
