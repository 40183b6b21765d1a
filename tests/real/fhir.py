"""The test's own FHIR client: puts resources on a server and reads them back. Not fhirlake's code, on purpose."""

import json
import tarfile
import urllib.request
from pathlib import Path

TIMEOUT_SECONDS = 600
BUNDLE_SIZE = 100

# Conditional references (`Practitioner?identifier=…`) are resolved when a resource is written: what they point to must
# be there before. The order of all other types does not matter.
FIRST = ["Organization", "Location", "Practitioner", "PractitionerRole", "Patient", "Medication", "Device", "Encounter"]


def unpack(archive: Path, into: Path) -> Path:
    """Unpacks one of the sample's archives. Returns its folder."""
    with tarfile.open(archive) as tar:
        tar.extractall(into, filter="data")
    return into / archive.name.removesuffix(".tar.gz")


def resources(folder: Path) -> list[dict]:
    """The resources of a folder's `*.ndjson`, in the order in which they are to be written."""
    def rank(file: Path) -> tuple[int, str]:
        return (FIRST.index(file.stem) if file.stem in FIRST else len(FIRST), file.stem)

    files = sorted(folder.glob("*.ndjson"), key=rank)
    return [json.loads(line) for file in files for line in file.read_bytes().split(b"\n") if line]


def group(group_id: str, patient_ids: list[str]) -> dict:
    """A Group of patients."""
    member = [{"entity": {"reference": f"Patient/{patient_id}"}} for patient_id in patient_ids]
    return {"resourceType": "Group", "id": group_id, "type": "person", "actual": True, "member": member}


def put_all(base: str, new: list[dict]) -> None:
    """Writes resources under their ids, by batch Bundles. Every one must be accepted."""
    for start in range(0, len(new), BUNDLE_SIZE):
        part = new[start : start + BUNDLE_SIZE]
        entry = [{"resource": r, "request": {"method": "PUT", "url": f"{r['resourceType']}/{r['id']}"}} for r in part]
        body = json.dumps({"resourceType": "Bundle", "type": "batch", "entry": entry}).encode()
        headers = {"Content-Type": "application/fhir+json", "Prefer": "return=minimal"}
        with urllib.request.urlopen(urllib.request.Request(base, body, headers), timeout=TIMEOUT_SECONDS) as answer:
            answers = [e["response"] for e in json.load(answer)["entry"]]
        refused = [(e["request"]["url"], a) for e, a in zip(entry, answers) if not a["status"].startswith("2")]
        if refused or len(answers) != len(entry):
            raise SystemExit(f"the server refused {len(refused)} of {len(entry)} resources, first {refused[:1]}")


def get(base: str, reference: str) -> dict:
    """Reads one resource (or a search, which HAPI would otherwise answer as it did up to a minute ago)."""
    headers = {"Accept": "application/fhir+json", "Cache-Control": "no-cache"}
    request = urllib.request.Request(f"{base}/{reference}", headers=headers)
    with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:
        return json.load(answer)
