import pytest

from batchtask_controller.cluster import Api, Connection
from batchtask_controller.tasks import Unreachable


async def test_the_login_in_an_address_is_not_told() -> None:
    connection = Connection("http://me:secret@127.0.0.1:1", headers={}, tls=False)
    api = Api(lambda: connection, connections=1)

    with pytest.raises(Unreachable) as raised:
        await api.request("GET", "/version")
    await api.close()

    assert "the API server at http://***@127.0.0.1:1 does not answer" in str(raised.value)
    assert "secret" not in f"{raised.value} {connection} {api.address}"
