"""The docstring of the training package is its map."""

import re
from pathlib import Path

from models.calcification import training
from models.calcification.training.__main__ import COMMANDS


def test_every_module_is_on_the_map() -> None:
    folder = Path(training.__file__).parent
    modules = {path.stem for path in folder.glob("*.py")} - {"__init__"}

    assert set(re.findall(r"`([a-z_]+)`", training.__doc__ or "")) == modules


def test_every_command_is_a_module_with_a_main_function() -> None:
    root = Path(training.__file__).parents[3]
    for name in COMMANDS.values():
        text = (root / name.replace(".", "/")).with_suffix(".py").read_text()
        assert "\ndef main(arguments: Sequence[str]) -> None:" in text, name
