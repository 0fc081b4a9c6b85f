"""What can go wrong with local mode's API server."""


class ApiServerError(Exception):
    """Local mode's API server can't be had, or doesn't do what was asked; the text says why."""


class RequestRefusedError(ApiServerError):
    """The API server answered with an error status."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(f"{status} {reason}: {message}")
        self.status = status
        self.reason = reason
