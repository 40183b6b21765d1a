"""Spark with Delta Lake, as one more reader, and as somebody else who writes to a lake's tables."""

import sys
from pathlib import Path

import pyarrow as pa
from pyspark import __version__
from pyspark.sql import SparkSession

sys.path[:0] = [str(Path(__file__).resolve().parents[levels] / name) for levels, name in ((1, ""), (2, "readers"))]

from harness import Failed  # noqa: E402
from readers import Reader  # noqa: E402


class Spark(Reader):
    """A session, configured by the file that `run` writes."""

    name = f"spark {__version__}"

    def __init__(self):
        self.session = SparkSession.builder.appName("fhirlake").getOrCreate()
        # Otherwise a VACUUM that retains nothing is refused.
        self.session.conf.set("spark.databricks.delta.retentionDurationCheck.enabled", "false")

    def count(self, table: Path) -> int:
        return self.session.read.format("delta").load(str(table)).count()

    def read(self, table: Path, version: int | None = None) -> pa.Table:
        reader = self.session.read.format("delta")
        return (reader if version is None else reader.option("versionAsOf", version)).load(str(table)).toArrow()

    def change_feed(self, table: Path, columns: list[str]) -> list[tuple]:
        """(version, kind, *columns) of what each commit since the table's creation has changed."""
        feed = self.session.read.format("delta").option("readChangeFeed", "true").option("startingVersion", 0)
        return [tuple(row) for row in feed.load(str(table)).select("_commit_version", "_change_type", *columns).collect()]

    def write(self, statement: str, table: Path) -> None:
        """Runs a statement about a table, which it has as `{}`."""
        try:
            self.session.sql(statement.format(f"delta.`{table}`")).collect()
        except Exception as error:  # Spark's own, or Java's where a job ends.
            raise Failed(f"{self.name} cannot {statement.format(table)}: {error}") from error

    def stop(self) -> None:
        self.session.stop()
