"""The readers: each opens a Delta table by its folder and gives its rows as Python values."""

import pathlib
from abc import ABC, abstractmethod

import deltalake
import duckdb
import duckdb_extension_delta
import polars
import pyarrow as pa


class Reader(ABC):
    """One way to read a Delta table."""

    name: str

    @abstractmethod
    def count(self, table: pathlib.Path) -> int:
        """The rows of the table, as the reader counts them without reading them."""

    @abstractmethod
    def rows(self, table: pathlib.Path, columns: list[str] | None) -> list[dict]:
        """All rows, with these columns; with all columns for None."""


def listed(columns: list[str] | None) -> str:
    return "*" if columns is None else ", ".join(f'"{column}"' for column in columns)


class Deltalake(Reader):
    """The query engine of Python deltalake (its pyarrow datasets refuse deletion vectors)."""

    name = f"deltalake {deltalake.__version__}"

    def query(self, table: pathlib.Path, what: str) -> pa.Table:
        builder = deltalake.QueryBuilder().register("t", deltalake.DeltaTable(str(table)))
        return pa.table(builder.execute(f"SELECT {what} FROM t"))

    def count(self, table: pathlib.Path) -> int:
        return self.query(table, "count(*)").column(0)[0].as_py()

    def rows(self, table: pathlib.Path, columns: list[str] | None) -> list[dict]:
        return self.query(table, listed(columns)).to_pylist()


class DuckDb(Reader):
    """DuckDB's delta extension, from its wheel: nothing is downloaded when it is loaded."""

    name = f"duckdb {duckdb.__version__}"

    def __init__(self):
        folder = pathlib.Path(duckdb_extension_delta.__file__).parent
        (extension,) = folder.rglob("delta.duckdb_extension")
        self.db = duckdb.connect()
        self.db.execute(f"LOAD '{extension}'")
        self.db.execute("SET TimeZone = 'UTC'")

    def query(self, table: pathlib.Path, what: str) -> pa.Table:
        return self.db.execute(f"SELECT {what} FROM delta_scan('{table}')").to_arrow_table()

    def count(self, table: pathlib.Path) -> int:
        return self.query(table, "count(*)").column(0)[0].as_py()

    def rows(self, table: pathlib.Path, columns: list[str] | None) -> list[dict]:
        return self.query(table, listed(columns)).to_pylist()


class Polars(Reader):
    """Polars' own scan of Delta tables."""

    name = f"polars {polars.__version__}"

    def count(self, table: pathlib.Path) -> int:
        return polars.scan_delta(str(table)).select(polars.len()).collect().item()

    def rows(self, table: pathlib.Path, columns: list[str] | None) -> list[dict]:
        scan = polars.scan_delta(str(table))
        return (scan if columns is None else scan.select(columns)).collect().to_dicts()


READERS: list[Reader] = [Deltalake(), DuckDb(), Polars()]
