"""Asks a lake twelve questions, in turn by `fhirlake query` and by DuckDB's delta_scan on the same tables.

    python query.py LAKE [--runs N] [--only NAME]…

LAKE is a lake with deletion vectors: ingested, then a later export of changes ingested. Every question is asked by a process
of its own, which opens the tables, answers and ends; the two take turns. What a process takes to start and to answer
`SELECT 1` is measured in the same way and taken off both, so that a program is not praised for being started faster than a
Python interpreter. Both have two threads. Answers must be equal: sums of floats to nine digits.

A ratio below one: fhirlake is faster. FHIRLAKE_BIN names the program (a release build).
"""

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
THREADS = 2

# Name → a statement that both understand, with tables between braces.
SCANS = {
    "values by code": """
        SELECT code.coding[1]['code'] AS code, count(*) AS n, avg(valueQuantity.__value_double) AS mean
        FROM {Observation} WHERE valueQuantity.__value_double IS NOT NULL GROUP BY 1 ORDER BY n DESC, 1 LIMIT 50""",
    "one patient's observations": """
        SELECT id, code.coding[1]['code'] AS code, effectiveDateTime AS time, valueQuantity.value AS value
        FROM {Observation} WHERE subject.__reference_id = '<patient>' ORDER BY id""",
    "observations by year": """
        SELECT substr(effectiveDateTime, 1, 4) AS year, category[1]['coding'][1]['code'] AS category, count(*) AS n
        FROM {Observation} WHERE status = 'final' GROUP BY 1, 2 ORDER BY 1, 2""",
    "claims by type": """
        SELECT type.coding[1]['code'] AS type, count(*) AS n, sum(total.__value_double) AS total
        FROM {Claim} WHERE created >= '2010' GROUP BY 1 ORDER BY 1""",
}
JOINS = {
    "conditions by sex": """
        SELECT c.code.coding[1]['display'] AS name, p.gender AS sex, count(DISTINCT p.id) AS patients
        FROM {Condition} c JOIN {Patient} p ON c.subject.__reference_id = p.id
        GROUP BY 1, 2 ORDER BY patients DESC, 1, 2 LIMIT 50""",
    "observations by encounter": """
        SELECT e.class.code AS class, o.category[1]['coding'][1]['code'] AS category, count(*) AS n
        FROM {Observation} o JOIN {Encounter} e ON o.encounter.__reference_id = e.id
        GROUP BY 1, 2 ORDER BY 1, 2""",
    "drugs by condition": """
        SELECT c.code.coding[1]['display'] AS reason, m.medicationCodeableConcept.coding[1]['display'] AS drug, count(*) AS n
        FROM {MedicationRequest} m JOIN {Condition} c ON m.encounter.__reference_id = c.encounter.__reference_id
        GROUP BY 1, 2 ORDER BY n DESC, 1, 2 LIMIT 50""",
    "cost by decade of birth": """
        SELECT substr(p.birthDate, 1, 3) AS decade, e.class.code AS class, count(DISTINCT p.id) AS patients,
               sum(k.total.__value_double) AS total
        FROM {Claim} k JOIN {Patient} p ON k.patient.__reference_id = p.id
        JOIN {Encounter} e ON k.item[1]['encounter'][1]['__reference_id'] = e.id
        GROUP BY 1, 2 ORDER BY 1, 2""",
}
UNNESTS = {
    "billed services": """
        SELECT i['productOrService']['coding'][1]['display'] AS service, count(*) AS n, sum(i['net']['__value_double']) AS net
        FROM (SELECT unnest(item) AS i FROM {ExplanationOfBenefit}) AS lines
        GROUP BY 1 ORDER BY n DESC, 1 LIMIT 50""",
    "adjudications": """
        SELECT a['category']['coding'][1]['code'] AS category, count(*) AS n, sum(a['amount']['__value_double']) AS amount
        FROM (SELECT unnest(i['adjudication']) AS a
              FROM (SELECT unnest(item) AS i FROM {ExplanationOfBenefit}) AS lines) AS parts
        GROUP BY 1 ORDER BY 1""",
    "components": """
        SELECT c['code']['coding'][1]['code'] AS code, count(*) AS n, avg(c['valueQuantity']['__value_double']) AS mean
        FROM (SELECT unnest(component) AS c FROM {Observation}) AS parts
        GROUP BY 1 ORDER BY n DESC, 1 LIMIT 50""",
    "results of reports": """
        SELECT o.code.coding[1]['display'] AS result, count(*) AS n, count(DISTINCT r.report) AS reports
        FROM (SELECT id AS report, unnest(result) AS ref FROM {DiagnosticReport}) AS r
        JOIN {Observation} o ON r.ref['__reference_id'] = o.id
        GROUP BY 1 ORDER BY n DESC, 1 LIMIT 50""",
}
QUESTIONS = SCANS | JOINS | UNNESTS
TABLES = ("Observation", "Condition", "Patient", "Encounter", "MedicationRequest", "Claim", "ExplanationOfBenefit", "DiagnosticReport")

DUCKDB = """
import json, pathlib, sys
import duckdb, duckdb_extension_delta
(extension,) = pathlib.Path(duckdb_extension_delta.__file__).parent.rglob("delta.duckdb_extension")
connection = duckdb.connect(config={"threads": int(sys.argv[2])})
connection.execute(f"LOAD '{extension}'")
connection.execute("SET enable_progress_bar = false")
answer = connection.execute(sys.argv[1])
names = [column[0] for column in answer.description]
for row in answer.fetchall():
    print(json.dumps(dict(zip(names, row))))
"""


def timed(command: list[str]) -> tuple[float, str]:
    """Seconds on the clock, and what was printed."""
    start = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    wall = time.monotonic() - start
    if done.returncode != 0:
        raise SystemExit(f"{command[0]}: exit code {done.returncode}: {done.stderr[-800:]}")
    return wall, done.stdout


def rows(answer: str) -> list[list]:
    return [list(json.loads(line).values()) for line in answer.splitlines()]


def equal(ours: list[list], theirs: list[list]) -> bool:
    """Whether the answers are the same, but for the order in which floats were added."""

    def same(a, b) -> bool:
        both_numbers = isinstance(a, (int, float)) and isinstance(b, (int, float))
        return math.isclose(a, b, rel_tol=1e-9) if both_numbers else a == b

    return len(ours) == len(theirs) and all(
        len(a) == len(b) and all(map(same, a, b)) for a, b in zip(ours, theirs)
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lake", type=Path)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--only", action="append", default=[])
    arguments = parser.parse_args()
    fhirlake = os.environ.get("FHIRLAKE_BIN", str(HERE.parents[1] / "target" / "release" / "fhirlake"))
    asked_by = {
        "fhirlake": lambda sql: [fhirlake, "query", "--lake", str(arguments.lake), "--format", "ndjson", sql],
        "duckdb": lambda sql: [sys.executable, "-c", DUCKDB, sql, str(THREADS)],
    }
    named = {
        "fhirlake": {table: table for table in TABLES},
        "duckdb": {table: f"delta_scan('{arguments.lake}/tables/{table}')" for table in TABLES},
    }
    _, patient = timed(asked_by["fhirlake"]("SELECT min(id) AS id FROM Patient"))
    (patient,) = rows(patient)[0]
    starts = {name: statistics.median(timed(ask("SELECT 1 AS one"))[0] for _ in range(arguments.runs)) for name, ask in asked_by.items()}
    print(f"medians of {arguments.runs}, without the start: fhirlake {starts['fhirlake']:.3f} s, DuckDB {starts['duckdb']:.3f} s")
    print(f"{'question':28} {'fhirlake s':>10} {'duckdb s':>9}  ours / its")
    ratios = []
    for question, sql in QUESTIONS.items():
        if arguments.only and question not in arguments.only:
            continue
        sql = sql.replace("<patient>", patient)
        times: dict[str, list[float]] = {name: [] for name in asked_by}
        for number in range(arguments.runs + 1):
            answers = {}
            for name, ask in asked_by.items():
                wall, answers[name] = timed(ask(sql.format(**named[name])))
                if number > 0:  # the first one warms the page cache
                    times[name].append(wall - starts[name])
            if not equal(*map(rows, answers.values())):
                raise SystemExit(f"{question}: the answers differ:\n" + "\n".join(text[:600] for text in answers.values()))
        ours, theirs = (max(statistics.median(figures), 1e-3) for figures in times.values())
        ratios.append(ours / theirs)
        print(f"{question:28} {ours:10.3f} {theirs:9.3f}  {ratios[-1]:.2f}", flush=True)
    print(f"{'geometric mean':28} {'':10} {'':9}  {statistics.geometric_mean(ratios):.2f}; slowest {max(ratios):.2f}")


if __name__ == "__main__":
    main()
