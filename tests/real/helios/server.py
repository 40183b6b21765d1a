"""Helios FHIR Server on this machine: built once into the user's cache, started for one test, stopped with it."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

from harness import JDK, ROOT, Service, installed

HERE = Path(__file__).resolve().parent
PACKAGE, POM = HERE / "hfs.txt", HERE / "pom.xml"
TOOLS = {"cargo": "a Rust toolchain with a C compiler", "mvn": JDK["mvn"]}
# Half of the time of a release build, for a server that is asked for little.
PROFILE = {"OPT_LEVEL": "1", "LTO": "off", "CODEGEN_UNITS": "16"}
SEARCH_PARAMETERS = "org/hl7/fhir/r4/model/sp/search-parameters.json"
START_SECONDS = 120


def fetch(into: Path) -> None:
    """HL7's search parameters, without which nothing but Patients belongs to a Group, and the server itself."""
    maven = ["mvn", "-B", "-q", "--strict-checksums", "-f", POM, "dependency:copy-dependencies"]
    subprocess.run([*maven, "-DexcludeTransitive=true", f"-DoutputDirectory={into / 'lib'}"], check=True)
    (archive,) = (into / "lib").iterdir()
    (into / "data").mkdir()
    with zipfile.ZipFile(archive) as jar:
        (into / "data" / "search-parameters-r4.json").write_bytes(jar.read(SEARCH_PARAMETERS))
    profile = {f"CARGO_PROFILE_RELEASE_{name}": value for name, value in PROFILE.items()}
    cargo = ["cargo", "install", *PACKAGE.read_text().split(), "--root", into]
    # In the project's folder, so that its toolchain is taken.
    subprocess.run(cargo, cwd=ROOT, env=os.environ | profile, check=True)


class Helios(Service):
    """A running server, to be used in a `with` statement. What it has stays in `work`, for the next one there."""

    def __init__(self, work: Path, log: Path, settings: dict[str, str] | None = None):
        home = installed("helios", [PACKAGE, POM], TOOLS, "20 minutes of CPU and 2 GB to build it, 120 MB to keep", fetch)
        work.mkdir(exist_ok=True)
        own = {
            "DATABASE_URL": str(work / "fhir.db"),
            "HFS_DATA_DIR": str(home / "data"),
            "HFS_BULK_EXPORT_OUTPUT_DIR": str(work / "exports"),
        }
        first_line = json.dumps(own | (settings or {})) + "\n"
        command = [sys.executable, HERE / "launch.py", home / "bin" / "hfs", work]
        super().__init__(command, log, START_SECONDS, first_line)
