"""The views in another engine beside `fhirlake query`: the script of `fhirlake views export` is run, and each view is read. Its
columns, their types and all rows must be the same.

An engine's session is in a time zone that is not UTC, so that nothing passes which depends on it. There are three lakes: one
of the sample's two exports, where rows have left by deletion vectors and some types have no table; and two of what Synthea never
writes, with members of Groups, in FHIR R4 and R5.
"""

import json
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import deltalake
import pyarrow as pa
import pyarrow.parquet
from harness import ROOT, Failed, Program
from history import DELETION_VECTORS, History

VOCABULARY = ROOT / "tests" / "omop" / "vocabulary"
EDGE = {"R4": ROOT / "tests" / "data" / "edge", "R5": ROOT / "tests" / "data" / "edge-r5"}
ZONE = "America/New_York"
# How many differences of a view are told.
SHOWN = 3


def lakes(work: Path) -> Iterator[tuple[Path, str]]:
    """The lakes with their FHIR versions, each when it is there."""
    history = History(work, DELETION_VECTORS)
    for step in history.play():
        if step == "delete":
            break
    history.must("rows have left by deletion vectors", bool(history.vectors()))
    yield history.lake, "R4"
    for version, data in EDGE.items():
        edge = work / data.name
        what = ["--validate", "none", "--fhir-version", version, str(data)]
        history.program.run("ingest", "--lake", str(edge), *what)
        members(history.program, edge)
        yield edge, version


def members(program: Program, lake: Path) -> None:
    """Writes who belongs to a Group, as a run that exports one does: somebody who is there, who has left, who was deleted, and
    who was deleted and is there again."""
    here, again = (row["id"] for row in program.query(lake, "SELECT id FROM Patient ORDER BY id LIMIT 2"))
    ids = {here: None, "left": "x2", "deleted": None, again: None}
    rows = [{"group_id": "g", "patient_id": id_, "left_export": left} for id_, left in ids.items()]
    write(program, lake, "_members", [{"pipeline": "p", "first_export": "x1", "last_export": "x1"} | row for row in rows])
    write(program, lake, "_deletions", [{"resource_type": "Patient", "id": id_} for id_ in ("deleted", again)])


def write(program: Program, lake: Path, table: str, rows: list[dict]) -> None:
    """Writes rows to a table of the lake's own that it does not have yet, with all of its columns."""
    file = lake.with_name("columns.parquet")
    program.run("query", "--lake", str(lake), "--format", "parquet", "-o", str(file), f"SELECT * FROM {table}")
    schema = one_layout(pa.parquet.read_table(file)).schema
    deltalake.write_deltalake(str(lake / "tables" / table), pa.Table.from_pylist(rows, schema=schema))


class Engine(ABC):
    """Something that runs SQL."""

    name: str
    dialect: str

    @abstractmethod
    def run(self, statement: str) -> None:
        """Runs one statement of a script."""

    @abstractmethod
    def rows(self, view: str) -> pa.Table:
        """All rows of a view."""

    @abstractmethod
    def load(self, table: str, file: Path) -> None:
        """Loads a file of Athena's into a table."""


def cause(error: Exception) -> str:
    """What an engine says of an error, in a line: Java says it behind all that was wrong because of it."""
    lines = str(error).splitlines() or [repr(error)]
    return next((line for line in reversed(lines) if line.startswith("Caused by:")), lines[0])


class Views:
    """The views of one lake in an engine."""

    def __init__(self, program: Program, lake: Path, version: str, engine: Engine):
        self.program, self.lake, self.engine = program, lake, engine
        listed = [view for view in program.json("views", "list") if version in view["fhir"]]
        self.names = [f"{view['schema']}.{view['name']}" if "schema" in view else view["name"] for view in listed]

    def make(self) -> None:
        """Runs the script, a file for each statement, and fills the tables that are the user's."""
        folder = self.lake.with_name(f"{self.lake.name}-{self.engine.dialect}")
        lake = ["--lake", str(self.lake), "--dialect", self.engine.dialect]
        self.program.run("views", "export", *lake, "-o", f"{folder}/", *self.names)
        for file in sorted(folder.glob("*.sql")):
            try:
                self.engine.run(file.read_text())
            except Exception as error:
                raise Failed(f"{self.engine.name} does not run {file.name}: {error}") from error
        for table in ("concept", "concept_relationship") if any(name.startswith("omop.") for name in self.names) else ():
            self.engine.load(f"omop.{table}", VOCABULARY / f"{table.upper()}.csv")

    def differences(self) -> Iterator[tuple[str, int, list[str]]]:
        """Each view with the number of its rows, and where they are not the same."""
        for name in self.names:
            expected = self.queried(name)
            try:
                found = one_layout(self.engine.rows(name))
            except Exception as error:
                yield name, 0, [f"{name}: {self.engine.name} does not read it: {cause(error)}"]
                continue
            yield name, expected.num_rows, [f"{name}: {text}" for text in unequal(found, expected)]

    def queried(self, name: str) -> pa.Table:
        """The rows that `fhirlake query` gives."""
        file = self.lake.with_name("answer.parquet")
        where = ["--lake", str(self.lake), "--latest", "--vocabulary", str(VOCABULARY)]
        self.program.run("query", *where, "--format", "parquet", "-o", str(file), f"SELECT * FROM {name}")
        return one_layout(pa.parquet.read_table(file))


def one_layout(table: pa.Table) -> pa.Table:
    """The same values, with one type for texts and one for instants."""
    return table.cast(pa.schema([pa.field(field.name, plain(field.type)) for field in table.schema]))


def plain(type_: pa.DataType) -> pa.DataType:
    if pa.types.is_large_string(type_) or pa.types.is_string_view(type_):
        return pa.string()
    if pa.types.is_timestamp(type_) and type_.tz is not None:
        return pa.timestamp("us", "UTC")
    return type_


def unequal(found: pa.Table, expected: pa.Table) -> Iterable[str]:
    """Where two answers differ: in their columns, in these' types, or in their rows, in whatever order."""
    if found.schema.names != expected.schema.names:
        yield f"it has the columns {found.schema.names}"
        return
    for column, ours in zip(found.schema, expected.schema, strict=True):
        if column.type != ours.type:
            yield f"{column.name} is {column.type}, and not {ours.type}"
    rows, ours = (Counter(tuple(row.values()) for row in table.to_pylist()) for table in (found, expected))
    missing, more = list((ours - rows).elements()), list((rows - ours).elements())
    if missing or more:
        yield f"{len(missing)} rows are missing, and {len(more)} are there that should not be"
    key = lambda row: json.dumps(row, default=str)  # noqa: E731
    for ours, row in list(zip(sorted(missing, key=key), sorted(more, key=key), strict=False))[:SHOWN]:
        cells = zip(found.schema.names, row, ours, strict=True)
        yield "; ".join(f"{name} is {cell!r}, and not {our!r}" for name, cell, our in cells if cell != our)
