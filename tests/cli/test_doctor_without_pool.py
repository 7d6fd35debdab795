"""``dexmm doctor`` where quotes on an exchange are all there is."""

from pathlib import Path

import pytest

from dexmm.cli import main
from dexmm.paper_exchange.engine.settings import UNLIMITED, PaperSettings
from dexmm.paper_exchange.paper_exchange import PaperExchange

CONFIG = """
[network]
name = "sandbox"

[market]
price_low = 2000
price_high = 8000

[exchange]
symbol = "PAXG/USDT"

[quotes]
enabled = true
accept_loss = true
"""


SEVERAL = (
    CONFIG.replace("\n[market]\nprice_low = 2000\nprice_high = 8000\n", "").replace(
        'symbol = "PAXG/USDT"\n', ""
    )
    + """
[[market]]
name = "usdt"
price_low = 2000
price_high = 8000
[market.exchange]
symbol = "PAXG/USDT"

[[market]]
name = "usdc"
price_low = 2000
price_high = 8000
[market.exchange]
symbol = "PAXG/USDC"
"""
)


def test_of_several_markets_without_a_pool_the_one_that_is_named_is_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "dexmm.toml").write_text(SEVERAL)
    settings = PaperSettings(limits=UNLIMITED)

    def doctor(*more: str) -> tuple[int, str]:
        code = main.run(["doctor", "--config", str(tmp_path / "dexmm.toml"), *more])
        return code, capsys.readouterr().out

    with PaperExchange(settings) as paper:
        opening = settings.accounts[0]
        monkeypatch.setenv("DEXMM_EXCHANGE__BASE_URL", paper.url)
        monkeypatch.setenv("DEXMM_EXCHANGE__API_KEY", opening.api_key)
        monkeypatch.setenv("DEXMM_EXCHANGE__SECRET", opening.secret)
        code, said = doctor("--market", "usdc")
        assert code == 0, said
        assert "PAXG/USDC sizes" in said
        assert "PAXG/USDT" not in said
        for more in ((), ("--market", "other")):
            code, said = doctor(*more)
            assert code == 2
            assert "usdt or usdc" in said


def test_nothing_is_asked_for_that_only_a_pool_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "dexmm.toml").write_text(CONFIG)
    settings = PaperSettings(limits=UNLIMITED)
    with PaperExchange(settings) as paper:
        opening = settings.accounts[0]
        monkeypatch.setenv("DEXMM_EXCHANGE__BASE_URL", paper.url)
        monkeypatch.setenv("DEXMM_EXCHANGE__API_KEY", opening.api_key)
        monkeypatch.setenv("DEXMM_EXCHANGE__SECRET", opening.secret)
        code = main.run(["doctor", "--config", str(tmp_path / "dexmm.toml")])
    said = capsys.readouterr().out
    assert code == 0, said
    assert "may trade, may not withdraw" in said
    assert "quotes on the exchange alone" in said
    assert opening.secret not in said
