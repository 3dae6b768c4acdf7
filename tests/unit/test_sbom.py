"""The bill of materials names every package that is installed, and is the same each time."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
RUNTIME = ROOT / "deploy" / "requirements" / "runtime.txt"


def make_bill() -> tuple[str, dict[str, Any]]:
    command = [sys.executable, str(ROOT / "deploy" / "make-sbom.py"), str(RUNTIME)]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return text, json.loads(text)


def test_every_pinned_package_is_listed_with_its_digests() -> None:
    text, bill = make_bill()
    pins = [line for line in RUNTIME.read_text().splitlines() if "==" in line]
    assert len(bill["components"]) == len(pins) > 30
    assert (bill["bomFormat"], bill["metadata"]["component"]["name"]) == ("CycloneDX", "secondread")
    for component in bill["components"]:
        (reference,) = component["externalReferences"]
        assert reference["hashes"], component["purl"]
    by_name = {component["name"]: component for component in bill["components"]}
    assert by_name["colorama"]["properties"][0]["value"] == "sys_platform == 'win32'"
    assert make_bill()[0] == text
