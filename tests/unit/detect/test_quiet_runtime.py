"""What runs the model reports to nobody: a node calls only those in its settings."""

import os
import subprocess
import sys
from pathlib import Path

from secondread.detect.manifest import load_manifest

RUN = """
import sys
import numpy as np
from secondread.detect.session import ort

session = ort.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
session.run(None, {"image": np.zeros((1, 1, 48, 48), np.float32)})
"""


def test_the_runtime_leaves_nothing_in_the_home_folder(tmp_path: Path) -> None:
    # What it would report waits there, and the number that it knows the machine by.
    home = tmp_path / "home"
    home.mkdir()
    graph = load_manifest().folder / "describe.onnx"
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("ORT_")},
        "HOME": str(home),
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
    }
    subprocess.run([sys.executable, "-c", RUN, str(graph)], check=True, env=environment)
    assert list(home.rglob("*")) == []
