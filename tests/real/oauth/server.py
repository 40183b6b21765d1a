"""oidc-provider, with the FHIR server that asks it in one process, or alone: fetched once into the user's cache."""

import json
import shutil
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

from harness import Service, installed

HERE = Path(__file__).resolve().parent
SOURCES = [HERE / name for name in ("package.json", "package-lock.json", "provider.mjs", "server.mjs", "issuer.mjs")]
NODE = {tool: "Node.js (20 or later) with npm" for tool in ("node", "npm")}
START_SECONDS = 60


def fetch(into: Path) -> None:
    """The packages, as the lock file has them."""
    for source in SOURCES:
        shutil.copy(source, into)
    subprocess.run(["npm", "ci", "--silent", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=into, check=True)


class OAuth(Service):
    """oidc-provider, to be used in a `with` statement: started by `script` as `configuration` says."""

    def __init__(self, script: str, configuration: dict, log: Path):
        home = installed("oauth", SOURCES, NODE, "4 MB", fetch)
        super().__init__(["node", home / script], log, START_SECONDS, json.dumps(configuration) + "\n")


class Issuer(OAuth):
    """The OAuth server alone. Its base is the issuer; its tokens are JWTs for `audience`."""

    def __init__(self, clients: list[dict], scopes: list[str], audience: str, log: Path):
        configuration = {"clients": clients, "scopes": scopes, "audience": audience}
        super().__init__("issuer.mjs", configuration, log)


class Servers(OAuth):
    """Both servers. `clients` are those that the OAuth server knows."""

    def __init__(self, clients: list[dict], log: Path):
        super().__init__("server.mjs", {"clients": clients}, log)

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
