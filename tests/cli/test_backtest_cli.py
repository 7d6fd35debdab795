"""``dexmm backtest``: what it prints, answers and writes, and what it refuses in one sentence."""

import csv
import json
import pickle
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from dexmm.backtest.scenario_config import newcomer, without_secrets
from dexmm.backtest.scenario_market import PAXG_USDT_MARKET
from dexmm.cli import main
from dexmm.config.schema import load_config
from dexmm.config.template import configuration
from dexmm.sim.agents.price_process import generate

D = Decimal
DAY = 86_400
Dexmm = Callable[..., int]


@pytest.fixture
def dexmm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Dexmm:
    """``dexmm backtest`` in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object) -> int:
        return main.run(["backtest", *map(str, arguments)])

    return run


@pytest.fixture
def candles(tmp_path: Path) -> Path:
    """Four days of half hours."""
    path = tmp_path / "gold.csv"
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["timestamp_ms", "open", "high", "low", "close", "volume"])
        for candle in generate(2, 192, interval_seconds=1800).candles:
            rows.writerow([candle.at * 1000, candle.open, candle.high, candle.low, candle.close, 1])
    return path


def answered(capsys: pytest.CaptureFixture[str]) -> dict:
    return json.loads(capsys.readouterr().out)


def told(capsys: pytest.CaptureFixture[str]) -> str:
    """The one sentence on stderr."""
    said = capsys.readouterr().err
    assert "Traceback" not in said
    assert said.startswith("dexmm: ")
    return said


def test_a_newcomer_needs_no_configuration(
    dexmm: Dexmm, candles: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert dexmm("--prices", candles, "--strategy", "budget") == 0
    shown = capsys.readouterr().out
    assert "gold.csv: 2024-01-01 to 2024-01-05" in shown
    for part in ("net", "fees earned", "of it LVR", "Re-ranges", "Assumptions"):
        assert part in shown
    assert "start: nothing is held in this market yet" in shown
    assert "The pool charges 5 bp; the protocol takes 1/4 of them." in shown


def test_the_answer_closes(dexmm: Dexmm, candles: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert dexmm("--prices", candles, "--json", "--strategy", "budget") == 0
    found = answered(capsys)
    figures, attribution = found["figures"], found["attribution"]
    parts = sum(Decimal(part["total"]) for part in attribution["parts"].values())
    assert parts == Decimal(attribution["against_holding"]) == Decimal(figures["net"])
    assert Decimal(figures["gas"]) < 0 < Decimal(figures["fees"])
    assert found["legs"][0]["trigger"] == "start"
    assert isinstance(figures["net"], str)
    assert found["assumptions"]
    assert found["halted"] == ""


def test_the_same_seed_gives_the_same_answer(
    dexmm: Dexmm, capsys: pytest.CaptureFixture[str]
) -> None:
    def figures(seed: int) -> dict:
        assert dexmm("--generate", "--turns", 60, "--seed", seed, "--json") == 0
        return answered(capsys)["figures"]

    first = figures(4)
    assert figures(4) == first
    assert figures(5) != first


def test_the_live_configuration_decides(
    dexmm: Dexmm, candles: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = configuration("mainnet").replace('name = "measured"', 'name = "recentre"')
    (tmp_path / "dexmm.toml").write_text(text, encoding="utf-8")
    assert 'name = "recentre"' in text
    assert dexmm("--prices", candles, "--json") == 0
    assert answered(capsys)["figures"]["name"] == "recentre"
    assert dexmm("--prices", candles, "--json", "--strategy", "hold") == 0
    held = answered(capsys)["figures"]
    assert (held["name"], held["fees"], held["gas"]) == ("hold", "0", "0")


def test_overrides_decide_without_a_file_and_are_told(
    dexmm: Dexmm, candles: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DEXMM_STRATEGY__NAME", "recentre")
    monkeypatch.setenv("DEXMM_EXCHANGE__API_KEY", "a-key")  # a secret brings no exchange with it
    asked = ("--prices", candles, "--turns", 96, "--set", "guards.slice_share=0.2")
    assert dexmm(*asked, "--json") == 0
    found = answered(capsys)
    assert found["figures"]["name"] == "recentre"
    assert found["decided"] == (
        "Decided by the defaults (there is no dexmm.toml here): strategy recentre; other than the "
        "defaults guards.slice_share = 0.2 (0.1)."
    )
    assert found["assumptions"][0] == found["decided"]
    assert not any("An order meets the price" in line for line in found["assumptions"])
    # What --set says goes over the environment, and --strategy over both.
    assert dexmm(*asked, "--set", "strategy.name=passive", "--json") == 0
    assert answered(capsys)["figures"]["name"] == "passive"
    assert dexmm(*asked, "--strategy", "hold") == 0
    assert "the defaults (there is no dexmm.toml here): strategy hold" in capsys.readouterr().out
    for variable, said in (
        ("DEXMM_STRATEGY__NAEM", "DEXMM_STRATEGY__NAEM (or --set strategy.naem) is not a setting"),
        ("DEXMM_STRATGY__NAME", "is not a setting; did you mean strategy?"),
        ("DEXMM_STRATGY_NAME", "DEXMM_STRATGY_NAME sets nothing: did you mean DEXMM_STRATEGY__"),
        ("DEXMM_STRATEGY_NAME", "DEXMM_STRATEGY_NAME sets nothing"),
    ):
        with monkeypatch.context() as patch:
            patch.setenv(variable, "budget")
            assert dexmm("--generate", "--turns", 96) == 2
            assert said in told(capsys)


def test_a_file_that_decides_is_named(
    dexmm: Dexmm, candles: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = configuration("mainnet").replace("max_drawdown_bp = 1500", "max_drawdown_bp = 1400")
    (tmp_path / "stray.toml").write_text(text, encoding="utf-8")
    asked = ("--prices", candles, "--turns", 96, "--config", "stray.toml")
    assert dexmm(*asked, "--set", "strategy.edge_sigmas=3") == 0
    shown = capsys.readouterr().out
    assert (
        "stray.toml: strategy measured; other than the defaults strategy.edge_sigmas = 3" in shown
    )
    assert "guards.max_drawdown_bp = 1400 (1500)" in shown


def test_the_start_is_ones_own_inventory(
    dexmm: Dexmm, candles: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ("--prices", candles, "--turns", 96, "--strategy", "hold", "--json")
    assert dexmm(*asked, "--start", "4.25 PAXG + 31000 usdt") == 0
    alone = answered(capsys)["figures"]
    price = next(iter(generate(2, 1, interval_seconds=1800).candles)).open
    assert abs(Decimal(alone["start"]) - (Decimal("4.25") * price + 31_000)) < 50
    # With an exchange a part is there, and all of it is what it was.
    assert dexmm(*asked, "--start", "31000 USDT + 4.25 PAXG", "--exchange") == 0
    there = answered(capsys)["figures"]
    assert abs(Decimal(there["start"]) - Decimal(alone["start"])) < D("0.001")
    assert abs(Decimal(there["share_low"]) - Decimal(alone["share_low"])) < D("0.001")
    assert dexmm(*asked, "--start", "10 PAXG") == 0
    assert Decimal(answered(capsys)["figures"]["share_mean"]) == 1


def test_no_secret_and_no_node_is_needed_or_kept(tmp_path: Path) -> None:
    path = tmp_path / "dexmm.toml"
    path.write_text(configuration("sandbox"), encoding="utf-8")
    secret = "0x" + "5a" * 32
    environment = {
        "DEXMM_WALLET__PRIVATE_KEY": secret,
        "DEXMM_NETWORK__RPC_URLS": "http://node/a-secret",
        "DEXMM_NETWORK__RELAY_URL": "https://relay/a-secret",
        "DEXMM_NETWORK__PROXY": "http://user:a-secret@127.0.0.1:3128",
        "DEXMM_EXCHANGE__API_KEY": "a-secret-key",
        "DEXMM_EXCHANGE__SECRET": "a-secret",
        "DEXMM_EXCHANGE__BASE_URL": "https://exchange/a-secret",
    }
    config = without_secrets(load_config(path, environment))
    assert config.wallet.private_key is None
    assert config.exchange is not None
    assert config.exchange.api_key is config.exchange.secret is config.exchange.password is None
    sent = pickle.dumps(config)  # what processes get, and a cluster
    assert b"a-secret" not in sent
    assert secret.removeprefix("0x").encode() not in sent


def test_a_newcomer_provides_only_what_the_pool_pays_for(
    dexmm: Dexmm, candles: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert dexmm("--prices", candles, "--json", "--flow", "none") == 0
    figures = answered(capsys)["figures"]
    assert (figures["name"], figures["fees"], figures["gas"]) == ("measured", "0", "0")


def test_a_newcomers_configuration_makes_sense() -> None:
    config = newcomer(PAXG_USDT_MARKET, Decimal(4000), 1800)
    assert (config.market.price_low, config.market.price_high) == (2000, 8000)
    assert config.loop.interval_seconds == 1800


def test_comparing_prints_a_verdict_and_writes_a_page(
    dexmm: Dexmm, candles: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "compare.html"
    arguments = ("--prices", candles, "--compare", "--turns", 96, "--workers", 1)
    assert dexmm(*arguments, "-o", page) == 0
    shown = capsys.readouterr().out
    for name in ("budget", "avellaneda", "single", "passive", "recentre", "static ±5 %"):
        assert name in shown
    for part in ("full range", "rebalanced", "Does this market pay?", "pays gas", "LVR"):
        assert part in shown
    assert f"wrote {page}" in shown
    assert "static \\u00b15 %" in page.read_text("utf-8")


def test_a_comparison_as_one_object(
    dexmm: Dexmm, candles: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert dexmm("--prices", candles, "--compare", "--turns", 48, "--workers", 1, "--json") == 0
    found = answered(capsys)
    rows = {row["name"]: row for row in found["rows"]}
    assert len(rows) == 12
    shown = [D(at["pay_ratio"]) for at in rows["budget"]["pay_ratios"]]
    assert shown == [D("0.7"), D(1), D("1.4")]
    held = rows["hold"]
    assert [Decimal(held[name]) for name in ("net", "fees", "gas")] == [0, 0, 0]
    assert held["pays_gas"] is None
    for row in found["rows"]:
        parts = sum((Decimal(part) for part in row["parts"].values()), Decimal(0))
        assert parts == Decimal(row["net"])
    assert found["verdict"]
    assert Decimal(found["worth"]["break_even_volume"]) > 0


def test_several_histories_pay_ratios_and_configurations_in_one_comparison(
    dexmm: Dexmm, candles: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "gold.csv").write_bytes(candles.read_bytes())
    (other / "mine.toml").write_text(
        configuration("mainnet").replace('name = "measured"', 'name = "recentre"')
    )
    histories = (candles, other / "gold.csv", "--turns", 48, "--compare", "--workers", 1)
    beside = ("--beside", other / "mine.toml", "--pay-ratio", "0.7,2", "--pay-ratio", 1)
    assert dexmm(*histories, *beside, "--json") == 0
    found = answered(capsys)
    assert [one["history"] for one in found["histories"]] == [
        f"{candles}, 1.0 days",
        f"{other / 'gold.csv'}, 1.0 days",
    ]
    rows = {row["name"]: row for row in found["histories"][1]["rows"]}
    mine = rows[f"recentre ({other / 'mine.toml'})"]
    assert [Decimal(at["pay_ratio"]) for at in mine["pay_ratios"]] == [D("0.7"), D(1), D(2)]
    assert mine["pay_ratios"][1]["net"] == mine["net"]
    assert [at["gas"] for at in mine["gas_prices"]] == ["a third", "as assumed", "three times"]
    assert {way["name"]: way["cells"] for way in found["across"]}["budget"] == 6
    assert found["recommended"] == []
    assert found["verdict"][0].startswith("Too little to recommend anything: 2.0 days")


def test_a_page_of_one_run(
    dexmm: Dexmm, candles: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "run.html"
    assert dexmm("--prices", candles, "--turns", 96, "-o", page) == 0
    assert "wrote" in capsys.readouterr().out
    html = page.read_text("utf-8")
    assert "<title>PAXG/USDT: measured</title>" in html
    assert 'id="advice"' in html
    assert "Uptime" not in html  # what sleeps on purpose is not down


def test_an_exchange_beside_the_pool(
    dexmm: Dexmm, candles: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("--prices", candles, "--turns", 96, "--json")
    assert dexmm(*arguments, "--exchange") == 0
    there = answered(capsys)
    assert dexmm(*arguments, "--no-exchange") == 0
    alone = answered(capsys)
    assert any("An order meets the price" in line for line in there["assumptions"])
    assert not any("An order meets the price" in line for line in alone["assumptions"])
    starts = [Decimal(found["figures"]["start"]) for found in (there, alone)]
    assert abs(starts[0] - starts[1]) < Decimal("0.001")


def test_a_run_that_halts_itself_ends_with_4(
    dexmm: Dexmm, candles: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = configuration("mainnet").replace("max_drawdown_bp = 1500", "max_drawdown_bp = 1")
    (tmp_path / "dexmm.toml").write_text(text, encoding="utf-8")
    assert dexmm("--prices", candles) == 4
    assert "Halted itself" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((), "say what to run over"),
        (("--prices", "nowhere.csv"), "nowhere.csv"),
        (("--prices", "gold.csv", "--generate"), "--prices and --generate exclude each other"),
        (("--prices", "gold.csv", "--interval", "60"), "--interval belongs to --generate"),
        (("--generate", "--since", "2024-01-01"), "--since and --until cut a file"),
        (("--generate", "--turns", "2"), "one re-range needs"),
        (("--generate", "--strategy", "martingale"), "martingale"),
        (("--generate", "--capital", "1"), "raise --capital"),
        (("--generate", "--capital", "0"), "must be above 0"),
        (("--generate", "--flow", "torrent"), "torrent"),
        (("--generate", "--eth-price", "-1"), "must be above 0"),
        (("--generate", "--eth-price", "much"), "is not a number"),
        (("--generate", "--fee", "700"), "no tick spacing goes with a fee of 700"),
        (("--generate", "--workers", "0"), "workers"),
        (("--generate", "--gas-gwei", "0"), "must be above 0"),
        (("--generate", "--pay-ratio", "0"), "must be above 0"),
        (("--generate", "--eth-prices", "nowhere.csv"), "nowhere.csv"),
        (
            ("--generate", "--eth-price", "1", "--eth-prices", "gold.csv"),
            "--eth-price and --eth-prices exclude each other",
        ),
        (("--events", "e.parquet", "--pay-ratio", "1"), "--pay-ratio would be another"),
        (("--events", "nowhere.parquet"), "nowhere.parquet"),
        (("--events", "text.csv"), "text.csv"),
        (("--events", "e.parquet", "--prices", "gold.csv"), "exclude each other"),
        (("--prices", "gold.csv", "--since", "soon"), "is no date"),
        (("--prices", "gold.csv", "--since", "2030-01-01"), "no candle in the period"),
        (("--prices", "gold.csv", "--turns", "1000"), "1000"),
        (("--generate", "-o", "no/such/folder/x.html"), "there is no folder no/such/folder"),
        (("--generate", "--config", "absent.toml"), "there is no configuration at absent.toml"),
        (("--prices", "text.csv"), "text.csv"),
        (("gold.csv", "gold.csv"), "gold.csv is named twice"),
        (("gold.csv", "--start", "5 gold"), 'write it as "5 PAXG + 20000 USDT"'),
        (("gold.csv", "--start", "5 PAXG + 1 PAXG"), "is no inventory"),
        (("gold.csv", "--start", "0 PAXG"), "is nothing to begin with"),
        (("gold.csv", "--start", "5 PAXG", "--capital", "9000"), "exclude each other"),
        (("gold.csv", "--start", "20 PAXG + 1 USDT", "--exchange"), "would be margin"),
        (("gold.csv", "--set", "wallet.address=0x0"), "is no setting of a backtest"),
        (("gold.csv", "--set", "exchange.secret=x"), "is a secret"),
        (("gold.csv", "--set", "strategy.edge_sigmas"), "write SECTION.KEY=VALUE"),
        (("gold.csv", "--generate"), "gold.csv is a history, and --generate another"),
        (("gold.csv", "text.csv"), "several histories are run over by --compare"),
        (("gold.csv", "--beside", "x.toml"), "--beside is another configuration in a comparison"),
        (("gold.csv", "--compare", "--beside", "x.toml"), "no configuration at x.toml"),
        (("gold.csv", "--pay-ratio", "1,x"), "'x' is not a number"),
    ],
)
def test_bad_input_is_one_clear_sentence(
    dexmm: Dexmm,
    candles: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    sentence: str,
) -> None:
    (tmp_path / "text.csv").write_text("a tale of gold\nonce upon a time\n")
    assert dexmm(*arguments) == 2
    assert sentence in told(capsys)


def configured(tmp_path: Path, **settings: str) -> None:
    text = configuration("mainnet")
    for old, new in settings.values():
        assert old in text
        text = text.replace(old, new)
    (tmp_path / "dexmm.toml").write_text(text, encoding="utf-8")


def test_capital_that_makes_no_position_is_refused(
    dexmm: Dexmm, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    configured(tmp_path, least=("min_position_quote = 20", "min_position_quote = 40000"))
    assert dexmm("--generate") == 2
    assert "less than strategy.min_position_quote of 40000: raise --capital" in told(capsys)


def test_a_corridor_elsewhere_is_refused(
    dexmm: Dexmm, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = configuration("mainnet")
    lines = [
        "price_low = 100" if line.startswith("price_low") else line for line in text.splitlines()
    ]
    lines = ["price_high = 200" if line.startswith("price_high") else line for line in lines]
    (tmp_path / "dexmm.toml").write_text("\n".join(lines), encoding="utf-8")
    assert dexmm("--generate") == 2
    assert "outside market.price_low 100 to market.price_high 200" in told(capsys)


def test_an_error_is_one_object_too(dexmm: Dexmm, capsys: pytest.CaptureFixture[str]) -> None:
    assert dexmm("--json") == 2
    found = answered(capsys)
    assert found["exit_code"] == 2
    assert "say what to run over" in found["error"]
