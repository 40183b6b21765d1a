"""Plays a lake's history, and after each of its steps reads all of its tables with other people's readers.

The history is history.py's, with rows that leave by deletion vectors and in a lake whose files are written again
(`--upsert copy-on-write`, here with some types only). After each step, of each table that has a new version, and now and then of
all:

* each reader reads the same rows, in all columns, and counts as many;
* they are the rows of the lines that the history has loaded, no more and no less: each row's lineage names bytes of a raw
  file that are exactly one line, it is the line loaded last, and some columns, texts and annotations, say what it says;
* `fhirlake query` has the same rows, and for two types, in all columns, the same values.

After each step views are materialized: each reader reads the same rows of their tables, those that `fhirlake query` has.

The lake's own tables can be read, and are the same to all readers. pyarrow's dataset refuses what has deletion vectors, and
reads the other lake. In the end each reader reads the versions of each step again, which `_exports` names.

Prints a line for each step. Exits with 1 where anything differs, and says what.
"""

import json
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "real"))

import deltalake  # noqa: E402
from harness import SAMPLE, Failed  # noqa: E402
from history import COPY_ON_WRITE, DELETION_VECTORS, History, Lines  # noqa: E402
from lineage import Raw, differences, instant  # noqa: E402
from readers import READERS, Reader, read_by_all, unequal  # noqa: E402

# The types of the lake that is written again: one with many rows, one with a thousand columns, one that never changes.
SOME = {"AllergyIntolerance", "Condition", "Encounter", "ExplanationOfBenefit", "Observation", "Patient", "Provenance"}
# The types whose rows `fhirlake query` shows in full.
IN_FULL = ["Encounter", "Patient"]
# The views that are materialized after each step, with columns that tell their rows apart.
VIEWS = {
    "conditions": ["condition_id"],
    "encounters": ["encounter_id"],
    "observations": ["observation_id", "component_index"],
    "problem_list": ["patient_id", "code_system", "code", "code_display"],
}
# What says which line a row is of, and which run brought it.
IDENTITY = ["id", "__row_hash", "__export_id", "__raw_file", "__raw_offset", "__raw_length"]
# How many differences are printed before the rest is only counted.
SHOWN = 20
# The step after which the sample's key to the answers holds.
KEY_HOLDS_AFTER = "delete"
# The steps after which all tables are read; after the others those that have a new version.
READ_ALL_AFTER = ("load again", "upsert after the compaction")


class Check:
    """One history, and what is found to differ in it."""

    def __init__(self, history: History):
        self.history = history
        self.raw = Raw(history.lake)
        self.found: list[str] = []
        # (table, version) → its rows when it was the newest
        self.seen: dict[tuple[str, int], pa.Table] = {}
        # The lines that were due after the step before.
        self.due: Lines = {}

    def readers(self) -> list[Reader]:
        return [reader for reader in READERS if reader.knows_vectors or not self.history.masks()]

    def run(self) -> None:
        for step in self.history.play():
            started, before = time.monotonic(), len(self.found)
            versions = self.to_read(step)
            tables = {type_: self.same_rows(step, type_, version) for type_, version in versions.items()}
            for type_, rows in tables.items():
                self.note(step, type_, differences(rows, type_, self.history.lines[type_], self.raw))
            self.note(step, "unread", self.unread(tables))
            self.note(step, "fhirlake query", self.queried(tables))
            self.note(step, "own tables", self.own_tables())
            self.note(step, "materialized views", self.materialized())
            if step == KEY_HOLDS_AFTER:
                self.note(step, "expected.json", self.key_to_the_answers())
            count = sum(rows.num_rows for rows in tables.values())
            verdict = "agree" if len(self.found) == before else "DIFFER"
            took = time.monotonic() - started
            names = f"{len(self.readers())} readers, {len(tables):2} tables, {count:4} rows"
            print(f"{self.history.mode:16} {step:27} {names}: {verdict} ({took:.1f} s)", flush=True)
        if self.history.masks():
            self.note("the end", "readers without vectors", self.refused())
        self.note("the end", "earlier versions", self.earlier_versions())

    def note(self, step: str, what: str, found: Iterable[str]) -> None:
        self.found += [f"{self.history.mode}, {step}, {what}: {text}" for text in found]

    def to_read(self, step: str) -> dict[str, int]:
        """The tables that are read after a step, with their versions: those that have a new one, and sometimes all."""
        versions = self.history.versions()
        if step in READ_ALL_AFTER:
            return versions
        return {type_: version for type_, version in versions.items() if (type_, version) not in self.seen}

    def unread(self, read: dict[str, pa.Table]) -> Iterable[str]:
        """Where other lines are due in a table that has no new version."""
        for type_, lines in self.history.lines.items():
            if type_ not in read and self.due.get(type_) != lines:
                yield f"{type_} has no new version"
        self.due = {type_: dict(lines) for type_, lines in self.history.lines.items()}

    def same_rows(self, step: str, type_: str, version: int) -> pa.Table:
        """The rows of a table. Notes where readers do not agree on them, or on what this version was before."""
        rows, found = read_by_all(self.readers(), self.history.tables()[type_])
        self.note(step, type_, found)
        self.note(step, f"{type_}, read once more", unequal(rows, self.seen.setdefault((type_, version), rows)))
        return rows

    def queried(self, tables: dict[str, pa.Table]) -> Iterable[str]:
        """What `fhirlake query` has otherwise: which rows, and of some tables their values."""
        columns = ", ".join(IDENTITY)
        sql = " UNION ALL ".join(f"SELECT '{type_}' AS type, {columns} FROM {type_}" for type_ in tables)
        answered = {tuple(row.values()) for row in self.query(sql)}
        read = {(type_, *row.values()) for type_, rows in tables.items() for row in rows.select(IDENTITY).to_pylist()}
        for type_, id_ in sorted({row[:2] for row in answered ^ read}):
            yield f"{type_}/{id_} is not the same row"
        for type_ in [type_ for type_ in IN_FULL if type_ in tables]:
            answer = self.query(f"SELECT * FROM {type_} ORDER BY id")
            for told, row in zip(answer, tables[type_].to_pylist(), strict=False):
                if not same(told, row):
                    yield f"{type_}/{row['id']} has other values"
            if len(answer) != tables[type_].num_rows:
                yield f"{type_}: {len(answer)} rows, and not {tables[type_].num_rows}"

    def query(self, sql: str) -> list[dict]:
        return self.history.program.query(self.history.lake, sql)

    def own_tables(self) -> Iterable[str]:
        """Where readers read other rows of the lake's own tables."""
        for table in sorted((self.history.lake / "tables").glob("_*")):
            first, *others = self.readers()
            rows = comparable(first.rows(table))
            for reader in others:
                if comparable(reader.rows(table)) != rows or reader.count(table) != len(rows):
                    yield f"{reader.name} reads other rows of {table.name}"

    def materialized(self) -> Iterable[str]:
        """Where the table of a view, brought up to date, has other rows than the view."""
        lake = self.history.lake
        self.history.program.run("views", "materialize", "--lake", str(lake), *VIEWS)
        for view, order in VIEWS.items():
            rows, found = read_by_all(self.readers(), lake / "views" / view, by=order)
            yield from (f"{view}: {text}" for text in found)
            answer = sorted(self.query(f"SELECT * FROM {view}"), key=lambda row: repr([row[name] for name in order]))
            told = sorted(rows.to_pylist(), key=lambda row: repr([row[name] for name in order]))
            if len(answer) != len(told) or not all(map(same, answer, told)):
                yield f"{view}: {len(told)} rows, which are not the {len(answer)} of the view"

    def key_to_the_answers(self) -> Iterable[str]:
        """Where the history has not led to what the sample's own key says."""
        for type_, change in json.loads((self.history.second / "expected.json").read_text()).items():
            if type_ not in self.history.lines:
                continue
            ids = self.history.lines[type_].keys()
            count = change["unchanged"] + len(change["changed"]) + len(change["added"])
            if len(ids) != count or not {*change["changed"], *change["added"]} <= ids or ids & {*change["deleted"]}:
                yield f"{type_} is not what {SAMPLE.name}/ says"

    def refused(self) -> Iterable[str]:
        """Where a reader that does not know deletion vectors reads what may have them, which would be masked rows."""
        for reader in READERS:
            if not reader.knows_vectors:
                for type_, table in self.history.tables().items():
                    try:
                        reader.rows(table)
                        yield f"{reader.name} has read {type_}"
                    except deltalake.exceptions.DeltaProtocolError:
                        pass

    def earlier_versions(self) -> Iterable[str]:
        """Where the versions that a run's row of `_exports` names are not read as they were."""
        sql = "SELECT export_id, table_versions FROM _exports ORDER BY finished_at"
        named = {(type_, v) for run in self.query(sql) for type_, v in run["table_versions"].items() if type_ in IN_FULL}
        if not named <= self.seen.keys() or len(named) < 2 * len(IN_FULL):
            yield f"_exports names {sorted(named)}, read were {sorted(self.seen)}"
        for type_, version in sorted(named & self.seen.keys()):
            for reader in self.readers():
                rows = reader.rows(self.history.tables()[type_], version)
                for text in unequal(rows, self.seen[type_, version]):
                    yield f"{reader.name}, {type_} at {version}: {text}"


def comparable(rows: pa.Table) -> list[str]:
    """Rows of a table with maps, which readers give in several ways."""

    def pairs(value):
        if isinstance(value, dict):
            # A reader without maps has a list of keys and values in their place.
            return tuple(value.values()) if value.keys() == {"key", "value"} else sorted(map(pairs, value.items()), key=repr)
        return sorted(map(pairs, value), key=repr) if isinstance(value, list) else value

    return sorted(repr({name: pairs(value) for name, value in row.items()}) for row in rows.to_pylist())


def same(told, value) -> bool:
    """Whether a value of a JSON answer is the one that was read."""
    if isinstance(value, dict):
        return told.keys() == value.keys() and all(same(told[name], value[name]) for name in value)
    if isinstance(value, list):
        return len(told) == len(value) and all(map(same, told, value))
    if hasattr(value, "isoformat") and told is not None:
        return instant(told) == value
    return told == value


def main() -> int:
    found: list[str] = []
    for mode, types in ((DELETION_VECTORS, None), (COPY_ON_WRITE, SOME)):
        with tempfile.TemporaryDirectory(prefix="fhirlake-readers-") as work:
            check = Check(History(Path(work), mode, types))
            try:
                check.run()
            except Failed as failed:
                check.found.append(str(failed))
            found += check.found
    for text in found[:SHOWN]:
        print(text, file=sys.stderr)
    if len(found) > SHOWN:
        print(f"and {len(found) - SHOWN} more", file=sys.stderr)
    names = ", ".join(reader.name for reader in READERS)
    print(f"{names}: {'agree' if not found else f'differ in {len(found)} places'}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
