"""Writes the expectations of tests/views: *.slt, edge/*.slt, edge-r5/*.slt, and tests/data/demo-answers.json.

The answers come by other means than the program's: DuckDB reads the raw NDJSON as JSON values, reference/<view>.sql says by
JSON paths what the view must hold, and DuckDB runs the queries over that. Nothing here knows of Delta tables, typed
columns or our views' SQL; only the column names and the grain are read from the headers of sql/views.

    pip install duckdb==1.5.5
    python tests/views/expected.py           # writes the files
    python tests/views/expected.py --check   # fails where a file is not what it would write

A view's .slt asks, in this order: is its grain what its header says, is its key one, what is in every column (a digest),
and what queries/<view>.sql asks. Those of edge/ print every row, over the few resources of tests/data/edge; those of edge-r5/ over
tests/data/edge-r5, which is FHIR R5: by reference/r5/<view>.sql where there is one.
"""

import json
import pathlib
import re
import sys
import tarfile
import tempfile

import duckdb

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
DATA = ROOT / "tests" / "data"

# What identifies a row of each view, in the order in which one builds on another. None: files by themselves bring no members
# of Groups.
KEYS = {
    "patients": "patient_id",
    "conditional_references": "reference",
    "encounters": "encounter_id",
    "encounter_stays": "encounter_id",
    "conditions": "condition_id",
    "problem_list": "concat(patient_id, '#', code_system, '#', coalesce(code, code_display))",
    "observations": "concat(observation_id, '#', CAST(component_index AS STRING))",
    "labs": "concat(observation_id, '#', CAST(component_index AS STRING))",
    "vitals": "concat(observation_id, '#', CAST(component_index AS STRING))",
    "latest_values": "concat(patient_id, '#', code_system, '#', code)",
    "procedures": "procedure_id",
    "immunizations": "immunization_id",
    "allergies": "allergy_id",
    "medications": "medication_id",
    "medication_requests": "medication_request_id",
    "medication_dispenses": "medication_dispense_id",
    "medication_administrations": "medication_administration_id",
    "medication_statements": "medication_statement_id",
    "medication_exposures": "concat(resource_type, '/', resource_id)",
    "diagnostic_reports": "diagnostic_report_id",
    "documents": "document_id",
    "care_plans": "care_plan_id",
    "devices": "device_id",
    "coverages": "coverage_id",
    "claims": "claim_id",
    "claim_items": "concat(claim_id, '#', CAST(item_index AS STRING))",
    "explanation_of_benefits": "explanation_of_benefit_id",
    "explanation_of_benefit_items": "concat(explanation_of_benefit_id, '#', CAST(item_index AS STRING))",
    "providers": "concat(practitioner_role_id, '#', practitioner_id)",
    "organizations": "organization_id",
    "locations": "location_id",
    "cohort_members": None,
}


def form_of(name: str, folder: pathlib.Path, version: str) -> pathlib.Path:
    """The file of a view: its form for the FHIR version, else that of all versions."""
    form = folder / version.lower() / f"{name}.sql"
    return form if form.is_file() else folder / f"{name}.sql"


def load(*exports: pathlib.Path, version: str = "R4") -> duckdb.DuckDBPyConnection:
    """The exports, merged in their order, as a table `resource` (type, id, body) and the reference's views over it."""
    db = duckdb.connect()
    db.sql("SET TimeZone = 'UTC'")
    db.sql("CREATE TABLE resource (type VARCHAR, id VARCHAR, body JSON)")
    for export in exports:
        db.sql(
            f"CREATE OR REPLACE TEMP TABLE line AS SELECT json->>'resourceType' AS type, json->>'id' AS id, json AS body "
            f"FROM read_ndjson_objects('{export}/*.ndjson');"
            "DELETE FROM resource WHERE (type, id) IN (SELECT (type, id) FROM line);"
            "INSERT INTO resource FROM line"
        )
        if (export / "deleted").is_dir():
            db.sql(
                "DELETE FROM resource WHERE type || '/' || id IN (SELECT unnest(json->>'$.entry[*].request.url') "
                f"FROM read_ndjson_objects('{export}/deleted/*.ndjson'))"
            )
    db.execute((HERE / "reference" / "macros.sql").read_text())
    if version == "R5":
        db.execute((HERE / "reference" / "r5" / "macros.sql").read_text())
    for name in KEYS:
        db.execute(form_of(name, HERE / "reference", version).read_text())
    return db


def cell(value) -> str:
    """A value as the runner prints it."""
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) or "(empty)"


def header(view: str, version: str = "R4") -> tuple[str, list[tuple[str, str]]]:
    """The grain and the columns (name, type) of a view's header."""
    text = (ROOT / "sql" / "views" / f"{view}.sql").read_text()
    form = form_of(view, ROOT / "sql" / "views", version).read_text()
    grain = re.search(r"^-- grain: (.+)$", form, re.MULTILINE)
    if grain is None:
        raise SystemExit(f"sql/views/{view}.sql has no grain")
    return grain[1], re.findall(r"^--   (\w+) ([A-Z]+):", text, re.MULTILINE)


def as_text(column: str, kind: str) -> str:
    """An expression that prints a column alike in both engines: numbers in ten-thousandths, times to the second."""
    if kind == "DOUBLE":
        return f"CAST(CAST(round({column} * 10000) AS BIGINT) AS STRING)"
    if kind == "TIMESTAMP":
        return f"to_char({column}, '%Y-%m-%dT%H:%M:%S')"
    return f"CAST({column} AS STRING)"


class File:
    """An .slt file in the making."""

    def __init__(self, db: duckdb.DuckDBPyConnection, lake: str, script: str = "tests/views/expected.py"):
        self.db = db
        self.parts = [f"# Written by {script}. The lake: {lake}."]

    def query(self, comment: str, query: str, answer: list | None = None) -> None:
        """Adds a query with its answer: by the reference, or as given."""
        rows = self.db.sql(query).fetchall() if answer is None else answer
        lines = "".join("\n" + " ".join(map(cell, row)) for row in rows)
        columns = "T" * (len(rows[0]) if rows else 1)
        self.parts.append(f"# {comment}\nquery {columns}\n{query}\n----{lines}")

    def grain(self, view: str, grain: str) -> None:
        count = f"SELECT count(*) FROM {view}"
        rows = self.db.sql(count).fetchone()[0]
        query = f"SELECT ({count}) AS in_view,\n  ({grain}) AS by_grain"
        self.query("the grain: as many rows as the header says", query, [(rows, rows)])

    def digests(self, view: str, columns: list[tuple[str, str]], key: str) -> None:
        """A line for each column: how many values it has, and the MD5 of all its cells in the order of the key."""
        line = (
            "concat('{name} ', CAST(count({name}) AS STRING), ' ', "
            "md5(string_agg(concat({key}, '=', coalesce({text}, 'NULL')), ';' ORDER BY {key})))"
        )
        lines = ",\n  ".join(line.format(name=name, key=key, text=as_text(name, kind)) for name, kind in columns)
        query = f"SELECT unnest(lines) FROM (SELECT [\n  {lines}\n] AS lines FROM {view})"
        self.query("every cell: how many values each column has, and their digest", query)

    def text(self) -> str:
        return "\n\n".join(self.parts) + "\n"


def view_file(db: duckdb.DuckDBPyConnection, view: str, key: str | None) -> str:
    """The expectations of a view over the sample."""
    grain, columns = header(view)
    file = File(db, "sample/small-v1, then sample/small-v2")
    file.grain(view, grain)
    if key is not None:
        file.query("the key is one", f"SELECT count(DISTINCT {key}) FROM {view}")
        file.digests(view, columns, key)
    own = HERE / "queries" / f"{view}.sql"
    for part in own.read_text().strip().split("\n\n") if own.is_file() else []:
        comment, query = part.split("\n", 1)
        file.query(comment.removeprefix("-- "), query)
    return file.text()


def edge_file(db: duckdb.DuckDBPyConnection, folder: str, view: str, key: str, version: str = "R4") -> str:
    """The expectations of a view over the edge cases: every row of it."""
    grain, columns = header(view, version)
    file = File(db, f"tests/data/{folder}")
    file.grain(view, grain)
    # A few columns at a time, so that a difference can be seen.
    for start in range(0, len(columns), 6):
        part = columns[start : start + 6]
        listed = ",\n  ".join(f"{as_text(name, kind)} AS {name}" for name, kind in part)
        query = f"SELECT {key} AS key,\n  {listed}\nFROM {view} ORDER BY key"
        file.query(f"{part[0][0]} to {part[-1][0]}", query)
    return file.text()


def demo_answers(db: duckdb.DuckDBPyConnection) -> str:
    """The answers to the demo's questions, cells as text, over the first export alone."""
    answers = []
    for path in sorted((ROOT / "sql" / "demo").glob("*.sql")):
        question = re.match(r"-- question: (.+)\n", path.read_text())
        if question is None:
            raise SystemExit(f"{path} has no question")
        result = db.sql((HERE / "reference" / "demo" / path.name).read_text())
        rows = [[cell(value) for value in row] for row in result.fetchall()]
        answers.append({"name": path.stem, "question": question[1], "columns": result.columns, "rows": rows})
    return json.dumps({"over": "sample/small-v1.tar.gz", "answers": answers}, indent=1, ensure_ascii=False) + "\n"


def agree(db: duckdb.DuckDBPyConnection, key: dict) -> None:
    """Fails where the reference has other columns than the headers, or other counts than the sample's own key."""
    for view in KEYS:
        found, promised = [row[0] for row in db.sql(f"DESCRIBE {view}").fetchall()], [name for name, _ in header(view)[1]]
        if found != promised:
            raise SystemExit(f"sql/views/{view}.sql promises {promised}, reference/{view}.sql has {found}")
    for resource_type, change in key.items():
        want = change["unchanged"] + len(change["changed"]) + len(change["added"])
        found = db.execute("SELECT count(*) FROM resource WHERE type = ?", [resource_type]).fetchone()[0]
        if found != want:
            raise SystemExit(f"{resource_type}: {found} after the merge, expected.json says {want}")


def expectations(folder: pathlib.Path) -> dict[pathlib.Path, str]:
    """Every file and its text; the folder is for the unpacked sample."""
    for archive in ("small-v1", "small-v2"):
        with tarfile.open(ROOT / "sample" / f"{archive}.tar.gz") as tar:
            tar.extractall(folder, filter="data")
    v1, v2 = folder / "small-v1", folder / "small-v2"
    both, edge, edge_r5 = load(v1, v2), load(DATA / "edge"), load(DATA / "edge-r5", version="R5")
    agree(both, json.loads((v2 / "expected.json").read_text()))
    files = {HERE / f"{view}.slt": view_file(both, view, key) for view, key in KEYS.items()}
    for view, key in KEYS.items():
        if key:
            files[HERE / "edge" / f"{view}.slt"] = edge_file(edge, "edge", view, key)
            files[HERE / "edge-r5" / f"{view}.slt"] = edge_file(edge_r5, "edge-r5", view, key, "R5")
    files[DATA / "demo-answers.json"] = demo_answers(load(v1))
    return files


def write(files: dict[pathlib.Path, str], script: str, check: bool) -> int:
    """Writes the files that are not what they should be, or says which."""
    stale = [path for path, text in files.items() if not path.is_file() or path.read_text() != text]
    for path in stale:
        if check:
            print(f"{path.relative_to(ROOT)} is not what {script} writes", file=sys.stderr)
        else:
            path.parent.mkdir(exist_ok=True)
            path.write_text(files[path])
            print(f"wrote {path.relative_to(ROOT)}")
    return 1 if check and stale else 0


def main(check: bool) -> int:
    with tempfile.TemporaryDirectory() as folder:
        files = expectations(pathlib.Path(folder))
    return write(files, "tests/views/expected.py", check)


if __name__ == "__main__":
    sys.exit(main("--check" in sys.argv[1:]))
