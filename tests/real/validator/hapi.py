"""HAPI FHIR's instance validator on this machine: fetched once into the user's cache."""

import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path

HERE = Path(__file__).resolve().parent
MEMORY = "-Xmx2g"


def cache() -> Path:
    """The folder of what was fetched and compiled; a change of the pom or the launcher makes another."""
    root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    source = b"".join((HERE / name).read_bytes() for name in ("pom.xml", "HapiValidator.java"))
    return root / "fhirlake" / "validator" / hashlib.sha256(source).hexdigest()[:12]


def install() -> Path:
    """Fetches the jars by Maven and compiles the launcher, unless that is done. Needs a JDK (17 or later) and Maven."""
    done = cache()
    if done.is_dir():
        return done
    for tool in ("mvn", "javac", "java"):
        if shutil.which(tool) is None:
            raise SystemExit(f"{tool} is not on the PATH: a JDK (17 or later) and Maven are needed")
    print(f"fetching HAPI FHIR's validator (100 MB) into {done}", flush=True)
    new = done.with_name(f"{done.name}.{os.getpid()}")
    maven = ["mvn", "-B", "-q", "--strict-checksums", "-f", HERE / "pom.xml", "dependency:copy-dependencies"]
    subprocess.run([*maven, "-DincludeScope=runtime", f"-DoutputDirectory={new / 'lib'}"], check=True)
    javac = ["javac", "-nowarn", "-d", new / "classes", "-cp", f"{new / 'lib'}/*", HERE / "HapiValidator.java"]
    subprocess.run(javac, check=True)
    try:
        new.rename(done)
    except OSError:
        # Another process was first.
        shutil.rmtree(new)
    return done


def judge(lines: Path, issues: Path) -> list[list[dict]]:
    """The issues of each line of a file. They are kept in a file too, to be looked at."""
    home = install()
    java = ["java", MEMORY, "-XX:+UseSerialGC", "-cp", f"{home / 'classes'}:{home / 'lib'}/*", "HapiValidator"]
    with lines.open() as source, issues.open("w") as target:
        subprocess.run(java, stdin=source, stdout=target, stderr=subprocess.DEVNULL, check=True)
    return [json.loads(line) for line in issues.read_text().split("\n") if line]


def refuses(issues: list[dict]) -> bool:
    """Whether a resource is not valid. That a profile is not known is no fault of the resource."""
    return any(
        issue["severity"] in ("error", "fatal") and issue.get("id") != "Validation_VAL_Profile_Unknown"
        for issue in issues
    )


def threw(issues: list[dict]) -> bool:
    """Whether HAPI's validator came to no judgement, but ended by an exception; that the line is no JSON is one too,
    and a judgement."""
    return any(
        issue.get("id") == "exception" and "JsonSyntaxException" not in (issue["message"] or "") for issue in issues
    )
