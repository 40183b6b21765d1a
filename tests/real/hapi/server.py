"""HAPI FHIR JPA on this machine: fetched once into the user's cache, started for one test, stopped with it."""

from pathlib import Path

from harness import JDK, Service, fetch_java, installed

POM, LAUNCHER = (Path(__file__).resolve().parent / name for name in ("pom.xml", "HapiServer.java"))
START_SECONDS = 300
MEMORY = "-Xmx1000m"


class Hapi(Service):
    """A running server, to be used in a `with` statement. Its log goes to a file."""

    def __init__(self, log: Path):
        home = installed("hapi", [POM, LAUNCHER], JDK, "300 MB", fetch_java(POM, LAUNCHER))
        java = ["java", MEMORY, "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
        super().__init__([*java, "-cp", f"{home / 'classes'}:{home / 'lib'}/*", "HapiServer"], log, START_SECONDS)
