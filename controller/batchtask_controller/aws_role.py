"""boto3 sessions whose credentials are another role's, taken on anew before they end."""

from functools import partial

import boto3
import botocore.session
from botocore.config import Config
from botocore.credentials import (
    AssumeRoleCredentialFetcher,
    CredentialProvider,
    Credentials,
    DeferredRefreshableCredentials,
)
from botocore.exceptions import NoCredentialsError

SESSION_NAME = "batchtask-controller"
"""What CloudTrail shows beside the role."""


class _Assumed(CredentialProvider):
    """The first in the chain, so that nothing else is looked for."""

    METHOD = "assume-role"

    def __init__(self, fetcher: AssumeRoleCredentialFetcher) -> None:
        super().__init__()
        self._fetcher = fetcher

    def load(self) -> Credentials:
        """Ask nothing yet: the first call that signs does."""
        return DeferredRefreshableCredentials(self._fetcher.fetch_credentials, self.METHOD)


def assumed(
    source: boto3.Session, role_arn: str, endpoint_url: str | None, config: Config
) -> boto3.Session:
    """Make a session of the role, taken on with another session's credentials.

    Raises:
        NoCredentialsError: the other session has none.
    """
    credentials = source.get_credentials()
    if credentials is None:
        raise NoCredentialsError
    fetcher = AssumeRoleCredentialFetcher(
        partial(source.client, endpoint_url=endpoint_url, config=config),
        credentials,
        role_arn,
        extra_args={"RoleSessionName": SESSION_NAME},
    )
    session = botocore.session.get_session()
    session.get_component("credential_provider").insert_before("env", _Assumed(fetcher))
    return boto3.Session(botocore_session=session, region_name=source.region_name)
