import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.market.simulated.assets import ASSETS
from gateway.market.simulated.candles import DAY_MS, LISTING_MS
from gateway.market.simulated.symbols import SYMBOLS, Symbol
from gateway.market.simulated.tape import last_trade

moments = st.integers(LISTING_MS + DAY_MS, LISTING_MS + 2000 * DAY_MS)


def price(symbol: Symbol, now_ms: int) -> float:
    return last_trade(symbol, now_ms).price * symbol.tick / 1e8


def in_dollars(name: str, now_ms: int) -> float:
    if name == "USDT":
        return 1.0
    if name == "TRY":
        return 1 / price(SYMBOLS["USDTTRY"], now_ms)
    return price(SYMBOLS[name + "USDT"], now_ms)


def disagreement(symbol: Symbol, now_ms: int) -> float:
    legs = in_dollars(symbol.base.name, now_ms) / in_dollars(symbol.quote.name, now_ms)
    return abs(price(symbol, now_ms) / legs - 1)


crosses = sorted(symbol.name for symbol in SYMBOLS.values() if symbol.quote.name != "USDT")


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(crosses), moments)
def test_a_cross_pair_agrees_with_its_legs(name: str, now_ms: int) -> None:
    symbol = SYMBOLS[name]
    # The wicks of three tapes, which grow with the swing, and half a tick.
    swings = max(symbol.base.swing, 0.02) * 0.1
    assert disagreement(symbol, now_ms) < swings + 1.5 * symbol.tick / 1e8 / price(symbol, now_ms)


@pytest.mark.parametrize(
    ("name", "at_most"),
    [("ETHBTC", 0.003), ("BTCUSDC", 0.001), ("SOLETH", 0.003), ("BTCEUR", 0.003)],
)
def test_the_great_pairs_agree_closely_through_a_whole_week(name: str, at_most: float) -> None:
    start = LISTING_MS + 900 * DAY_MS
    moments = range(start, start + 7 * DAY_MS, 7 * DAY_MS // 150)
    assert max(disagreement(SYMBOLS[name], moment) for moment in moments) < at_most


def test_a_wrapped_coin_moves_with_what_it_wraps() -> None:
    start = LISTING_MS + 900 * DAY_MS
    for moment in range(start, start + 60 * DAY_MS, 7 * DAY_MS):
        assert (
            0.997 < price(SYMBOLS["WBTCUSDT"], moment) / price(SYMBOLS["BTCUSDT"], moment) < 1.001
        )


def test_the_exchange_lists_at_least_sixty_assets_each_in_dollars() -> None:
    bases = {symbol.base.name for symbol in SYMBOLS.values() if symbol.quote.name == "USDT"}
    assert len(bases) >= 75
    assert bases | {"USDT", "TRY"} == set(ASSETS)
    assert {"1INCHUSDT", "1000CHEEMSUSDT", "ETHBTC", "ETHEUR", "SOLETH", "EURUSDT"} <= set(SYMBOLS)
    assert {"USDCUSDT", "USDTTRY"} <= set(SYMBOLS)


def test_renamed_coins_are_gone() -> None:
    assert not {"MATIC", "FTM", "RNDR", "EOS", "MKR", "OM"} & set(ASSETS)


def test_every_pair_has_ticks_fine_enough_for_its_price() -> None:
    for symbol in SYMBOLS.values():
        rough = symbol.base.usd / symbol.quote.usd * 1e8 / symbol.tick
        assert rough > 400, symbol.name
        # A price times a quantity must be exact in eight decimals.
        assert symbol.tick * symbol.step % 10**8 == 0, symbol.name
