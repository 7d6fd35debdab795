"""An extra that is not installed is named, with what to type."""

import sys

import pytest

from dexmm.errors import BadInput
from dexmm.ops.extras import need


def test_what_is_there_is_imported() -> None:
    assert need("json.decoder", "backtest").JSONDecoder


@pytest.mark.parametrize("module", ["no_such_package", "no_such_package.part"])
def test_what_is_missing_is_named(module: str) -> None:
    with pytest.raises(BadInput) as caught:
        need(module, "backtest")
    assert 'needs the backtest extra: pip install "dexmm[backtest]"' in caught.value.message
    assert "no_such_package is missing" in caught.value.message


def test_a_package_that_is_broken_itself_is_not_called_missing(
    tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pathlib import Path

    (Path(str(tmp_path)) / "broken_inside.py").write_text("import no_such_dependency\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ModuleNotFoundError, match="no_such_dependency"):
        need("broken_inside", "backtest")
    sys.modules.pop("broken_inside", None)
