"""Asks a lake twelve questions, in turn by `fhirlake query` and by DuckDB's delta_scan on the same tables.

    python query.py LAKE [--runs N] [--only NAME]…

LAKE is a lake with deletion vectors: ingested, then a later export of changes ingested. Every question is asked by a process
of its own, which opens the tables, answers and ends; the two take turns. Starting is in neither figure, so that a program is
not praised for being started faster than a Python interpreter: DuckDB's process takes the time from the statement to its last
row by itself, and from what `fhirlake query` takes on the clock of who waits for it, the median of `SELECT 1` is taken off.
Both have two threads. Answers must be equal: sums of floats to nine digits.

A ratio below one: fhirlake is faster. Processor seconds stand beside the clock's: a machine with other work on it disturbs them
less. FHIRLAKE_BIN names the program (a release build).
"""

import argparse
import json
import math
import os
import resource
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
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
import json, pathlib, resource, sys, time
import duckdb, duckdb_extension_delta
(extension,) = pathlib.Path(duckdb_extension_delta.__file__).parent.rglob("delta.duckdb_extension")
connection = duckdb.connect(config={"threads": int(sys.argv[2])})
connection.execute(f"LOAD '{extension}'")
connection.execute("SET enable_progress_bar = false")
used, start = resource.getrusage(resource.RUSAGE_SELF), time.monotonic()
answer = connection.execute(sys.argv[1])
names = [column[0] for column in answer.description]
rows = answer.fetchall()
wall, using = time.monotonic() - start, resource.getrusage(resource.RUSAGE_SELF)
print(wall, using.ru_utime + using.ru_stime - used.ru_utime - used.ru_stime)
for row in rows:
    print(json.dumps(dict(zip(names, row))))
"""


@dataclass
class Asked:
    """An answer, and the seconds that it took: on the clock, of processors."""

    wall: float
    cpu: float
    answer: str


def run(command: list[str]) -> Asked:
    """Runs a program, and measures it from outside."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    wall = time.monotonic() - start
    if done.returncode != 0:
        raise SystemExit(f"{command[0]}: exit code {done.returncode}: {done.stderr[-800:]}")
    using = resource.getrusage(resource.RUSAGE_CHILDREN)
    return Asked(wall, using.ru_utime + using.ru_stime - used.ru_utime - used.ru_stime, done.stdout)


def duckdb(sql: str) -> Asked:
    """Asks DuckDB, which measures itself."""
    figures, _, answer = run([sys.executable, "-c", DUCKDB, sql, str(THREADS)]).answer.partition("\n")
    wall, cpu = map(float, figures.split())
    return Asked(wall, cpu, answer)


class Fhirlake:
    """Asks fhirlake, and takes off what it takes to start."""

    def __init__(self, lake: Path, runs: int):
        self.command = [os.environ.get("FHIRLAKE_BIN", str(HERE.parents[1] / "target" / "release" / "fhirlake"))]
        self.command += ["query", "--lake", str(lake), "--format", "ndjson"]
        self.start = Asked(0, 0, "")
        starts = [self("SELECT 1 AS one") for _ in range(2 * runs + 1)]
        self.start = Asked(*(statistics.median(getattr(one, of) for one in starts) for of in ("wall", "cpu")), "")

    def __call__(self, sql: str) -> Asked:
        asked = run([*self.command, sql])
        return Asked(max(asked.wall - self.start.wall, 1e-4), max(asked.cpu - self.start.cpu, 1e-4), asked.answer)


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
    fhirlake = Fhirlake(arguments.lake, arguments.runs)
    programs = {
        "fhirlake": (fhirlake, {table: table for table in TABLES}),
        "duckdb": (duckdb, {table: f"delta_scan('{arguments.lake}/tables/{table}')" for table in TABLES}),
    }
    ((patient,),) = rows(fhirlake("SELECT min(id) AS id FROM Patient").answer)
    print(f"medians of {arguments.runs}; taken off fhirlake's: {fhirlake.start.wall:.3f} s, {fhirlake.start.cpu:.3f} s of processors")
    print(f"{'question':26} {'fhirlake s':>10} {'duckdb s':>9} {'ours / its':>10}   {'fhirlake cpu':>12} {'duckdb cpu':>10} {'ours / its':>10}")
    ratios = []
    for question, sql in QUESTIONS.items():
        if arguments.only and question not in arguments.only:
            continue
        sql = sql.replace("<patient>", patient)
        asked: dict[str, list[Asked]] = {name: [] for name in programs}
        for number in range(arguments.runs + 1):
            round_ = {name: ask(sql.format(**tables)) for name, (ask, tables) in programs.items()}
            if not equal(*(rows(one.answer) for one in round_.values())):
                raise SystemExit(f"{question}: the answers differ:\n" + "\n".join(one.answer[:600] for one in round_.values()))
            if number > 0:  # the first one warms the page cache
                for name, one in round_.items():
                    asked[name].append(one)
        wall = [statistics.median(one.wall for one in runs) for runs in asked.values()]
        cpu = [statistics.median(one.cpu for one in runs) for runs in asked.values()]
        ratios.append((wall[0] / wall[1], cpu[0] / cpu[1]))
        print(
            f"{question:26} {wall[0]:10.3f} {wall[1]:9.3f} {ratios[-1][0]:10.2f}   {cpu[0]:12.3f} {cpu[1]:10.3f} {ratios[-1][1]:10.2f}",
            flush=True,
        )
    for what, values in zip(("clock", "processors"), zip(*ratios)):
        print(f"{what}: geometric mean {statistics.geometric_mean(values):.2f}, largest {max(values):.2f}")


if __name__ == "__main__":
    main()
