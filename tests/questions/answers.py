"""Writes the expectations of tests/questions: answers.json, items/*.slt and items/edge/*.slt.

    pip install duckdb==1.5.5
    python tests/questions/answers.py           # writes the files
    python tests/questions/answers.py --check   # fails where a file is not what it would write

`answers.json` has the answers to examples/questions/*.sql over the sample: DuckDB runs reference/<name>.sql over the raw NDJSON as
JSON values, with the loader and the macros of tests/views. `items/` has what the tables codings, identifiers, refs and extensions
must hold, found by items.py: a digest for each element over the sample, every row over edge/ and tests/data/edge.
"""

import hashlib
import json
import pathlib
import re
import sys
import tarfile
import tempfile

from items import Literal, Walk
from items import cell as text_of

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(ROOT / "tests" / "views"))

from expected import File, cell, load, write  # noqa: E402

QUESTIONS = ROOT / "examples" / "questions"
SCRIPT = "tests/questions/answers.py"
OVER = "sample/small-v1, then sample/small-v2"

# The tables of items: their columns behind resource_type, id, element_path and place, those that are numbers or times by their type.
TABLES = {
    "codings": "coding_index code_system code_version code code_display is_user_selected concept_text",
    "identifiers": "identifier_use type_system type_code type_text identifier_system identifier_value start_time:TIME end_time:TIME",
    "refs": "reference target_type target_id identifier_system identifier_value reference_display",
    "extensions": "extension_url parent_url value_type value_text value_boolean value_double:DOUBLE value_unit value_code_system "
    "value_code start_time:TIME end_time:TIME target_type target_id",
}


def as_text(column: str) -> str:
    """An expression that prints a column as items.py does."""
    name, _, kind = column.partition(":")
    if kind == "DOUBLE":
        return f"CAST(CAST(round({name} * 10000) AS BIGINT) AS STRING)"
    return f"to_char({name}, '%Y-%m-%dT%H:%M:%S')" if kind == "TIME" else f"CAST({name} AS STRING)"


def walked(db) -> dict[str, list[list]]:
    """The rows of all tables over the resources that are loaded."""
    walk = Walk()
    for (body,) in db.sql("SELECT body FROM resource").fetchall():
        walk.resource(json.loads(body, parse_float=Literal))
    return walk.rows


def digest_file(db, table: str, rows: list[list]) -> str:
    """For each element how many rows it has, and the MD5 of all their cells in order."""
    columns = ["id", "place", *TABLES[table].split()]
    cells = ", '|', ".join(f"coalesce({as_text(column)}, 'NULL')" for column in columns)
    by_path = {}
    for row in rows:
        by_path.setdefault(row[2], []).append("|".join(map(text_of, [row[1], *row[3:]])))
    answer = [
        (path, len(lines), hashlib.md5(";".join(sorted(lines)).encode()).hexdigest()) for path, lines in sorted(by_path.items())
    ]
    file = File(db, OVER, SCRIPT)
    query = (
        "SELECT element_path, count(*), md5(string_agg(line, ';' ORDER BY line))\n"
        f"FROM (SELECT element_path, concat({cells}) AS line FROM {table})\nGROUP BY element_path ORDER BY element_path"
    )
    file.query("every cell: how many rows each element has, and their digest", query, answer)
    return file.text()


def every_row_file(db, table: str, rows: list[list], over: str) -> str:
    """Every row."""
    columns = ["resource_type", "id", "element_path", "place", *TABLES[table].split()]
    listed = ",\n  ".join(f"{as_text(column)} AS c{number}" for number, column in enumerate(columns))
    has_index = table == "codings"
    key = "resource_type, id, place" + (", coding_index" if has_index else "")
    answer = sorted(rows, key=lambda row: (row[0], row[1], row[3], row[4] if has_index else ""))
    file = File(db, over, SCRIPT)
    query = f"SELECT {listed}\nFROM {table} ORDER BY {key}"
    file.query("every row", query, [[text_of(value) for value in row] for row in answer])
    return file.text()


def answers(db) -> str:
    """The answers to the questions, cells as text."""
    for path in sorted((QUESTIONS / "value-sets").glob("*.json")):
        concepts = [
            (path.stem, include["system"], concept["code"])
            for include in json.loads(path.read_text())["compose"]["include"]
            for concept in include["concept"]
        ]
        db.execute("CREATE TABLE IF NOT EXISTS value_set (name VARCHAR, system VARCHAR, code VARCHAR)")
        db.executemany("INSERT INTO value_set VALUES (?, ?, ?)", concepts)
    db.execute((HERE / "reference" / "macros.sql").read_text())
    found = []
    for path in sorted(QUESTIONS.glob("*.sql")):
        question = re.match(r"-- question: (.+)\n", path.read_text())
        if question is None:
            raise SystemExit(f"{path} has no question")
        result = db.sql((HERE / "reference" / path.name).read_text())
        rows = [[cell(value) for value in row] for row in result.fetchall()]
        if not rows:
            raise SystemExit(f"{path.name}: an answer without rows says nothing")
        found.append({"name": path.stem, "question": question[1], "columns": result.columns, "rows": rows})
    return json.dumps({"over": OVER, "answers": found}, indent=1, ensure_ascii=False) + "\n"


def expectations(folder: pathlib.Path) -> dict[pathlib.Path, str]:
    """Every file and its text; the folder is for the unpacked sample."""
    for archive in ("small-v1", "small-v2"):
        with tarfile.open(ROOT / "sample" / f"{archive}.tar.gz") as tar:
            tar.extractall(folder, filter="data")
    sample = load(folder / "small-v1", folder / "small-v2")
    files = {HERE / "items" / f"{table}.slt": digest_file(sample, table, rows) for table, rows in walked(sample).items()}
    for name, data in (("views", ROOT / "tests" / "data" / "edge"), ("own", HERE / "edge")):
        edge = load(data)
        for table, rows in walked(edge).items():
            path = HERE / "items" / f"edge-{name}" / f"{table}.slt"
            files[path] = every_row_file(edge, table, rows, str(data.relative_to(ROOT)))
    files[HERE / "answers.json"] = answers(sample)
    return files


def main(check: bool) -> int:
    with tempfile.TemporaryDirectory() as folder:
        files = expectations(pathlib.Path(folder))
    return write(files, SCRIPT, check)


if __name__ == "__main__":
    sys.exit(main("--check" in sys.argv[1:]))
