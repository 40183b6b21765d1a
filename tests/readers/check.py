"""Opens every table of a lake with other people's readers, and compares what they read with the raw NDJSON.

    check.py LAKE EXPECTED_FOLDER

LAKE is a local folder; EXPECTED_FOLDER has the expected.json of the export that was loaded last (sample/README.md).
The readers are the query engine of Python deltalake, DuckDB's delta extension and Polars. Of each table and reader:

* count(*), the rows that come, and the other readers agree; a resource table has as many rows as expected.json says;
* the ids are there that were added or changed, those deleted are not, none is there twice;
* each row's lineage names bytes of a raw file that are exactly one line, and that line is the row's resource;
* the values of some columns, texts and annotations, are those of that line.

Prints a line for each reader and table. Exits with 1 where anything differs, and says what.
"""

import json
import pathlib
import re
import sys
from collections.abc import Callable, Iterable
from datetime import datetime, timezone
from decimal import Decimal

import pyarrow as pa

from readers import READERS, Reader

# Columns of every resource table that this reads.
LINEAGE = ["__raw_file", "__raw_offset", "__raw_length"]
# How many differences are printed before the rest is only counted.
SHOWN = 20


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone(timezone.utc)


def nearest(text: str) -> float:
    return float(Decimal(text))


def direct_id(reference: str) -> str | None:
    """The id in a relative reference; None where the reference is of another kind."""
    found = re.fullmatch(r"[A-Z]\w+/([A-Za-z0-9.-]{1,64})(/_history/[A-Za-z0-9.-]+)?", reference)
    return found[1] if found else None


# (type or "*", path in the row, path in the resource, how the one follows from the other)
PROBES: list[tuple[str, str, str, Callable]] = [
    ("*", "id", "id", str),
    ("*", "resourceType", "resourceType", str),
    ("*", "meta.lastUpdated", "meta.lastUpdated", str),
    ("*", "meta.__lastUpdated_start", "meta.lastUpdated", instant),
    ("Patient", "birthDate", "birthDate", str),
    ("Patient", "name.0.family", "name.0.family", str),
    ("Patient", "name.0.given.0", "name.0.given.0", str),
    ("Patient", "multipleBirthBoolean", "multipleBirthBoolean", bool),
    ("Observation", "code.coding.0.code", "code.coding.0.code", str),
    ("Observation", "valueQuantity.value", "valueQuantity.value", str),
    ("Observation", "valueQuantity.__value_double", "valueQuantity.value", nearest),
    ("Observation", "component.1.valueQuantity.__value_double", "component.1.valueQuantity.value", nearest),
    ("Observation", "subject.__reference_id", "subject.reference", direct_id),
    ("Observation", "encounter.__reference_id", "encounter.reference", direct_id),
    ("Condition", "code.coding.0.code", "code.coding.0.code", str),
    ("Condition", "onsetDateTime", "onsetDateTime", str),
    ("Condition", "subject.__reference_id", "subject.reference", direct_id),
    ("Encounter", "period.__start_start", "period.start", instant),
    ("Encounter", "serviceProvider.reference", "serviceProvider.reference", str),
    ("Encounter", "serviceProvider.__reference_id", "serviceProvider.reference", direct_id),
    ("Claim", "total.value", "total.value", str),
    ("MedicationRequest", "medicationReference.__reference_id", "medicationReference.reference", direct_id),
]


def at(value, path: str):
    """What is at a path such as name.0.family; None where there is nothing."""
    for step in path.split("."):
        if value is None:
            return None
        if isinstance(value, list):
            value = value[int(step)] if int(step) < len(value) else None
        else:
            value = value.get(step)
    return value


class Raw:
    """The raw files of a lake, each read once."""

    def __init__(self, lake: pathlib.Path):
        self.lake = lake
        self.files: dict[str, bytes] = {}

    def line(self, file: str, offset: int, length: int) -> bytes:
        """The bytes of a row's lineage. Raises ValueError where they are not exactly one line."""
        if file not in self.files:
            path = self.lake / file
            if not path.is_file():
                raise ValueError(f"__raw_file {file} is not there")
            compression = "zstd" if path.suffix == ".zst" else None
            with pa.input_stream(str(path), compression=compression) as stream:
                self.files[file] = stream.read()
        content = self.files[file]
        line = content[offset : offset + length]
        if len(line) != length:
            raise ValueError(f"{file} ends before byte {offset + length}")
        before, after = content[offset - 1 : offset], content[offset + length : offset + length + 1]
        if b"\n" in line or before not in (b"", b"\n") or after not in (b"", b"\n", b"\r"):
            raise ValueError(f"bytes {offset} to {offset + length} of {file} are not one line")
        return line


def check_resources(reader: Reader, table: pathlib.Path, raw: Raw, change: dict) -> Iterable[str]:
    """What is wrong with a resource table, as this reader reads it."""
    probes = [probe[1:] for probe in PROBES if probe[0] in ("*", table.name)]
    columns = list(dict.fromkeys(path.split(".")[0] for path, _, _ in probes)) + LINEAGE
    rows, count = reader.rows(table, columns), reader.count(table)
    print(f"{reader.name:22} {table.name:32} {count:8} rows")
    yield from check_ids(rows, count, change)
    for row in rows:
        try:
            line = raw.line(*(row[name] for name in LINEAGE))
        except ValueError as error:
            yield f"{row['id']}: {error}"
        else:
            yield from check_row(row, line, probes)


def check_ids(rows: list[dict], count: int, change: dict) -> Iterable[str]:
    """Whether the table has the rows that the sample's key names, each once."""
    want = change["unchanged"] + len(change["changed"]) + len(change["added"])
    if not count == len(rows) == want:
        yield f"count(*) is {count}, {len(rows)} rows came, expected.json says {want}"
    ids = {row["id"] for row in rows}
    if len(ids) != len(rows):
        yield f"{len(rows) - len(ids)} ids are there more than once"
    if len({tuple(row[name] for name in LINEAGE) for row in rows}) != len(rows):
        yield "two rows name the same bytes"
    for id in sorted(set(change["changed"] + change["added"]) - ids):
        yield f"{id} is missing"
    for id in sorted(set(change["deleted"]) & ids):
        yield f"{id} was deleted and is there"


def check_row(row: dict, line: bytes, probes: list[tuple[str, str, Callable]]) -> Iterable[str]:
    """Whether a row says what its raw line says."""
    # Numbers stay as they are written: 1.50 is not 1.5.
    resource = json.loads(line, parse_float=str, parse_int=str)
    for row_path, path, expected in probes:
        found, written = at(row, row_path), at(resource, path)
        wanted = None if written is None else expected(written)
        if found != wanted:
            yield f"{row['id']}: {row_path} is {found!r}, the raw line says {wanted!r}"


def check_own(reader: Reader, table: pathlib.Path, name: str, counts: dict[str, int]) -> Iterable[str]:
    """What is wrong with a table of the lake's own: it can be read, and all readers see as many rows."""
    rows, count = len(reader.rows(table, None)), reader.count(table)
    if rows != count:
        yield f"count(*) is {count}, {rows} rows came"
    if counts.setdefault(name, rows) != rows:
        yield f"{rows} rows, {counts[name]} in another reader"
    print(f"{reader.name:22} {name:32} {count:8} rows")


def main(lake: pathlib.Path, folder: pathlib.Path) -> int:
    expected = json.loads((folder / "expected.json").read_text())
    root = lake / "tables"
    tables = {str(log.parent.relative_to(root)): log.parent for log in sorted(root.rglob("_delta_log"))}
    raw = Raw(lake)
    differences = [f"tables/{name} is missing" for name in expected if name not in tables]
    counts: dict[str, int] = {}
    for reader in READERS:
        for name, table in tables.items():
            try:
                if name in expected:
                    found = check_resources(reader, table, raw, expected[name])
                else:
                    found = check_own(reader, table, name, counts)
                differences += [f"{reader.name}, {name}: {text}" for text in found]
            except Exception as error:  # Whatever a reader raises: it could not read the table.
                differences.append(f"{reader.name}, {name}: cannot read: {type(error).__name__}: {error}")
    for text in differences[:SHOWN]:
        print(text, file=sys.stderr)
    if len(differences) > SHOWN:
        print(f"and {len(differences) - SHOWN} more", file=sys.stderr)
    verdict = "agree" if not differences else f"differ in {len(differences)} places"
    print(f"{len(READERS)} readers, {len(tables)} tables: {verdict}")
    return 1 if differences else 0


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: check.py LAKE EXPECTED_FOLDER")
    sys.exit(main(pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2])))
