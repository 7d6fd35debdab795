"""An extra that is not installed is named, with what to type."""

import shlex
import sys
import tomllib
from pathlib import Path

import pytest

from dexmm.errors import BadInput, install
from dexmm.optional_packages import need


def test_what_is_there_is_imported() -> None:
    assert need("json.decoder", "backtest").JSONDecoder


@pytest.mark.parametrize("module", ["no_such_package", "no_such_package.part"])
def test_what_is_missing_is_named(module: str) -> None:
    with pytest.raises(BadInput) as caught:
        need(module, "backtest")
    assert "needs the backtest extra (no_such_package is missing): " in caught.value.message


def test_what_to_type_installs_from_this_checkout_into_this_environment() -> None:
    """The name is in no index: what is typed must not take another package of that name."""
    *pip, what = shlex.split(install("backtest"))
    assert pip == [sys.executable, "-m", "pip", "install"]
    home = Path(what.removesuffix("[backtest]"))
    project = tomllib.loads((home / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["name"] == "dexmm"
    assert "backtest" in project["optional-dependencies"]


def test_a_package_that_is_broken_itself_is_not_called_missing(
    tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pathlib import Path

    (Path(str(tmp_path)) / "broken_inside.py").write_text("import no_such_dependency\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ModuleNotFoundError, match="no_such_dependency"):
        need("broken_inside", "backtest")
    sys.modules.pop("broken_inside", None)
