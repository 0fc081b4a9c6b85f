"""The errors that local Batch answers with, in AWS's own words wherever those are known."""

from collections.abc import Mapping


class ApiError(Exception):
    """A call that ends in an error reply.

    Args:
        code: what botocore makes the exception's name of, such as ClientException.
        message: the text of the reply.
        status: the HTTP status.
        is_wrapped: AWS words most refusals of a request as "Error executing request,
            Exception : ..., RequestId: ..."; the server adds that, since it knows the id.
    """

    def __init__(
        self,
        code: str,
        message: str,
        status: int = 400,
        *,
        headers: Mapping[str, str] | None = None,
        is_wrapped: bool = False,
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.status = status
        self.headers = dict(headers or {})
        self._message = message
        self._is_wrapped = is_wrapped

    def message(self, request_id: str) -> str:
        """Return the text as the reply with this id has it."""
        if not self._is_wrapped:
            return self._message
        return f"Error executing request, Exception : {self._message}, RequestId: {request_id}"


def refused(message: str) -> ApiError:
    """Return the usual refusal of a request for what it says."""
    return ApiError("ClientException", message, is_wrapped=True)


def client_error(message: str) -> ApiError:
    """Return a refusal that AWS words without its wrapper."""
    return ApiError("ClientException", message)


def queue_not_found(reference: str) -> ApiError:
    """Return the refusal of a queue that isn't there."""
    return client_error(f"JobQueue {reference} not found.")


def queue_disabled(name: str) -> ApiError:
    """Return the refusal of a disabled queue (no source has AWS's own words for it)."""
    return client_error(f"JobQueue {name} is in DISABLED state.")


def definition_not_found(reference: str) -> ApiError:
    """Return the refusal of a definition that isn't there, or isn't active."""
    if ":" in reference:
        return client_error(f"JobDefinition {reference} not found.")
    return client_error(f"JobDefinition name {reference} does not exist or is not in ACTIVE status")


def access_denied(operation: str, resource: str, principal: str) -> ApiError:
    """Return what IAM answers to who may not make a call."""
    return ApiError(
        "AccessDeniedException",
        f"User: {principal} is not authorized to perform: batch:{operation} on resource: "
        f"{resource} because no identity-based policy allows the batch:{operation} action",
        403,
    )


def throttled(retry_after_seconds: float | None) -> ApiError:
    """Return what AWS answers to more calls a second than it allows."""
    headers = {} if retry_after_seconds is None else {"Retry-After": f"{retry_after_seconds:g}"}
    return ApiError("TooManyRequestsException", "Too Many Requests", 429, headers=headers)


def credentials_expired() -> ApiError:
    """Return what AWS answers to credentials past their time."""
    message = "The security token included in the request is expired"
    return ApiError("ExpiredTokenException", message, 403)
