"""Writes the expectations of the schema omop: sample/*.slt, mapped/*.slt, edge/*.slt.

As tests/views/expected.py, whose loader and format it uses: DuckDB reads the raw NDJSON, reference.sql says by JSON paths what
each table must hold. The specification's columns are cdm-5.4-fields.csv (OHDSI/CommonDataModel, Apache-2.0,
inst/csv/OMOP_CDMv5.4_Field_Level.csv: name, whether required, type). vocabulary/ is in the format of Athena and invented: a real
one may not be passed on.

    python tests/omop/expected.py           # writes the files
    python tests/omop/expected.py --check   # fails where a file is not what it would write

sample/ has digests of every column without a vocabulary, mapped/ with it, edge/ every row of tests/omop/data with it.
"""

import csv
import pathlib
import re
import sys
import tarfile
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(ROOT / "tests" / "views"))

from expected import File, as_text, load, write  # noqa: E402


def tables() -> dict[str, list[tuple[str, bool]]]:
    """Table → its columns, each with whether it is required."""
    found = {}
    with (HERE / "cdm-5.4-fields.csv").open() as lines:
        for row in csv.DictReader(lines):
            found.setdefault(row["table"], []).append((row["column"], row["required"] == "true"))
    return found


def types(table: str) -> dict[str, str]:
    """Column → type, of the header of sql/omop."""
    text = (ROOT / "sql" / "omop" / f"{table}.sql").read_text()
    return dict(re.findall(r"^--   (\w+) ([A-Z]+)", text, re.MULTILINE))


def with_vocabulary(db, is_there: bool):
    """The reference over what is loaded, with the vocabulary or with an empty one."""
    for table in ("concept", "concept_relationship"):
        file = HERE / "vocabulary" / f"{table.upper()}.csv"
        read = f"read_csv('{file}', delim='\t', quote='', escape='', header=true, nullstr='')"
        db.sql(f"CREATE TABLE {table} AS FROM {read}" + ("" if is_there else " WHERE false"))
    db.execute((HERE / "reference.sql").read_text())
    return db


def agree(db) -> None:
    """Fails where the reference has other columns than the specification, or NULL where it allows none."""
    for table, columns in tables().items():
        found = [row[0] for row in db.sql(f"DESCRIBE omop.{table}").fetchall()]
        if found != [name for name, _ in columns]:
            raise SystemExit(f"reference.sql: omop.{table} has {found}")
        for name in (name for name, required in columns if required):
            if db.sql(f"SELECT count(*) FROM omop.{table} WHERE {name} IS NULL").fetchall()[0][0]:
                raise SystemExit(f"reference.sql: omop.{table}.{name} is NULL somewhere")


def key(table: str) -> str:
    """The first column: the id of the row."""
    return tables()[table][0][0]


def digest_file(db, table: str, lake: str) -> str:
    file = File(db, lake)
    file.query("how many rows, and as many keys", f"SELECT count(*), count(DISTINCT {key(table)}) FROM omop.{table}")
    columns = [(name, types(table)[name]) for name, _ in tables()[table]]
    file.digests(f"omop.{table}", columns, key(table))
    return file.text()


def edge_file(db, table: str) -> str:
    file = File(db, "tests/omop/data, with tests/omop/vocabulary")
    columns = [(name, types(table)[name]) for name, _ in tables()[table]]
    for start in range(0, len(columns), 6):
        part = columns[start : start + 6]
        listed = ",\n  ".join(f"{as_text(name, kind)} AS {name}" for name, kind in part)
        query = f"SELECT CAST({key(table)} AS STRING) AS key,\n  {listed}\nFROM omop.{table} ORDER BY key"
        file.query(f"{part[0][0]} to {part[-1][0]}", query)
    return file.text()


def expectations(folder: pathlib.Path) -> dict[pathlib.Path, str]:
    for archive in ("small-v1", "small-v2"):
        with tarfile.open(ROOT / "sample" / f"{archive}.tar.gz") as tar:
            tar.extractall(folder, filter="data")
    exports = folder / "small-v1", folder / "small-v2"
    sample = with_vocabulary(load(*exports), False)
    mapped = with_vocabulary(load(*exports), True)
    edge = with_vocabulary(load(HERE / "data"), True)
    files = {}
    for db in (sample, mapped, edge):
        agree(db)
    for table in tables():
        both = "sample/small-v1, then sample/small-v2"
        files[HERE / "sample" / f"{table}.slt"] = digest_file(sample, table, both)
        files[HERE / "mapped" / f"{table}.slt"] = digest_file(mapped, table, f"{both}, with tests/omop/vocabulary")
        files[HERE / "edge" / f"{table}.slt"] = edge_file(edge, table)
    return files


def main(check: bool) -> int:
    with tempfile.TemporaryDirectory() as folder:
        files = expectations(pathlib.Path(folder))
    return write(files, "tests/omop/expected.py", check)


if __name__ == "__main__":
    sys.exit(main("--check" in sys.argv[1:]))
