"""Holds a running proxy against the document of its API.

The document has to be valid (OpenAPI 3.1). Then schemathesis sends what the document allows and what
it does not, as each of LOGINS (JSON: role -> "user:password"), for SECONDS each.
Prints a JSON object, role -> {"cases", "failures", "errors"}; a report of what failed goes to stderr.
"""

import json
import os
import re
import subprocess
import sys
import tempfile

from openapi_spec_validator import validate

URL = os.environ["KEYHOLE_URL"]
DOCUMENT = os.environ["KEYHOLE_DOCUMENT"]
LOGINS = json.loads(os.environ["KEYHOLE_LOGINS"])
SECONDS = os.environ["KEYHOLE_API_SECONDS"]
IS_RANDOM = os.environ["KEYHOLE_API_RANDOM"] == "1"

# Durations, resources and reasons have grammars that no JSON Schema says. Wrong logins are delayed, and
# with them everybody at this address: what nobody may do is a test of its own.
NOT_CHECKED = "positive_data_acceptance,ignored_auth"


def counted(pattern, text):
    found = re.search(pattern, text)
    return int(found.group(1)) if found else 0


def run(role, login, folder):
    command = [
        sys.executable, "-m", "schemathesis.cli", "run", DOCUMENT, "--url", URL, "--no-color",
        "--checks", "all", "--exclude-checks", NOT_CHECKED, "--max-time", SECONDS, "--no-shrink",
        "--max-examples", "1000" if IS_RANDOM else "10", "--request-timeout", "30",
        "--auth", login,
    ]
    if not IS_RANDOM:
        command.append("--generation-deterministic")
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    summary = ran.stdout
    counts = {
        "cases": counted(r"(\d+) generated", summary),
        "failures": counted(r"(\d+) unique failures", summary),
        "errors": counted(r"(\d+) errored", summary),
    }
    if ran.returncode != 0 or counts["cases"] == 0:
        print(f"as {role}:\n{summary}\n{ran.stderr}", file=sys.stderr)
        counts["failures"] = max(counts["failures"], 1)
    return counts


with open(DOCUMENT, encoding="utf-8") as file:
    document = json.load(file)
validate(document)
assert document["openapi"].startswith("3.1"), document["openapi"]
with tempfile.TemporaryDirectory() as folder:
    print(json.dumps({role: run(role, login, folder) for role, login in LOGINS.items()}))
