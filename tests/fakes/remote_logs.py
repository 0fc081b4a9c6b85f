"""Remote log IOs as Airflow's users have them: one that streams, and one of the older form."""

from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any


@dataclass
class StreamingLogIO:
    """Streams what was uploaded, and lives beside Airflow's provider classes."""

    sources: list[str] = field(default_factory=lambda: ["s3://logs"])
    streams: list[list[str]] = field(default_factory=list)
    down: Exception | None = None
    uploads: list[str] = field(default_factory=list)
    bucket: str = "logs"
    processors: tuple[Any, ...] = ("processor",)

    def upload(self, path: Any, ti: Any = None) -> None:
        del ti
        self.uploads.append(str(path))

    def read(self, relative_path: str, ti: Any) -> tuple[list[str], list[str]]:
        sources, streams = self.stream(relative_path, ti)
        return sources, ["\n".join(stream) for stream in streams]

    def stream(
        self, relative_path: str, ti: Any
    ) -> tuple[list[str], list[Generator[str, None, None]]]:
        del relative_path, ti
        if self.down:
            raise self.down
        return list(self.sources), [(line for line in stream) for stream in self.streams]


@dataclass
class OldLogIO:
    """Reads everything at once, as before Airflow 3.0.4."""

    texts: list[str] | None
    processors: tuple[Any, ...] = ()

    def upload(self, path: Any, ti: Any = None) -> None:
        """Upload nothing."""

    def read(self, relative_path: str, ti: Any) -> tuple[list[str], list[str] | None]:
        del relative_path, ti
        return ["hdfs://logs"], self.texts
