"""The readers: each opens a Delta table by its folder and gives its rows as an Arrow table.

The tables that two readers give of the same rows are equal, whichever layouts of texts and lists they use in memory.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from pathlib import Path

import deltalake
import duckdb
import duckdb_extension_delta
import polars
import pyarrow as pa
from harness import Failed


class Reader(ABC):
    """One way to read a Delta table."""

    name: str
    # Whether it knows deletion vectors: the others must refuse a table that may have some.
    knows_vectors = True

    @abstractmethod
    def count(self, table: Path) -> int:
        """The rows of the table, as the reader counts them without reading them."""

    @abstractmethod
    def read(self, table: Path, version: int | None = None) -> pa.Table:
        """All rows and columns, of the newest version or another one, as the reader gives them."""

    def rows(self, table: Path, version: int | None = None, by: Iterable[str] = ("id",)) -> pa.Table:
        """All rows and columns in the order of the ids, or of other columns, in one layout."""
        rows = one_layout(self.read(table, version))
        order = [(name, "ascending") for name in by if name in rows.column_names]
        return rows.sort_by(order) if order else rows


def one_layout(table: pa.Table) -> pa.Table:
    """The same values as plain texts and lists, with every field nullable."""
    return table.cast(pa.schema([pa.field(field.name, plain(field.type)) for field in table.schema])).combine_chunks()


def unequal(rows: pa.Table, expected: pa.Table) -> Iterable[str]:
    """Where two tables differ."""
    if rows.schema != expected.schema:
        yield f"other columns: {set(rows.schema) ^ set(expected.schema)}"
    elif rows.num_rows != expected.num_rows:
        yield f"{rows.num_rows} rows, and not {expected.num_rows}"
    else:
        names = [name for name in rows.column_names if not rows[name].equals(expected[name])]
        if names:
            yield f"other values in {', '.join(names)}"


def read_by_all(readers: list[Reader], table: Path, by: Iterable[str] = ("id",)) -> tuple[pa.Table, list[str]]:
    """The rows of a table as the first reader reads them, and what it or others read or count otherwise, or cannot read."""
    first, *others = readers
    try:
        rows, found = first.rows(table, by=by), []
    except Exception as error:  # Whatever a reader raises: it could not read the table.
        raise Failed(f"{first.name} cannot read {table}: {type(error).__name__}: {error}") from error
    for reader in others:
        try:
            found += [f"{reader.name}: {text}" for text in unequal(reader.rows(table, by=by), rows)]
        except Exception as error:  # As above, but there are rows to go on with.
            found.append(f"{reader.name} cannot read it: {type(error).__name__}: {error}")
    counts = {reader.name: reader.count(table) for reader in readers}
    if set(counts.values()) != {rows.num_rows}:
        found.append(f"count(*) is {counts}, {rows.num_rows} rows came")
    return rows, found


def plain(of: pa.DataType) -> pa.DataType:
    if pa.types.is_string_view(of) or pa.types.is_large_string(of):
        return pa.string()
    if pa.types.is_binary_view(of) or pa.types.is_large_binary(of):
        return pa.binary()
    if pa.types.is_map(of):
        return of
    if pa.types.is_list(of) or pa.types.is_large_list(of) or pa.types.is_list_view(of):
        return pa.list_(plain(of.value_type))
    if pa.types.is_struct(of):
        return pa.struct([pa.field(field.name, plain(field.type)) for field in of])
    return of


class Deltalake(Reader):
    """The query engine of Python deltalake (its pyarrow datasets refuse deletion vectors)."""

    name = f"deltalake {deltalake.__version__}"

    def query(self, table: Path, version: int | None, what: str) -> pa.Table:
        opened = deltalake.DeltaTable(str(table), version=version)
        return pa.table(deltalake.QueryBuilder().register("t", opened).execute(f"SELECT {what} FROM t"))

    def count(self, table: Path) -> int:
        return self.query(table, None, "count(*)").column(0)[0].as_py()

    def read(self, table: Path, version: int | None = None) -> pa.Table:
        return self.query(table, version, "*")


class DuckDb(Reader):
    """DuckDB's delta extension, from its wheel: nothing is downloaded when it is loaded."""

    name = f"duckdb {duckdb.__version__}"

    def __init__(self):
        folder = Path(duckdb_extension_delta.__file__).parent
        (extension,) = folder.rglob("delta.duckdb_extension")
        self.db = duckdb.connect()
        self.db.execute(f"LOAD '{extension}'")
        self.db.execute("SET TimeZone = 'UTC'")

    def query(self, table: Path, version: int | None, what: str) -> pa.Table:
        pinned = "" if version is None else f", version => {version}"
        return self.db.execute(f"SELECT {what} FROM delta_scan('{table}'{pinned})").to_arrow_table()

    def count(self, table: Path) -> int:
        return self.query(table, None, "count(*)").column(0)[0].as_py()

    def read(self, table: Path, version: int | None = None) -> pa.Table:
        return self.query(table, version, "*")


class Polars(Reader):
    """Polars' own scan of Delta tables."""

    name = f"polars {polars.__version__}"

    def count(self, table: Path) -> int:
        return polars.scan_delta(str(table)).select(polars.len()).collect().item()

    def read(self, table: Path, version: int | None = None) -> pa.Table:
        return polars.scan_delta(str(table), version=version).collect().to_arrow()


class Dataset(Reader):
    """pyarrow's dataset, as Python deltalake makes it."""

    name = f"pyarrow {pa.__version__}"
    knows_vectors = False

    def count(self, table: Path) -> int:
        return deltalake.DeltaTable(str(table)).to_pyarrow_dataset().count_rows()

    def read(self, table: Path, version: int | None = None) -> pa.Table:
        return deltalake.DeltaTable(str(table), version=version).to_pyarrow_table()


READERS: list[Reader] = [Deltalake(), DuckDb(), Polars(), Dataset()]
