"""Write the software bill of materials: what a node runs on, as CycloneDX 1.6 JSON.

Reads the locked requirement files, so that it needs neither a network nor what it lists. The same
files give the same bytes: no time and no random serial number is written.

    python deploy/make-sbom.py deploy/requirements/runtime.txt > sbom.json
"""

import json
import re
import sys
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

_PIN = re.compile(r"(?P<name>[A-Za-z0-9._-]+)(\[[^]]*\])?==(?P<version>[^ ;\\]+)")
_DIGEST = re.compile(r"--hash=sha256:([0-9a-f]{64})")


def read_components(requirements: str) -> Iterator[dict[str, Any]]:
    r"""Yield a component for each pinned package of a requirement file.

    A file's digests are those of all its wheels and archives: one of them is installed.

    >>> [c["purl"] for c in read_components("Jinja2==3.1.6 \\\n --hash=sha256:" + "0" * 64)]
    ['pkg:pypi/jinja2@3.1.6']
    """
    for line in requirements.replace("\\\n", " ").splitlines():
        pin = _PIN.match(line)
        if pin is None:
            continue
        # A package URL's name is the normalised one (PEP 503).
        name = re.sub(r"[-_.]+", "-", pin["name"]).lower()
        purl = f"pkg:pypi/{name}@{pin['version']}"
        component: dict[str, Any] = {
            "type": "library",
            "bom-ref": purl,
            "name": name,
            "version": pin["version"],
            "purl": purl,
            "externalReferences": [
                {
                    "type": "distribution",
                    "url": f"https://pypi.org/project/{name}/{pin['version']}/",
                    "hashes": [{"alg": "SHA-256", "content": d} for d in _DIGEST.findall(line)],
                }
            ],
        }
        _, _, marker = line.partition(" ; ")
        if marker:
            component["properties"] = [
                {"name": "secondread:marker", "value": marker.partition(" --hash")[0].strip()}
            ]
        yield component


def make_bill(project: dict[str, Any], requirements: Sequence[str]) -> dict[str, Any]:
    """Return the document about a project and what its requirement files pin."""
    name, version = str(project["name"]), str(project["version"])
    components = {c["purl"]: c for text in requirements for c in read_components(text)}
    product = {
        "type": "application",
        "bom-ref": f"pkg:pypi/{name}@{version}",
        "name": name,
        "version": version,
        "purl": f"pkg:pypi/{name}@{version}",
        "licenses": [{"license": {"id": str(project["license"])}}],
    }
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": product},
        "components": [components[purl] for purl in sorted(components)],
    }


def main() -> None:
    """Write the bill of the requirement files that are named to standard output."""
    root = Path(__file__).resolve().parent.parent
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    texts = [Path(name).read_text(encoding="utf-8") for name in sys.argv[1:]]
    json.dump(make_bill(project, texts), sys.stdout, indent=2)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
