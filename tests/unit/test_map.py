"""The docstring of the package is its map: it names every folder and module, and no others."""

import pkgutil
import re
from types import ModuleType

import pytest

import secondread
import secondread_lab


@pytest.mark.parametrize("package", [secondread, secondread_lab])
def test_the_map_names_every_folder_and_module_once(package: ModuleType) -> None:
    listed = re.findall(r"^- `(\w+)`:", package.__doc__ or "", re.MULTILINE)
    modules = {module.name for module in pkgutil.iter_modules(package.__path__)}

    assert sorted(listed) == sorted(modules - {"__main__"})
