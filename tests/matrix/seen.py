"""How a run shows that a feature was at work, not only written down."""

from collections.abc import Callable, Iterable, Mapping

from matrix.example import Example, Feature
from matrix.outcomes import End, Instance
from matrix.run import Result


def is_seen(feature: Feature, examples: Iterable[Example], result: Result) -> bool:
    """Tell whether a DAG that has the feature came to what only the feature brings about."""
    return any(
        _SIGN[feature](example, result) for example in examples if feature in example.features
    )


def _instances(example: Example, result: Result) -> dict[Instance, End]:
    ends = result.batchtask.instances.items()
    return {instance: end for instance, end in ends if instance.dag_id == example.dag_id}


def _has_mapped(example: Example, result: Result) -> bool:
    return any(instance.map_index > 0 for instance in _instances(example, result))


def _has_skipped(example: Example, result: Result) -> bool:
    states = {end.state for end in _instances(example, result).values()}
    return {"success", "skipped"} <= states


def _was_retried(example: Example, result: Result) -> bool:
    return any(
        end.state == "success" and end.tries > 1 for end in _instances(example, result).values()
    )


def _was_queued_again(example: Example, result: Result) -> bool:
    """Tell whether one try had two jobs: a deferral and a reschedule end the first of them."""
    return any(
        number > 1 and instance.dag_id == example.dag_id
        for (instance, _), number in result.jobs.items()
    )


def _started_another(example: Example, result: Result) -> bool:
    return all(result.batchtask.runs.get((dag_id, 0)) == "success" for dag_id in example.starts)


def _succeeded(example: Example, result: Result) -> bool:
    return result.batchtask.runs.get((example.dag_id, 0)) == "success"


_SIGN: Mapping[Feature, Callable[[Example, Result], bool]] = {
    Feature.MAPPED: _has_mapped,
    Feature.MAPPED_GROUP: _has_mapped,
    Feature.BRANCH: _has_skipped,
    Feature.SKIP: _has_skipped,
    Feature.TRIGGER_RULE: _has_skipped,
    Feature.SETUP_TEARDOWN: _succeeded,
    Feature.RESCHEDULE: _was_queued_again,
    Feature.DEFERRABLE: _was_queued_again,
    Feature.RETRIES: _was_retried,
    Feature.PARAMS: _succeeded,
    Feature.XCOM: _succeeded,
    Feature.ASSETS: _succeeded,
    Feature.OTHER_DAG: _started_another,
}
