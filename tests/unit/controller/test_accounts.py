"""Several AWS accounts and regions: each task's calls go where its job is, and a map may change."""

import asyncio
import json

import pytest
from pydantic import ValidationError

from batchtask_api import ConditionStatus, ConditionType, Phase, Reason, names
from batchtask_controller.batch import Denied, Throttled
from batchtask_controller.config import Settings
from batchtask_controller.places import Account, Place, Places
from batchtask_controller.store import Record
from builders import a_status, a_submission, a_task, a_uid
from fakes.batch import FakeBatch, LostReply
from unit.controller.world import World

ROLE = "arn:aws:iam::222222222222:role/batchtask"
HERE = names.DEFAULT_NAMESPACE


@pytest.fixture
def other(world: World) -> FakeBatch:
    """AWS Batch of another account and region."""
    return FakeBatch(world.clock, account="222222222222", region="eu-west-1")


async def test_a_namespaces_tasks_go_to_its_account(world: World, other: FakeBatch) -> None:
    world.start(accounts={"team": other})
    world.cluster.add(a_task("bt-home"))
    world.cluster.add(a_task("bt-team"), namespace="team")

    await asyncio.sleep(30)

    home, team = (world.cluster.task(name).status for name in ("bt-home", "bt-team"))
    assert home.submission is not None
    assert team.submission is not None
    assert (home.submission.account, home.submission.region) == ("123456789012", "us-east-1")
    assert (team.submission.account, team.submission.region) == ("222222222222", "eu-west-1")
    assert set(world.batch.jobs) == {home.job_id}
    assert set(other.jobs) == {team.job_id}
    assert other.calls["describe"] > 0
    assert other.calls["find"] == 0


async def test_an_account_that_refuses_or_throttles_holds_up_no_other(
    world: World, other: FakeBatch
) -> None:
    world.start(accounts={"team": other})
    other.down = Denied("No usable AWS credentials: AssumeRole failed", Reason.CREDENTIALS_REFUSED)
    for number in range(40):
        world.cluster.add(a_task(f"bt-team-{number}"), namespace="team")
    await asyncio.sleep(5)
    other.down = Throttled("too many", retry_after_seconds=600)
    await asyncio.sleep(30)

    world.cluster.add(a_task("bt-home"))
    await asyncio.sleep(5)

    assert world.phase("bt-home") is Phase.SUBMITTED
    blocked = world.cluster.task("bt-team-1").status.condition(ConditionType.BLOCKED)
    assert blocked is not None
    assert blocked.status is ConditionStatus.TRUE


async def test_roles_of_one_account_and_region_share_its_budget(world: World) -> None:
    twin = FakeBatch(world.clock)
    one = world.start(accounts={"team": twin})

    world.batch.fail_next("submit", Throttled("too many"))
    world.cluster.add(a_task())
    await asyncio.sleep(0.5)

    assert len(one.desks.all) == 2
    assert len({desk.pacer for desk in one.desks.all}) == 1
    assert one.pacer.rate < 40


async def test_look_ups_that_wait_for_their_budget_hold_up_no_other_account(
    world: World, other: FakeBatch
) -> None:
    one = world.start(accounts={"team": other})
    other.lose_next(*[LostReply()] * 40)
    for number in range(40):
        world.cluster.add(a_task(f"bt-team-{number}"), namespace="team")
    await asyncio.sleep(4)
    other.fail_next("find", Throttled("too many", retry_after_seconds=600))
    await asyncio.sleep(30)
    assert one.pacer.rate == pytest.approx(40)

    world.cluster.add(a_task("bt-home"))
    await asyncio.sleep(5)

    assert world.phase("bt-home") is Phase.SUBMITTED
    assert world.phase("bt-team-39") is Phase.SUBMITTING


@pytest.mark.parametrize("takes_effect", [True, False])
async def test_a_map_edited_in_flight_makes_no_second_job(
    world: World, other: FakeBatch, *, takes_effect: bool
) -> None:
    one = world.start(accounts={HERE: other})
    other.lose_next(LostReply(takes_effect=takes_effect))
    task = world.cluster.add(a_task())
    await asyncio.sleep(1)
    await one.kill()

    world.start("two", accounts={"drained": other})
    await asyncio.sleep(3600)

    there, here = len(other.named(task.metadata.uid)), world.jobs_of(task)
    assert (there, here) == ((1, 0) if takes_effect else (0, 1))
    submission = world.cluster.task("bt-1").status.submission
    assert submission is not None
    assert submission.account == ("222222222222" if takes_effect else "123456789012")


async def test_a_job_runs_on_where_it_is_after_the_map_was_edited(
    world: World, other: FakeBatch
) -> None:
    one = world.start(accounts={HERE: other})
    task = world.cluster.add(a_task())
    await asyncio.sleep(5)
    await one.kill()

    world.start("two", accounts={"drained": other})
    await asyncio.sleep(60)
    world.cluster.change_spec("bt-1", cancel=True)
    await asyncio.sleep(60)

    assert world.phase() is Phase.CANCELLED
    assert other.calls["terminate"] == 1
    assert world.batch.calls["terminate"] == 0
    assert world.jobs_of(task) == 0


async def test_an_account_that_left_the_map_blocks_its_tasks_and_makes_no_job(
    world: World, other: FakeBatch
) -> None:
    one = world.start(accounts={HERE: other})
    other.lose_next(LostReply())
    task = world.cluster.add(a_task())
    await asyncio.sleep(1)
    await one.kill()

    two = world.start("two")
    await asyncio.sleep(3600)

    blocked = world.cluster.task("bt-1").status.condition(ConditionType.BLOCKED)
    assert blocked is not None
    assert "222222222222 in eu-west-1" in blocked.message
    assert world.jobs_of(task) == 0
    await two.kill()
    world.start("three", accounts={HERE: other})
    await asyncio.sleep(300)
    assert world.phase() is Phase.SUBMITTED
    assert len(other.named(task.metadata.uid)) == 1


# -- which place ----------------------------------------------------------------------------------

HOME = Place(Account(), "123456789012", "us-east-1")
TEAM = Place(Account(role_arn=ROLE), "222222222222", "eu-west-1")
OTHER_ROLE = Place(Account(role_arn=ROLE + "-2"), "222222222222", "eu-west-1")
PLACES = Places(HOME, {HERE: TEAM, "other": OTHER_ROLE})


def submitted(account: str | None, region: str, job_id: str | None = None) -> Record:
    submission = a_submission(account=account, region=region)
    return Record(a_task(uid=a_uid(), status=a_status(submission=submission, job_id=job_id)))


@pytest.mark.parametrize(
    ("record", "place"),
    [
        (Record(a_task()), TEAM),
        (submitted("123456789012", "us-east-1"), HOME),
        (submitted("123456789012", "us-east-1", job_id="job-1"), HOME),
        (submitted("222222222222", "eu-west-1"), TEAM),
        (submitted("222222222222", "us-east-1"), TEAM),
        (submitted("999999999999", "us-east-1"), TEAM),
        (submitted(None, "us-east-1"), TEAM),
    ],
    ids=["new", "intent", "job", "its own", "another region", "nobody's", "account not told"],
)
def test_a_task_is_looked_for_where_its_submission_went(record: Record, place: Place) -> None:
    assert PLACES.of(record) is place


def test_what_is_proven_unsent_goes_where_the_map_says_now() -> None:
    record = submitted("123456789012", "us-east-1")
    assert record.task.status.submission is not None

    record.unsent.add(record.task.status.submission)

    assert PLACES.of(record) is TEAM


# -- the setting ----------------------------------------------------------------------------------


def test_accounts_have_the_rest_from_the_controllers_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BATCHTASK_AWS_REGION", "us-east-1")
    accounts = {"team": {"roleArn": ROLE, "region": "eu-west-1"}, "near": {"roleArn": ROLE}}
    monkeypatch.setenv("BATCHTASK_ACCOUNTS", json.dumps(accounts))

    assert Settings().account_of == {
        "team": Account(role_arn=ROLE, region="eu-west-1"),
        "near": Account(role_arn=ROLE, region="us-east-1"),
    }


@pytest.mark.parametrize(
    "role", ["batchtask", "arn:aws:iam::222222222222:user/x", "arn:aws:iam::2:role/x"]
)
def test_what_is_no_roles_arn_is_refused(role: str) -> None:
    with pytest.raises(ValidationError, match="roleArn"):
        Account.model_validate({"roleArn": role})
