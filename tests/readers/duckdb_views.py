"""DuckDB has the views of a lake by the script of `fhirlake views export --dialect duckdb`. See views.py."""

from pathlib import Path

import duckdb
import duckdb_extension_delta
import pyarrow as pa
from views import ZONE, Engine


class DuckDb(Engine):
    """A database in memory."""

    name = f"duckdb {duckdb.__version__}"
    dialect = "duckdb"

    def __init__(self):
        self.session = duckdb.connect()
        (extension,) = Path(duckdb_extension_delta.__file__).parent.rglob("delta.duckdb_extension")
        self.session.execute(f"LOAD '{extension}'")
        self.session.execute(f"SET TimeZone = '{ZONE}'")

    def run(self, statement: str) -> None:
        self.session.execute(statement)

    def rows(self, view: str) -> pa.Table:
        return self.session.sql(f"SELECT * FROM {view}").to_arrow_table()

    def load(self, table: str, file: Path) -> None:
        self.session.execute(f"DELETE FROM {table}")
        self.session.execute(
            f"INSERT INTO {table} SELECT * FROM read_csv('{file}', delim = '\t', quote = '', header = true, dateformat = '%Y%m%d')"
        )
