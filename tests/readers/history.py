"""A lake's history: everything that writes to one, step by step, with the lines that its tables must hold after each.

The lines come from the files that are loaded, by rules of a few words (a later line of an id replaces the one before, a
deleted id is gone): nothing of what the program says or writes is used for them.
"""

import json
import tarfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from harness import SAMPLE, Failed, Program

# type → id → the line
Lines = dict[str, dict[str, bytes]]
DELETION_VECTORS, COPY_ON_WRITE = "deletion-vectors", "copy-on-write"
# After the sample's own changes, and after those that a Bundle of deletions tells.
LATER = "2026-03-{day:02}T08:00:00.000+00:00"


def unpack(name: str, into: Path) -> Path:
    """Unpacks one of the sample's archives. Returns its folder."""
    with tarfile.open(SAMPLE / f"{name}.tar.gz") as tar:
        tar.extractall(into, filter="data")
    return into / name


def lines(folder: Path) -> Lines:
    """The lines of an export's files."""
    return {file.stem: {json.loads(line)["id"]: line for line in split(file)} for file in sorted(folder.glob("*.ndjson"))}


def split(file: Path) -> list[bytes]:
    return [line for line in file.read_bytes().split(b"\n") if line]


def deleted(folder: Path) -> list[tuple[str, str]]:
    """(type, id) of what an export's `deleted/` tells."""
    bundles = [json.loads(line) for file in folder.glob("deleted/*.ndjson") for line in split(file)]
    urls = [entry["request"]["url"] for bundle in bundles for entry in bundle["entry"]]
    return [(type_, id_) for type_, id_ in (url.split("/") for url in urls)]


def later(line: bytes, day: int, **changes) -> bytes:
    """A later version of a resource, with other elements too."""
    resource = json.loads(line) | {"language": f"de-x-day{day}"} | changes
    resource["meta"] |= {"versionId": str(100 + day), "lastUpdated": LATER.format(day=day)}
    return json.dumps(resource).encode()


class History:
    """One lake, from its creation on. `types` leaves out all others of the sample."""

    def __init__(self, work: Path, mode: str, types: set[str] | None = None):
        self.program = Program(work)
        self.work = work
        self.mode = mode
        self.types = types
        self.lake = work / mode
        self.lines: Lines = {}
        self.exports = 0
        self.first, self.second = unpack("small-v1", work), unpack("small-v2", work)

    def play(self) -> Iterator[str]:
        """Does one step after the other, and gives the name of each when it is done."""
        steps: list[tuple[str, Callable[[], None]]] = [
            ("create", self.create),
            ("upsert", self.upsert),
            ("delete", self.delete),
            ("load again", self.load_again),
            ("fold", self.fold),
            ("upsert after the fold", self.upsert_after_the_fold),
            ("small file 1", lambda: self.small_file(1)),
            ("small file 2", lambda: self.small_file(2)),
            ("small file 3", lambda: self.small_file(3)),
            ("small file 4", lambda: self.small_file(4)),
            ("compaction", self.compaction),
            ("upsert after the compaction", self.upsert_after_the_compaction),
        ]
        for name, step in steps:
            step()
            yield name

    def create(self) -> None:
        """A full export."""
        self.load(self.of(self.first), {}, "--upsert", self.mode)

    def upsert(self) -> None:
        """Resources that changed or came."""
        self.load(self.of(self.second), {})

    def delete(self) -> None:
        """Deletions by themselves: an export whose only folder is `deleted/`."""
        gone = deleted(self.second)
        self.load({}, {type_: [id_ for of, id_ in gone if of == type_] for type_ in self.lines})

    def load_again(self) -> None:
        """The same once more: no table of a resource type may have another version."""
        before = self.versions()
        self.ingest(self.work / "export-2", self.work / "export-3")
        self.must("no table has another version", self.versions() == before)

    def fold(self) -> None:
        """Rows that are masked leave their files, and each table becomes one file."""
        vectors = self.vectors()
        self.must("there are masked rows to fold, where rows are masked", bool(vectors) == self.masks())
        self.program.run("maintain", "--lake", str(self.lake), "--fold")
        self.must("no row is masked any more", not self.vectors())

    def upsert_after_the_fold(self) -> None:
        """Many rows of one table change, and a resource that was deleted comes back with a later version."""
        was = lines(self.first)["AllergyIntolerance"]
        back = next(id_ for id_ in was if id_ not in self.lines["AllergyIntolerance"])
        new = {
            "AllergyIntolerance": {back: later(was[back], 1)},
            "Observation": {
                id_: later(line, 1, status="amended") for id_, line in list(self.lines["Observation"].items())[::3]
            },
            "Patient": {id_: later(line, 1, birthDate="1931") for id_, line in list(self.lines["Patient"].items())[:2]},
        }
        self.load(new, {})
        # So many rows that their vector is a file of its own, beside others that are in the log itself.
        self.must("both kinds of vectors are there", self.vectors() == ({"u", "i"} if self.masks() else set()))

    def small_file(self, day: int) -> None:
        """One more resource of each of two types, and one that changes."""
        encounters = list(self.lines["Encounter"].items())
        id_, line = encounters[day]
        came = f"came-{day}"
        self.load(
            {
                "Encounter": {came: later(encounters[0][1], 1 + day, id=came), id_: later(line, 1 + day)},
                "Condition": {came: later(next(iter(self.lines["Condition"].values())), 1 + day, id=came)},
            },
            {},
        )

    def compaction(self) -> None:
        """Small files become one."""
        before = self.files("Encounter"), self.files("Condition")
        self.must("there are small files", min(before) > 1)
        self.program.run("maintain", "--lake", str(self.lake))
        self.must("they are one", (self.files("Encounter"), self.files("Condition")) == (1, 1))

    def upsert_after_the_compaction(self) -> None:
        """Changes, additions and deletions in one export."""
        encounters = self.lines["Encounter"]
        changed = {id_: later(encounters[id_], 9, status="cancelled") for id_ in ("came-1", *list(encounters)[5:40])}
        self.load({"Encounter": changed}, {"Encounter": ["came-2"], "Condition": ["came-3"]})
        checkpoint = self.tables()["Encounter"] / "_delta_log" / "_last_checkpoint"
        self.must("a table is read from a checkpoint", checkpoint.is_file())

    def of(self, folder: Path) -> Lines:
        """The lines of one of the sample's folders."""
        return {type_: of for type_, of in lines(folder).items() if self.types is None or type_ in self.types}

    def load(self, new: Lines, gone: dict[str, list[str]], *more: str) -> None:
        """Writes an export, loads it, and notes what must be there afterwards."""
        self.exports += 1
        folder = self.work / f"export-{self.exports}"
        folder.mkdir()
        for type_, of in new.items():
            (folder / f"{type_}.ndjson").write_bytes(b"".join(line + b"\n" for line in of.values()))
            self.lines.setdefault(type_, {}).update(of)
        entry = [{"request": {"method": "DELETE", "url": f"{type_}/{id_}"}} for type_, ids in gone.items() for id_ in ids]
        if entry:
            meta = {"lastUpdated": LATER.format(day=20) if self.exports > 3 else "2026-02-01T12:34:56.789+00:00"}
            bundle = {"resourceType": "Bundle", "id": "deleted", "meta": meta, "type": "transaction", "entry": entry}
            (folder / "deleted").mkdir()
            (folder / "deleted" / "Bundle.ndjson").write_text(json.dumps(bundle) + "\n")
        for type_, ids in gone.items():
            for id_ in ids:
                del self.lines[type_][id_]
        self.ingest(folder, *more)

    def ingest(self, *arguments: str | Path) -> None:
        self.program.run("ingest", "--lake", str(self.lake), *map(str, arguments))

    def masks(self) -> bool:
        """Whether rows leave by vectors."""
        return self.mode == DELETION_VECTORS

    def must(self, what: str, holds: bool) -> None:
        """A history in which this does not hold would prove nothing."""
        if not holds:
            raise Failed(f"{self.lake.name}: not so: {what}")

    def tables(self) -> dict[str, Path]:
        """The folders of the resource types' tables."""
        return {type_: self.lake / "tables" / type_ for type_ in sorted(self.lines)}

    def versions(self) -> dict[str, int]:
        """The newest version of each table of a resource type."""
        return {type_: newest(table) for type_, table in self.tables().items()}

    def added(self, type_: str) -> dict[str, dict]:
        """The data files of a table's newest version, by their paths. A log that was not cleaned has them all."""
        found: dict[str, dict] = {}
        log = self.tables()[type_] / "_delta_log"
        for commit in sorted(log.glob("*.json")):
            actions = [json.loads(line) for line in split(commit)]
            for remove in [action["remove"] for action in actions if "remove" in action]:
                found.pop(remove["path"], None)
            found |= {action["add"]["path"]: action["add"] for action in actions if "add" in action}
        return found

    def files(self, type_: str) -> int:
        """How many data files a table's newest version has."""
        return len(self.added(type_))

    def vectors(self, types: Iterable[str] = ()) -> set[str]:
        """How the vectors of the newest versions are stored: `i` in the log itself, `u` in files of their own."""
        adds = [add for type_ in types or self.lines for add in self.added(type_).values()]
        return {add["deletionVector"]["storageType"] for add in adds if add.get("deletionVector")}


def newest(table: Path) -> int:
    """The newest version of a Delta table."""
    return max(int(commit.stem) for commit in (table / "_delta_log").glob("*.json"))
