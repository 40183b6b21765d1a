"""oidc-provider and the FHIR server that asks it, in one process on this machine: fetched once into the user's cache."""

import json
import shutil
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

from harness import Service, installed

HERE = Path(__file__).resolve().parent
SOURCES = [HERE / name for name in ("package.json", "package-lock.json", "server.mjs")]
NODE = {tool: "Node.js (20 or later) with npm" for tool in ("node", "npm")}
START_SECONDS = 60


def fetch(into: Path) -> None:
    """The packages, as the lock file has them."""
    for source in SOURCES:
        shutil.copy(source, into)
    subprocess.run(["npm", "ci", "--silent", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=into, check=True)


class Servers(Service):
    """Both servers, to be used in a `with` statement. `clients` are those that the OAuth server knows."""

    def __init__(self, clients: list[dict], log: Path):
        home = installed("oauth", SOURCES, NODE, "4 MB", fetch)
        first_line = json.dumps({"clients": clients}) + "\n"
        super().__init__(["node", home / "server.mjs"], log, START_SECONDS, first_line)

    def status(self, path: str, token: str | None = None) -> int:
        """The status of the FHIR server's answer to a GET."""
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        request = urllib.request.Request(f"{self.base}/{path}", headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            return error.code

    def journal(self) -> dict:
        """What the servers were sent so far, and which tokens were given."""
        with urllib.request.urlopen(self.base.removesuffix("/fhir") + "/journal", timeout=30) as answer:
            return json.load(answer)
