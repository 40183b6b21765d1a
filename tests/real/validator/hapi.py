"""HAPI FHIR's instance validator on this machine: fetched once into the user's cache."""

import json
import subprocess
from pathlib import Path

from harness import JDK, fetch_java, installed

POM, LAUNCHER = (Path(__file__).resolve().parent / name for name in ("pom.xml", "HapiValidator.java"))
MEMORY = "-Xmx2g"


def judge(lines: Path, issues: Path) -> list[list[dict]]:
    """The issues of each line of a file. They are kept in a file too, to be looked at."""
    home = installed("validator", [POM, LAUNCHER], JDK, "100 MB", fetch_java(POM, LAUNCHER))
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
