"""Where each task's job is, or will be: the AWS account and region that are asked about it."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from batchtask_controller.batch import Batch
from batchtask_controller.store import Record


class Account(BaseModel):
    """An AWS account and region as the settings name it, and how it is reached."""

    model_config = ConfigDict(
        alias_generator=to_camel, validate_by_name=True, frozen=True, extra="forbid"
    )

    role_arn: (
        Annotated[str, Field(pattern=r"^arn:aws[a-z-]*:iam::[0-9]{12}:role/[\w+=,.@/-]+$")] | None
    ) = None
    """The role to take on; None: the controller's own credentials."""
    region: str | None = None
    endpoint_url: str | None = None

    def or_else(self, home: "Account") -> "Account":
        """The same, with what it doesn't say from the controller's own."""
        return Account(
            role_arn=self.role_arn,
            region=self.region or home.region,
            endpoint_url=self.endpoint_url or home.endpoint_url,
        )


@dataclass(frozen=True, slots=True)
class Place:
    """An account and region that were reached."""

    via: Account
    account: str | None
    region: str


async def reach(
    batches: Mapping[Account, Batch], home: Account, own: Mapping[str, Account]
) -> "Places":
    """Learn which accounts and regions these are.

    Args:
        batches: AWS Batch of each.
        home: the controller's own.
        own: those of the namespaces that have one of their own.
    """
    located = await asyncio.gather(*(batch.locate() for batch in batches.values()))
    places = {
        via: Place(via, account, region)
        for via, (account, region) in zip(batches, located, strict=True)
    }
    return Places(places[home], {name: places[account] for name, account in own.items()})


class Places:
    """Which place is asked about which task."""

    def __init__(self, home: Place, by_namespace: Mapping[str, Place]) -> None:
        self._home = home
        self._by_namespace = by_namespace
        self.all = tuple(dict.fromkeys([home, *by_namespace.values()]))

    def of_namespace(self, namespace: str) -> Place:
        """Where a namespace's next submission goes."""
        return self._by_namespace.get(namespace, self._home)

    def whose_is(self, place: Place) -> Callable[[Record], bool]:
        """Tell of a task whether it is this place's."""
        return lambda record: self.of(record) == place

    def of(self, record: Record) -> Place:
        """Where the task's submission went, while it matters, whatever the settings say by now."""
        own = self.of_namespace(record.task.metadata.namespace)
        submission = record.task.status.submission
        if submission is None or not (record.job_id or record.intent_is_open):
            return own
        went = (submission.account, submission.region)
        there = (place for place in (own, *self.all) if (place.account, place.region) == went)
        return next(there, own)
