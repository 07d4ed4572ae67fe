"""The pairs that the simulated exchange lists, with Binance's filters."""

import math
from dataclasses import dataclass
from typing import Any

from gateway.market.simulated.assets import ASSETS, COINS, Asset
from gateway.market.simulated.wire import UNIT, decimal_text

ORDER_TYPES = (
    "LIMIT",
    "LIMIT_MAKER",
    "MARKET",
    "STOP_LOSS",
    "STOP_LOSS_LIMIT",
    "TAKE_PROFIT",
    "TAKE_PROFIT_LIMIT",
)
MAX_OPEN_ORDERS = 200
# How far a limit price may be from the average: five times up, a fifth down.
PERCENT_PRICE_FACTOR = 5
# One minute's part of a day's swing: prices spread with the square root of time.
_MINUTE_OF_DAY = 1 / math.sqrt(24 * 60)


@dataclass(frozen=True, slots=True, eq=False)
class Symbol:
    """One pair. Prices are whole ticks and quantities whole steps, so that sums are exact.

    `tick` and `step` are in 10^-8; a price times a quantity is exact in 10^-8 too.
    """

    name: str
    base: Asset
    quote: Asset
    tick: int
    step: int
    trades_per_day: int
    steps_per_day: int
    minute_swing: float

    @property
    def log_tick(self) -> float:
        return math.log(self.tick / UNIT)

    def price_text(self, ticks: int) -> str:
        return decimal_text(ticks * self.tick)

    def quantity_text(self, steps: int) -> str:
        return decimal_text(steps * self.step)

    def quote_text(self, tick_steps: int) -> str:
        return decimal_text(self.quote_units(tick_steps))

    def quote_units(self, tick_steps: int) -> int:
        return tick_steps * self.tick * self.step // UNIT

    @property
    def min_notional(self) -> int:
        """In 10^-8 of the quote asset."""
        return _MIN_NOTIONAL[self.quote.name]


_MIN_NOTIONAL = {
    "USDT": 5 * UNIT,
    "USDC": 5 * UNIT,
    "EUR": 5 * UNIT,
    "TRY": 10 * UNIT,
    "BTC": 10_000,
    "ETH": 100_000,
    "BNB": 1_000_000,
}
_QUOTED_IN = {
    "USDC": (
        "BTC ETH BNB SOL XRP DOGE ADA TRX LINK AVAX XLM SUI HBAR BCH LTC TON SHIB DOT UNI PEPE AAVE"
        " NEAR APT ICP ETC POL ATOM FIL ARB OP FET INJ WLD BONK WIF SEI TIA ENA ONDO TRUMP ZEC ALGO"
        " PENDLE JUP S A CRV"
    ),
    "BTC": (
        "ETH BNB SOL XRP ADA LINK AVAX BCH LTC DOT UNI AAVE NEAR APT ICP ETC ATOM ZEC DASH PAXG"
        " WBTC INJ QNT SUI"
    ),
    "ETH": "BNB SOL XRP ADA LINK AVAX LTC TRX UNI AAVE ETC WBTC",
    "BNB": "SOL XRP ADA LINK AVAX LTC DOT BCH ETC TRX",
    "EUR": "BTC ETH BNB SOL XRP DOGE ADA TRX LINK AVAX XLM SUI LTC BCH DOT SHIB PEPE NEAR USDC",
    "TRY": "BTC ETH BNB SOL XRP DOGE ADA TRX LINK AVAX XLM SUI HBAR SHIB PEPE USDT EUR USDC TON",
}
_SHARE_OF_TURNOVER = {
    "USDT": 1.0,
    "USDC": 0.18,
    "BTC": 0.05,
    "ETH": 0.02,
    "BNB": 0.01,
    "EUR": 0.04,
    "TRY": 0.03,
}
_CASH = ("USDT", "USDC", "EUR", "TRY")


def _tick_exponent(price: float, quote: str) -> int:
    if price >= 1e6:
        return 0
    digits = 4 if quote in _CASH else 3
    return max(-8, min(-2, math.floor(math.log10(price)) - digits))


def _step_exponent(base: Asset, tick_exponent: int) -> int:
    # Whatever the tick leaves of eight decimals: finer steps would make quote sums inexact.
    return max(-8 - tick_exponent, min(0, round(math.log10(0.3 / base.usd))))


def _symbol(base_name: str, quote_name: str) -> Symbol:
    base, quote = ASSETS[base_name], ASSETS[quote_name]
    tick_exponent = _tick_exponent(base.usd / quote.usd, quote_name)
    step_exponent = _step_exponent(base, tick_exponent)
    turnover = (base.turnover_usd or quote.turnover_usd) * _SHARE_OF_TURNOVER[quote_name]
    per_minute = round(min(60, max(22, 11 * math.log10(turnover / 2e4))))
    trades = per_minute * 1440
    return Symbol(
        name=base_name + quote_name,
        base=base,
        quote=quote,
        tick=10 ** (8 + tick_exponent),
        step=10 ** (8 + step_exponent),
        trades_per_day=trades,
        # The tape needs room: a trade that is one step big cannot be shared out.
        steps_per_day=max(trades * 80, int(turnover / base.usd / 10**step_exponent)),
        minute_swing=_swing(base, quote) * _MINUTE_OF_DAY,
    )


def _swing(base: Asset, quote: Asset) -> float:
    if base.moves_like == quote.moves_like:
        return abs(base.swing - quote.swing)
    return math.hypot(base.swing, quote.swing)


def _pairs() -> list[tuple[str, str]]:
    pairs = [(coin, "USDT") for coin in (*COINS, "EUR")]
    for quote, bases in _QUOTED_IN.items():
        pairs.extend((base, quote) for base in bases.split())
    return pairs


SYMBOLS = {symbol.name: symbol for symbol in (_symbol(*pair) for pair in _pairs())}


def symbol_json(symbol: Symbol) -> dict[str, Any]:
    """The symbol object of `exchangeInfo`."""
    return {
        "symbol": symbol.name,
        "status": "TRADING",
        "baseAsset": symbol.base.name,
        "baseAssetPrecision": 8,
        "quoteAsset": symbol.quote.name,
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "baseCommissionPrecision": 8,
        "quoteCommissionPrecision": 8,
        "orderTypes": list(ORDER_TYPES),
        "icebergAllowed": False,
        "ocoAllowed": False,
        "otoAllowed": False,
        "quoteOrderQtyMarketAllowed": True,
        "allowTrailingStop": False,
        "cancelReplaceAllowed": False,
        "amendAllowed": False,
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "filters": _filters(symbol),
        "permissions": [],
        "permissionSets": [["SPOT"]],
        "defaultSelfTradePreventionMode": "EXPIRE_MAKER",
        "allowedSelfTradePreventionModes": ["EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH"],
    }


def _filters(symbol: Symbol) -> list[dict[str, Any]]:
    up, down = f"{PERCENT_PRICE_FACTOR}", f"{1 / PERCENT_PRICE_FACTOR:g}"
    return [
        {
            "filterType": "PRICE_FILTER",
            "minPrice": decimal_text(symbol.tick),
            "maxPrice": decimal_text(max_price(symbol) * symbol.tick),
            "tickSize": decimal_text(symbol.tick),
        },
        {
            "filterType": "LOT_SIZE",
            "minQty": decimal_text(symbol.step),
            "maxQty": decimal_text(max_quantity(symbol) * symbol.step),
            "stepSize": decimal_text(symbol.step),
        },
        {
            "filterType": "PERCENT_PRICE_BY_SIDE",
            "bidMultiplierUp": up,
            "bidMultiplierDown": down,
            "askMultiplierUp": up,
            "askMultiplierDown": down,
            "avgPriceMins": 5,
        },
        {
            "filterType": "NOTIONAL",
            "minNotional": decimal_text(symbol.min_notional),
            "applyMinToMarket": True,
            "maxNotional": "9000000.00000000",
            "applyMaxToMarket": False,
            "avgPriceMins": 5,
        },
        {"filterType": "MAX_NUM_ORDERS", "maxNumOrders": MAX_OPEN_ORDERS},
    ]


def max_price(symbol: Symbol) -> int:
    """In ticks; far above the rough price."""
    return int(1000 * symbol.base.usd / symbol.quote.usd * UNIT) // symbol.tick


def max_quantity(symbol: Symbol) -> int:
    """In steps; some nine million dollars' worth."""
    return int(9e6 / symbol.base.usd * UNIT) // symbol.step + 1
