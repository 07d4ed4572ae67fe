"""The assets of the simulated exchange: rough price, daily swing and turnover of each."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, eq=False)
class Asset:
    """`usd` is the price that the path wanders around; `swing` is one day's typical log change."""

    name: str
    usd: float
    swing: float
    turnover_usd: float
    # The name whose noise moves the price: a wrapped coin moves like what it wraps.
    moves_like: str
    # How much of the swing the whole market explains; what is pegged stays out of it.
    follows_market: bool


# name, price in USD, daily swing in percent, turnover in million USD a day
_COINS = """
BTC 91500 2.0 1600 | ETH 3120 2.7 1100 | BNB 880 2.2 260 | SOL 141 3.2 520 | XRP 2.15 3.0 420
DOGE 0.152 3.6 210 | ADA 0.44 3.4 95 | TRX 0.281 1.8 70 | LINK 13.6 3.4 75 | AVAX 14.1 3.6 62
XLM 0.252 3.4 38 | SUI 1.58 4.2 110 | HBAR 0.143 3.9 45 | BCH 540 2.8 52 | LTC 84 2.8 60
TON 1.62 3.2 30 | SHIB 0.0000087 3.6 34 | DOT 2.35 3.5 32 | UNI 6.2 3.9 40 | PEPE 0.0000048 4.6 95
AAVE 178 3.7 44 | NEAR 1.92 4.0 50 | APT 1.95 4.0 28 | ICP 3.9 4.0 30 | ETC 13.4 3.1 20
POL 0.134 3.7 20 | ATOM 2.45 3.4 18 | RENDER 1.78 4.2 20 | FIL 1.62 3.9 30 | ARB 0.214 4.0 32
OP 0.318 4.2 24 | VET 0.0131 3.6 10 | ALGO 0.138 3.5 14 | FET 0.262 4.6 28 | INJ 5.6 4.2 18
GRT 0.0485 3.8 7 | SKY 0.056 3.4 6 | S 0.102 4.4 12 | THETA 0.34 3.6 6 | IMX 0.285 4.1 7
WLD 0.63 4.6 38 | BONK 0.0000094 4.9 30 | WIF 0.375 5.0 32 | FLOKI 0.0000462 4.5 14
JUP 0.232 4.2 13 | SEI 0.132 4.3 18 | TIA 0.61 4.6 18 | STX 0.305 4.2 9 | LDO 0.64 4.3 14
CRV 0.405 4.2 24 | ENA 0.268 4.9 42 | ONDO 0.485 4.0 20 | PYTH 0.0725 4.4 9 | PENDLE 2.25 4.3 12
XTZ 0.51 3.3 7 | MANA 0.156 3.7 7 | SAND 0.157 3.7 9 | AXS 0.92 3.9 9 | GALA 0.0074 4.0 13
FLOW 0.221 3.6 4 | A 0.205 3.8 7 | NEO 4.05 3.2 6 | IOTA 0.102 3.5 6 | ZEC 410 5.0 180
DASH 48 4.6 24 | QNT 81 3.3 6 | MANTRA 0.0212 4.2 9 | PAXG 4120 0.8 55 | 1INCH 0.187 3.7 7
1000CHEEMS 0.00108 4.6 5 | NOT 0.00062 4.4 7 | GAS 2.12 3.8 4 | PEOPLE 0.0108 4.5 11
ME 0.292 4.5 5 | ACT 0.0181 4.8 9 | TRUMP 5.85 3.8 34 | HYPER 0.151 4.8 8 | HOT 0.00054 3.9 3
SUN 0.0204 2.4 4 | ID 0.074 4.2 4 | IO 0.148 4.3 4 | MOVE 0.0385 4.4 6 | HIGH 0.24 4.2 4
"""
_PEGGED = """
USDT 1 0 0 | USDC 0.9998 0.003 900 | EUR 1.158 0.28 40 | TRY 0.0236 0.16 120
"""


def _rows(text: str) -> list[list[str]]:
    return [row.split() for line in text.split("\n") for row in line.split("|") if row.strip()]


def _asset(row: list[str], *, follows_market: bool) -> Asset:
    name, usd, swing, turnover = row
    return Asset(name, float(usd), float(swing) / 100, float(turnover) * 1e6, name, follows_market)


_WRAPPED = Asset("WBTC", 91430, 0.020, 18e6, "BTC", True)
_ASSETS = [
    *(_asset(row, follows_market=row[0] != "PAXG") for row in _rows(_COINS)),
    _WRAPPED,
    *(_asset(row, follows_market=False) for row in _rows(_PEGGED)),
]

ASSETS = {asset.name: asset for asset in _ASSETS}
COINS = tuple(asset.name for asset in _ASSETS if asset.name not in {"USDT", "EUR", "TRY"})
