"""A row beside the line that it says it is: the bytes of its lineage, and what some of its columns say."""

import json
import re
from collections.abc import Callable, Iterable
from datetime import datetime, timezone
from decimal import Decimal
from pathlib import Path

import pyarrow as pa

# Columns of every resource table that this reads.
LINEAGE = ["__raw_file", "__raw_offset", "__raw_length"]


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
    ("*", "language", "language", str),
    ("*", "meta.lastUpdated", "meta.lastUpdated", str),
    ("*", "meta.__lastUpdated_start", "meta.lastUpdated", instant),
    ("Patient", "birthDate", "birthDate", str),
    ("Patient", "name.0.family", "name.0.family", str),
    ("Patient", "name.0.given.0", "name.0.given.0", str),
    ("Patient", "multipleBirthBoolean", "multipleBirthBoolean", bool),
    ("Observation", "status", "status", str),
    ("Observation", "code.coding.0.code", "code.coding.0.code", str),
    ("Observation", "valueQuantity.value", "valueQuantity.value", str),
    ("Observation", "valueQuantity.__value_double", "valueQuantity.value", nearest),
    ("Observation", "component.1.valueQuantity.__value_double", "component.1.valueQuantity.value", nearest),
    ("Observation", "subject.__reference_id", "subject.reference", direct_id),
    ("Observation", "encounter.__reference_id", "encounter.reference", direct_id),
    ("Condition", "code.coding.0.code", "code.coding.0.code", str),
    ("Condition", "onsetDateTime", "onsetDateTime", str),
    ("Condition", "subject.__reference_id", "subject.reference", direct_id),
    ("Encounter", "status", "status", str),
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

    def __init__(self, lake: Path):
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


def differences(rows: pa.Table, type_: str, lines: dict[str, bytes], raw: Raw) -> Iterable[str]:
    """What a table's rows do not have of these lines, by their id, or have beside them."""
    ids = rows["id"].to_pylist()
    if len(set(ids)) != len(ids):
        yield f"{len(ids) - len(set(ids))} ids are there more than once"
    for id_ in sorted(lines.keys() - set(ids)):
        yield f"{id_} is missing"
    for id_ in sorted(set(ids) - lines.keys()):
        yield f"{id_} is there and should not be"
    probes = [probe[1:] for probe in PROBES if probe[0] in ("*", type_)]
    columns = list(dict.fromkeys(path.split(".")[0] for path, _, _ in probes)) + LINEAGE
    for row in rows.select(columns).to_pylist():
        if row["id"] in lines:
            yield from of_row(row, lines[row["id"]], probes, raw)


def of_row(row: dict, line: bytes, probes: list[tuple[str, str, Callable]], raw: Raw) -> Iterable[str]:
    """Where a row is not of this line, or does not say what the line says."""
    try:
        if raw.line(*(row[name] for name in LINEAGE)) != line:
            yield f"{row['id']}: the row's lineage names another line"
    except ValueError as error:
        yield f"{row['id']}: {error}"
    # Numbers stay as they are written: 1.50 is not 1.5.
    resource = json.loads(line, parse_float=str, parse_int=str)
    for row_path, path, expected in probes:
        found, written = at(row, row_path), at(resource, path)
        wanted = None if written is None else expected(written)
        if found != wanted:
            yield f"{row['id']}: {row_path} is {found!r}, the line says {wanted!r}"
