"""DICOMscope, the viewer that presentation states were first shown with, on a virtual screen."""

import subprocess
from pathlib import Path

_JAR = Path("/usr/share/java/DICOMscope.jar")
_NATIVE = "/usr/lib/x86_64-linux-gnu/jni"
_PROGRAM = Path(__file__).parent / "ShowPresentation.java"

# Without network: no receiver, print server or query server is configured.
_CONFIGURATION = """[[GENERAL]]
[APPLICATION]
LogDirectory = log
LogFile = general.log
LogLevel = INFO
[MONITOR]
Resolution = 1600\\1200
Screensize = 400\\300
PreviewSize = 256\\256
[DATABASE]
Directory = database
[GUI]
PSPanelOn = true
"""


def show(state: Path, image: Path, folder: Path) -> Path:
    """Let it draw a presentation state over its image; return its window as a PNG.

    Parameters
    ----------
    state, image
        The presentation state, and the image that it is of.
    folder
        Where it may write: an empty one.

    Raises
    ------
    subprocess.CalledProcessError
        It could not load or draw them.
    """
    for name in ("log", "database"):
        (folder / name).mkdir(parents=True)
    (folder / "DICOMscope.cfg").write_text(_CONFIGURATION, encoding="ascii")
    seen = folder / "seen.png"
    subprocess.run(
        [
            *("xvfb-run", "--auto-servernum", "--server-args=-screen 0 1600x1200x24"),
            *("java", f"-Djava.library.path={_NATIVE}", "-cp", _JAR, _PROGRAM),
            *(state.resolve(), image.resolve(), seen.resolve()),
        ],
        cwd=folder,
        check=True,
        capture_output=True,
        timeout=180,
    )
    return seen
