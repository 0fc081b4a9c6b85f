"""This Airflow's own id: a Variable in its database, made once."""

import contextlib
import uuid
from collections.abc import Iterator
from typing import Final

from airflow.models.variable import Variable
from airflow.utils.session import create_session
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from batchtask_executor.claim.instance import OwnId
from batchtask_executor.cluster.tasks import Unavailable
from batchtask_executor.redaction import presentable

KEY: Final = "batchtask_airflow_id"
_DESCRIPTION: Final = (
    "Tells this Airflow from others that use the same [batchtask_executor] instance and namespace; "
    "made by BatchTaskExecutor, and of no other use. Without it this Airflow is a new one."
)


class DatabaseId:
    """The id in the database that this process is configured for.

    No key of the configuration serves: Airflow's chart makes new ones on each upgrade.
    """

    def peek(self) -> str | None:
        """Return it, None where there is none; see the port."""
        with _asked():
            return _read()

    def get(self) -> str:
        """Return it; make it where there is none; see the port."""
        with _asked():
            found = _read() or _made()
        if found is None:
            raise Unavailable(
                f"Airflow's Variable {KEY} can't be read: was [core] fernet_key changed? Delete "
                "the Variable, and run `airflow batchtask claim`"
            )
        return found


@contextlib.contextmanager
def _asked() -> Iterator[None]:
    try:
        yield
    except SQLAlchemyError as error:
        why = presentable(str(error))
        raise Unavailable(f"Airflow's Variable {KEY} can't be read or made: {why}") from error


def _read() -> str | None:
    with create_session() as session:
        row = session.scalar(select(Variable).where(Variable.key == KEY))
        return None if row is None else row.get_val()


def _made() -> str | None:
    """Make the id, unless another scheduler of this Airflow does at the same moment."""
    with contextlib.suppress(IntegrityError), create_session() as session:
        made = Variable(KEY, str(uuid.uuid4()), _DESCRIPTION)  # type: ignore[no-untyped-call]
        session.add(made)
    return _read()


_: type[OwnId] = DatabaseId
