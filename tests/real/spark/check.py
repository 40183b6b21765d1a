"""Spark reads a lake after each step of its history, reads its change feeds, writes to it too, and has the views. See
../README.md."""

import sys
import tempfile
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[levels] / name) for levels, name in ((1, ""), (2, "readers"))]

import deltalake  # noqa: E402
import pyarrow as pa  # noqa: E402
from harness import Failed, Program, Verdicts, say  # noqa: E402
from history import COPY_ON_WRITE, DELETION_VECTORS, History, later  # noqa: E402
from lineage import Raw, differences  # noqa: E402
from readers import READERS, Reader, read_by_all  # noqa: E402
from spark import Spark  # noqa: E402
from spark_views import SparkSql  # noqa: E402
from views import Views, lakes  # noqa: E402

# The types that the history is about, one with a thousand columns, and one that never changes.
SOME = {"AllergyIntolerance", "Condition", "Encounter", "ExplanationOfBenefit", "Observation", "Patient", "Provenance"}
CHANGED = ["AllergyIntolerance", "Condition", "Encounter", "Observation", "Patient"]
# What Spark writes into rows, in an element that nothing else here has.
MARK = "urn:written-by-spark"
SHOWN = 5


def readers(history: History, spark: Spark) -> list[Reader]:
    """Those that must read a lake, Spark the first."""
    return [spark, *(reader for reader in READERS if reader.knows_vectors or not history.masks())]


def read(history: History, spark: Spark, type_: str) -> tuple[pa.Table, list[str]]:
    """The rows of a table as Spark reads them, and what others read otherwise, or the lines have otherwise."""
    rows, found = read_by_all(readers(history, spark), history.tables()[type_])
    found += differences(rows, type_, history.lines[type_], Raw(history.lake))
    return rows, found[:SHOWN]


def queried(history: History, type_: str, rows: pa.Table) -> bool:
    """Whether `fhirlake query` has the same rows in a table's newest version."""
    columns = ["id", "__row_hash", "__raw_file", "__raw_offset", "implicitRules"]
    answer = history.program.query(history.lake, f"SELECT {', '.join(columns)} FROM {type_}", "--latest")
    return Counter(map(repr, answer)) == Counter(map(repr, rows.select(columns).to_pylist()))


def all_agree(verdicts: Verdicts, history: History, spark: Spark, when: str, types: Iterable[str]) -> None:
    """Spark, the other readers, `fhirlake query` and the lines have the same rows."""
    for type_ in types:
        rows, found = read(history, spark, type_)
        verdicts.check(f"{when}: {rows.num_rows} rows of {type_}, the same to all", found, [])
        verdicts.check(f"{when}: {type_} to fhirlake query", queried(history, type_, rows), True)


def follow(verdicts: Verdicts, history: History, spark: Spark) -> None:
    """After each step the tables that have a new version are read."""
    seen: dict[str, int] = {}
    for step in history.play():
        new = {type_: version for type_, version in history.versions().items() if seen.get(type_) != version}
        all_agree(verdicts, history, spark, step, new)
        seen |= new


def kinds(feed: list[tuple]) -> list[tuple]:
    """(version, change, id) of a change feed. Of one id, what goes and what comes in one commit is an update, and none where it is
    of the same content: such a row was written again."""
    gone = {(version, id_): content for version, kind, id_, content in feed if kind == "delete"}
    came = {(version, id_): content for version, kind, id_, content in feed if kind == "insert"}
    other = {kind for _, kind, _, _ in feed} - {"delete", "insert"}
    found = [(version, "delete", id_) for version, id_ in gone.keys() - came.keys()]
    found += [(version, "insert", id_) for version, id_ in came.keys() - gone.keys()]
    found += [(*key[:1], "update", key[1]) for key in gone.keys() & came.keys() if gone[key] != came[key]]
    return sorted([*found, *((None, kind, None) for kind in other)], key=repr)


def change_feeds(verdicts: Verdicts, history: History, spark: Spark) -> None:
    """Delta's change feed says, version by version, the same to Spark and to Python deltalake, and `fhirlake changes` says it."""
    columns, seen = ["id", "__row_hash"], set()
    told: dict[str, list[tuple]] = {type_: [] for type_ in CHANGED}
    for change in history.program.json("changes", "--lake", str(history.lake), "--since", "0"):
        if change["resource_type"] in told:
            told[change["resource_type"]].append((change["table_version"], change["change"], change["id"]))
    for type_ in CHANGED:
        table = history.tables()[type_]
        feed = sorted(spark.change_feed(table, columns))
        cdf = pa.table(deltalake.DeltaTable(str(table)).load_cdf(starting_version=0).read_all())
        others = sorted(tuple(row.values()) for row in cdf.select(["_commit_version", "_change_type", *columns]).to_pylist())
        seen |= {kind for _, kind, _ in kinds(feed)}
        verdicts.check(f"{len(feed)} rows in the change feed of {type_}, the same to Python deltalake", others == feed, True)
        verdicts.check(f"fhirlake changes, {type_}", sorted(told[type_], key=repr) == kinds(feed), True)
    verdicts.check("all kinds of changes are there", seen, {"insert", "update", "delete"})


def optimized_by_spark(verdicts: Verdicts, history: History, spark: Spark) -> None:
    """Spark puts the files of tables together, and what is loaded then goes on from there."""
    encounters, observations = history.lines["Encounter"], history.lines["Observation"]
    changed = {id_: later(line, 10) for id_, line in list(observations.items())[::40]}
    history.load({"Encounter": {id_: later(encounters[id_], 10) for id_ in list(encounters)[50:90]}, "Observation": changed}, {})
    for type_ in ("Encounter", "Observation"):
        before = history.versions()[type_]
        spark.write("OPTIMIZE {}", history.tables()[type_])
        verdicts.check(f"Spark has put the files of {type_} together", history.versions()[type_] > before, True)
    all_agree(verdicts, history, spark, "OPTIMIZE by Spark", ("Encounter", "Observation"))
    changed = {id_: later(line, 11) for id_, line in list(observations.items())[1::40]}
    history.load(
        {"Encounter": {id_: later(encounters[id_], 11) for id_ in list(encounters)[80:100]}, "Observation": changed},
        {"Encounter": list(encounters)[110:113]},
    )
    all_agree(verdicts, history, spark, "an upsert on top", ("Encounter", "Observation"))


def vacuumed_by_spark(verdicts: Verdicts, history: History, spark: Spark) -> None:
    """Spark's VACUUM takes nothing away that the newest versions have, nor what is loaded next needs."""
    encounters, observations = history.lines["Encounter"], history.lines["Observation"]
    vacuum = "VACUUM {} RETAIN 0 HOURS"
    if history.masks():
        verdicts.check("vectors are in the log", history.vectors({"Encounter"}), {"i"})
        verdicts.check("they are not known to VACUUM", vectors_in_the_log(spark, vacuum, history.tables()["Encounter"]), True)
        all_agree(verdicts, history, spark, "a VACUUM that failed", ("Encounter",))
    history.program.run("maintain", "--lake", str(history.lake), "--fold")
    if history.masks():
        lately = vectors_in_the_log(spark, "VACUUM {}", history.tables()["Encounter"])
        verdicts.check("nor are those of files that were removed lately", lately, True)
    for type_ in CHANGED:
        spark.write(vacuum, history.tables()[type_])
    all_agree(verdicts, history, spark, "VACUUM by Spark after a fold", CHANGED)
    # So many that their vector is a file of its own.
    history.load({"Observation": {id_: later(line, 12) for id_, line in list(observations.items())[2::3]}}, {})
    verdicts.check("vectors are files", history.vectors({"Observation"}), {"u"} if history.masks() else set())
    spark.write(vacuum, history.tables()["Observation"])
    all_agree(verdicts, history, spark, "VACUUM by Spark beside a vector", ("Observation",))
    changed = {id_: later(line, 13) for id_, line in list(observations.items())[2::30]}
    changes = {"Encounter": {id_: later(encounters[id_], 12) for id_ in list(encounters)[90:95]}, "Observation": changed}
    history.load(changes, {})
    all_agree(verdicts, history, spark, "an upsert after VACUUM", changes)


def vectors_in_the_log(spark: Spark, vacuum: str, table: Path) -> bool:
    """Whether VACUUM fails as Delta Lake's does where a vector is in the log itself: it knows vectors in files only."""
    try:
        spark.write(vacuum, table)
    except Failed as failed:
        return "scala.MatchError: Some(DeletionVectorDescriptor(i," in str(failed)
    return False


def written_by_spark(verdicts: Verdicts, history: History, spark: Spark) -> None:
    """Spark changes and deletes rows, by vectors over ours; what is loaded then goes on from there."""
    encounters, table = history.lines["Encounter"], history.tables()["Encounter"]
    ids = list(encounters)
    marked, gone = ids[100:110], ids[120:130]
    where = "id IN ({})"
    spark.write(f"UPDATE {{}} SET implicitRules = '{MARK}' WHERE {where.format(quoted(marked))}", table)
    spark.write(f"DELETE FROM {{}} WHERE {where.format(quoted(gone))}", table)
    was = {id_: encounters.pop(id_) for id_ in gone}
    all_agree(verdicts, history, spark, "UPDATE and DELETE by Spark", ("Encounter",))
    if history.masks():
        verdicts.check("Spark wrote vectors", "u" in history.vectors({"Encounter"}), True)
    verdicts.check("the rows that Spark has marked", marks(spark, table), sorted(marked))
    # Of the rows that Spark marked, some have a later version, and of those that it deleted, some come back by one.
    new = {id_: later(encounters[id_], 14) for id_ in marked[:4]} | {id_: later(was[id_], 14) for id_ in gone[:4]}
    history.load({"Encounter": new}, {"Encounter": marked[4:6]})
    all_agree(verdicts, history, spark, "an upsert on top", ("Encounter",))
    verdicts.check("the marks of rows that are not loaded again stand", marks(spark, table), sorted(marked[6:]))
    history.program.run("maintain", "--lake", str(history.lake), "--fold")
    all_agree(verdicts, history, spark, "a fold of it all", CHANGED)
    verdicts.check("the marks stand", marks(spark, table), sorted(marked[6:]))


def quoted(ids: list[str]) -> str:
    return ", ".join(f"'{id_}'" for id_ in ids)


def marks(spark: Spark, table: Path) -> list[str]:
    rows = spark.rows(table).select(["id", "implicitRules"]).to_pylist()
    return sorted(row["id"] for row in rows if row["implicitRules"] == MARK)


def views_in_spark(verdicts: Verdicts, work: Path) -> None:
    """The views that `fhirlake views export` writes for Spark have the rows of `fhirlake query`."""
    for lake, version in lakes(work):
        views = Views(Program(work), lake, version, SparkSql())
        views.make()
        for name, rows, found in views.differences():
            verdicts.check(f"{lake.name}: {rows} rows of the view {name}", found, [])


def main() -> int:
    verdicts = Verdicts()
    spark = Spark()
    say(f"{spark.name} is there")
    with tempfile.TemporaryDirectory(prefix="fhirlake-spark-") as work:
        verdicts.scenario("the views in Spark", views_in_spark, verdicts, Path(work))
    for mode in (DELETION_VECTORS, COPY_ON_WRITE):
        with tempfile.TemporaryDirectory(prefix="fhirlake-spark-") as work:
            history = History(Path(work), mode, SOME)
            verdicts.scenario(f"{mode}: a history", follow, verdicts, history, spark)
            if history.masks():
                verdicts.scenario(f"{mode}: change feeds", change_feeds, verdicts, history, spark)
            verdicts.scenario(f"{mode}: Spark puts files together", optimized_by_spark, verdicts, history, spark)
            verdicts.scenario(f"{mode}: Spark takes away what is not needed", vacuumed_by_spark, verdicts, history, spark)
            verdicts.scenario(f"{mode}: Spark writes", written_by_spark, verdicts, history, spark)
    spark.stop()
    return verdicts.exit_code()


sys.exit(main())
