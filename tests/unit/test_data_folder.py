import stat
from pathlib import Path

import pytest

from secondread.app.data_folder import prepare_data_folder
from secondread.errors import SettingsError
from secondread.settings import NodeSettings, Settings


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def settings(folder: Path) -> Settings:
    return Settings(node=NodeSettings(data_dir=folder))


def test_a_new_data_folder_is_for_its_own_user_alone(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "data"
    assert prepare_data_folder(settings(folder)) == []
    assert mode(folder) == 0o700


def test_a_folder_and_databases_that_were_open_to_others_are_tightened_and_named(
    tmp_path: Path,
) -> None:
    tmp_path.chmod(0o755)
    for name in ("tracker.sqlite", "tracker.sqlite-wal", "engine.sqlite"):
        (tmp_path / name).touch(mode=0o644)
        (tmp_path / name).chmod(0o644)
    found = prepare_data_folder(settings(tmp_path))
    assert {wide.path.name for wide in found} == {
        tmp_path.name,
        "tracker.sqlite",
        "tracker.sqlite-wal",
        "engine.sqlite",
    }
    assert all(wide.is_tightened for wide in found)
    assert mode(tmp_path) == 0o700
    assert mode(tmp_path / "tracker.sqlite-wal") == 0o600
    assert prepare_data_folder(settings(tmp_path)) == []


def test_what_belongs_to_another_user_is_named_and_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: Path, __: int) -> None:
        raise PermissionError

    tmp_path.chmod(0o750)
    monkeypatch.setattr(Path, "chmod", refuse)
    (found,) = prepare_data_folder(settings(tmp_path))
    assert not found.is_tightened
    assert "not this user's to change" in str(found)
    assert "0750" in str(found)


def test_a_data_folder_that_cannot_be_made_is_a_fault_in_the_settings(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SettingsError, match=r"node\.data_dir"):
        prepare_data_folder(settings(tmp_path / "file" / "data"))
