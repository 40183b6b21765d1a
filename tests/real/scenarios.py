"""What a lake has to be after exports of a server that has the sample: the same for every FHIR server.

`of` is how many resources of each type were put on the server.
"""

import json
import os
import subprocess
from collections import Counter
from pathlib import Path

import fhir
from harness import ROOT, SAMPLE, Verdicts, say
from lake import Lake


class Sample:
    """The sample, and two Groups that share its patients among them."""

    def __init__(self, work: Path):
        self.resources = fhir.resources(fhir.unpack(SAMPLE / "small-v1.tar.gz", work))
        changes = fhir.unpack(SAMPLE / "small-v2.tar.gz", work)
        self.changes = fhir.resources(changes)
        # For each type the ids that are changed, added and deleted by the changes.
        self.expected: dict = json.loads((changes / "expected.json").read_text())
        patients = [r["id"] for r in self.resources if r["resourceType"] == "Patient"]
        self.half, self.rest = patients[::2], patients[1::2]
        self.resources += [fhir.group("half", self.half), fhir.group("rest", self.rest)]
        self.of = Counter(r["resourceType"] for r in self.resources)


class Scenarios:
    """The scenarios, whose verdicts go to `verdicts`."""

    def __init__(self, verdicts: Verdicts):
        self.check = verdicts.check

    def load(self, base: str, sample: Sample) -> None:
        """Puts the sample on a server."""
        fhir.put_all(base, sample.resources)
        say(f"{len(sample.resources)} resources loaded")
        self.check("the server has what was loaded", on_server(base, sample.of), dict(sample.of))

    def client_alone(self, name: str, base: str, count: int) -> None:
        """The client's own tests against a running server, in a file of its name."""
        command = ["cargo", "test", "--workspace", "--locked", "--test", "it", "--", "--ignored", f"{name}::"]
        environment = {**os.environ, "RUST_BACKTRACE": "0", f"{name.upper()}_BASE": base}
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
        lines = done.stdout.splitlines()
        passed = [line for line in lines if line.startswith(f"test {name}::") and line.endswith("ok")]
        if done.returncode != 0:
            say(done.stdout[-4000:] + done.stderr[-2000:])
        self.check("the client's own tests: exit code", done.returncode, 0)
        self.check("the client's own tests: passed", len(passed), count)

    def killed_and_run_again(self, lake: Lake, of: Counter) -> None:
        """A run that is killed again and again goes on with the server's job, and ends with the same rows."""
        run = "_runs/system/1"
        # After the server's 202, during the download, after the freeze, and amid the commits of the tables.
        notes = ["job-0.json", "files/0.json", "input.json", "changes/Claim.json"]
        kicked_off = []
        for note in notes:
            self.check(f"the process that noted {note} was killed", lake.export_killed_once(f"{run}/{note}"), -9)
            kicked_off.append((lake.path / run / "job-0.json").read_bytes())
        lake.export()
        self.check("the kick-off was sent once", len(set(kicked_off)), 1)
        self.check("it is one run", [(e["seq"], e["status"]) for e in lake.exports()], [(1, "finished")])
        versions = lake.value("SELECT table_versions FROM _exports")
        self.check("one commit for each table, after its creation", {versions[t] for t in of}, {1})
        self.check("rows by type", sizes(lake, list(of)), dict(of))

    def full(self, lake: Lake, of: Counter, killed: Lake) -> None:
        """A first run brings everything, and the raw store has it as the server shows it."""
        lake.export()
        (export,) = lake.exports()
        self.check("the first run sends no _since", export["since"], None)
        transaction_time = manifest_of(lake, export)["transactionTime"]
        self.check("transaction time is the manifest's", export["transaction_time"], transaction_time)
        self.check("the watermark is the transaction time", export["watermarks"], {"*": export["transaction_time"]})
        self.check("rows by type", sizes(lake, list(of)), dict(of))
        self.check("the same rows as those of the run that was killed", rows(lake, list(of)), rows(killed, list(of)))
        patient = lake.rows("SELECT id FROM Patient ORDER BY id LIMIT 1")[0]["id"]
        shown = fhir.get(lake.server, f"Patient/{patient}")
        self.check("the raw line is the server's resource", lake.raw(f"Patient/{patient}"), shown)

    def incremental(self, lake: Lake, of: Counter, expected: dict) -> None:
        """A second run asks since the first one's transaction time, and changes exactly what changed."""
        lake.export()
        first, second = lake.exports()
        self.check("_since is the first transaction time, literally", second["since"], first["transaction_time"])
        changed = {t: set(ids["changed"] + ids["added"]) for t, ids in expected.items()}
        wanted = {t: changed.get(t, set()) for t in of}
        sql = "SELECT id FROM {} WHERE __export_id = '" + second["export_id"] + "'"
        found = {t: {r["id"] for r in lake.rows(sql.format(t))} for t in of}
        self.check("the rows of the second run", found, wanted)
        counts = {c["resource_type"]: (c["inserted"], c["updated"], c["deleted"]) for c in second["counts"]}
        told = {t: (len(e["added"]), len(e["changed"]), 0) for t, e in expected.items() if e["added"] or e["changed"]}
        self.check("the counts of the second run", counts, told)
        grown = {t: n + len(expected.get(t, {}).get("added", [])) for t, n in of.items()}
        self.check("rows by type", sizes(lake, list(of)), grown)

    def nothing_new(self, lake: Lake, of: Counter) -> None:
        """A third run changes no row, and moves the watermark."""
        before = rows(lake, list(of))
        lake.export()
        _, second, third = lake.exports()
        self.check("_since is the second transaction time, literally", third["since"], second["transaction_time"])
        self.check("no row changed", rows(lake, list(of)), before)
        of_types = [{t: e["table_versions"].get(t) for t in of} for e in (second, third)]
        self.check("no table of a resource type has a new version", of_types[1], of_types[0])
        self.check("the watermark moved", third["watermarks"] != second["watermarks"], True)
        self.check("to the third transaction time", third["watermarks"], {"*": third["transaction_time"]})

    def some_types(self, lake: Lake, of: dict[str, int]) -> None:
        """Types that are asked for come, and a type that is new is asked for in full."""

        def expected(*asked: str) -> dict[str, int]:
            return {t: n if t in asked else 0 for t, n in of.items()}

        lake.export("--type", "Patient", "--type", "Encounter")
        self.check("rows of two types", sizes(lake, list(of)), expected("Patient", "Encounter"))
        lake.export("--type", "Patient", "--type", "Encounter", "--type", "Location")
        first, second = lake.exports()
        self.check("the types before are asked since the first run", second["since"], first["transaction_time"])
        self.check("all three have a watermark", set(second["watermarks"]), {"Patient", "Encounter", "Location"})
        self.check("rows of three types", sizes(lake, list(of)), expected("Patient", "Encounter", "Location"))

    def groups(self, lake: Lake, half: list[str], rest: list[str]) -> None:
        """Two Groups feed one lake, each by its own pipeline."""
        for group_id in ("half", "rest"):
            lake.export("--level", "group", "--group", group_id)
        members = {(m["group_id"], m["patient_id"]) for m in lake.rows("SELECT * FROM cohort_members")}
        self.check("members", members, {("half", p) for p in half} | {("rest", p) for p in rest})
        self.check("pipelines", {e["pipeline"] for e in lake.exports()}, {"group-half", "group-rest"})
        self.check("all patients are there", lake.value("SELECT count(*) FROM patients"), len(half) + len(rest))
        joined = "SELECT count(*) FROM patients JOIN cohort_members USING (patient_id) WHERE group_id = 'half'"
        self.check("patients of the cohort", lake.value(joined), len(half))


def rows(lake: Lake, types: list[str]) -> dict[str, set]:
    """The rows of each table as (id, hash of the line): what makes two tables the same."""
    return {t: {(r["id"], r["__row_hash"]) for r in lake.rows(f"SELECT id, __row_hash FROM {t}")} for t in types}


def sizes(lake: Lake, types: list[str]) -> dict[str, int]:
    """How many rows each table has."""
    sql = " UNION ALL ".join(f"SELECT '{t}' AS name, count(*) AS n FROM {t}" for t in types)
    return {row["name"]: row["n"] for row in lake.rows(sql)}


def on_server(base: str, types: Counter) -> dict[str, int]:
    """How many resources of each type the server says it has."""
    return {t: fhir.get(base, f"{t}?_summary=count")["total"] for t in types}


def manifest_of(lake: Lake, export: dict) -> dict:
    """The manifest of a run, as the server sent it."""
    return json.loads((lake.path / "raw" / export["export_id"] / "manifest.json").read_text())
