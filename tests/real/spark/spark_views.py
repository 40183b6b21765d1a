"""Spark has the views of a lake by the script of `fhirlake views export --dialect spark`. See views.py beside the readers."""

from pathlib import Path

import pyarrow as pa
from pyspark import __version__
from pyspark.sql import SparkSession
from views import ZONE, Engine


class SparkSql(Engine):
    """A session, configured by the file that `run` writes, in a time zone of its own."""

    name = f"spark {__version__}"
    dialect = "spark"

    def __init__(self):
        self.session = SparkSession.builder.appName("fhirlake").getOrCreate().newSession()
        self.session.conf.set("spark.sql.session.timeZone", ZONE)

    def run(self, statement: str) -> None:
        self.session.sql(statement)

    def rows(self, view: str) -> pa.Table:
        return self.session.sql(f"SELECT * FROM {view}").toArrow()

    def load(self, table: str, file: Path) -> None:
        rows = self.session.read.csv(str(file), sep="\t", quote="", header=True, dateFormat="yyyyMMdd", schema=self.session.table(table).schema)
        rows.write.insertInto(table, overwrite=True)
