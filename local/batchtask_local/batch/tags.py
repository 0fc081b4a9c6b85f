"""The tags of everything that has an ARN."""

from collections.abc import Collection, Mapping

from batchtask_local.batch.limits import check_tags


class Tags:
    """Tags by ARN."""

    def __init__(self) -> None:
        self._tags: dict[str, dict[str, str]] = {}

    def of(self, arn: str) -> dict[str, str]:
        """Return a resource's tags; none where nothing has such an ARN."""
        return dict(self._tags.get(arn, {}))

    def add(self, arn: str, tags: Mapping[str, str]) -> None:
        """Add tags to a resource, over those of the same keys.

        Raises:
            ApiError: they are too many or too long.
        """
        merged = {**self.of(arn), **tags}
        check_tags(merged)
        if merged:
            self._tags[arn] = merged

    def remove(self, arn: str, keys: Collection[str]) -> None:
        """Take tags from a resource."""
        self._tags[arn] = {key: value for key, value in self.of(arn).items() if key not in keys}
