"""The pairs that a question names, and the words that only look like a coin."""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.documents.document import Document
from gateway.documents.document_id import DocumentId
from gateway.documents.query import Query
from gateway.documents.ranking import rank
from gateway.market.simulated.symbols import SYMBOLS
from gateway.sources.market.coins import coins
from gateway.sources.market.intervals import IntervalLexicon
from gateway.sources.market.kind import market_kinds
from gateway.sources.market.source import MarketSource
from gateway.sources.market.symbols import SymbolLexicon
from gateway.sources.market.universe import MarketUniverse, Pair, Universe

GOLDEN = Path(__file__).parents[2] / "golden"
FIRST_PLACE_SHARE = 0.97
FIRST_THREE_SHARE = 0.99


@dataclass(frozen=True, slots=True)
class Listed:
    """What the simulated exchange lists, without a provider to ask."""

    current: Universe


UNIVERSE = cast(
    MarketUniverse,
    Listed(
        Universe.of(
            (Pair(name, one.base.name, one.quote.name) for name, one in SYMBOLS.items()),
            is_verified=True,
        )
    ),
)
LEXICONS = (
    SymbolLexicon(UNIVERSE, coins(), [word for kind in market_kinds() for word in kind.phrases]),
    IntervalLexicon(),
)


class Unread:
    """Nothing is read here: only what is offered counts."""

    async def read(self, document_id: DocumentId, pair: Pair) -> Document:
        raise AssertionError(document_id)


LISTINGS = [MarketSource(kind, UNIVERSE, Unread()) for kind in market_kinds()]


def read(question: str) -> Query:
    return Query.read(question, LEXICONS)


def symbols(question: str) -> set[str]:
    return set(read(question).values("symbol"))


def found(question: str) -> list[str]:
    query = read(question)
    entries = [entry for listing in LISTINGS for entry in listing.entries(query)]
    return [entry.id.text for entry in rank(entries, query, limit=10)]


def answers(row: dict[str, Any], *, within: int) -> bool:
    ids, first = found(row["ask"]), set(row["first"])
    if not first:
        return not ids
    is_clean = not set(row.get("not", ())) & set(ids)
    return is_clean and first <= set(ids[: max(within, len(first))])


@pytest.mark.parametrize("name", ["questions.toml", "paraphrases.toml"])
def test_golden_questions_find_their_documents_first(name: str) -> None:
    rows = tomllib.loads((GOLDEN / name).read_text("utf-8"))["question"]
    assert sum(answers(row, within=0) for row in rows) / len(rows) >= FIRST_PLACE_SHARE
    assert sum(answers(row, within=3) for row in rows) / len(rows) >= FIRST_THREE_SHARE


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_every_listed_symbol_is_read_as_it_is_written(symbol: str) -> None:
    assert symbols(symbol) == symbols(symbol.lower()) == {symbol}


@pytest.mark.parametrize(
    ("question", "symbol"),
    [
        ("bitcoin", "BTCUSDT"),
        ("l'ethereum", "ETHUSDT"),
        ("Bitcoin'in fiyat\N{LATIN SMALL LETTER DOTLESS I}", "BTCUSDT"),
        ("price of bitcoin cash", "BCHUSDT"),
        ("DogeCoin price", "DOGEUSDT"),
        ("etherium", "ETHUSDT"),
        ("litecion", "LTCUSDT"),
        ("bitcoin cahs", "BCHUSDT"),
        ("etherum clasic price", "ETCUSDT"),
        ("bitcoin em euros", "BTCEUR"),
        ("sol/usdc", "SOLUSDC"),
        ("SOL EUR", "SOLEUR"),
        ("eth in btc", "ETHBTC"),
        ("ethereum priced in bitcoin", "ETHBTC"),
        ("sol versus the euro", "SOLEUR"),
        ("how many sats is one xrp", "XRPBTC"),
        ("how many bitcoin for one ether", "ETHBTC"),
        ("avax bnb pair", "AVAXBNB"),
        ("what does one bitcoin cost in euros", "BTCEUR"),
    ],
)
def test_a_pair_is_read_by_name_typo_and_quote(question: str, symbol: str) -> None:
    assert symbols(question) == {symbol}


@pytest.mark.parametrize(
    ("question", "symbol"),
    [("MATIC", "POLUSDT"), ("matic network price", "POLUSDT"), ("FTM", "SUSDT"), ("eos", "AUSDT"),
     ("maker dao price", "SKYUSDT"), ("RNDRUSDT", "RENDERUSDT"), ("om/usdt", "MANTRAUSDT")],
)  # fmt: skip
def test_a_renamed_coin_answers_and_says_so(question: str, symbol: str) -> None:
    query = read(question)
    assert query.values("symbol") == (symbol,)
    assert "is now" in query.notes({"symbol": symbol})[0]


def test_a_quote_that_is_not_listed_falls_back_and_says_so() -> None:
    query = read("pepe in yen")
    assert query.values("symbol") == ("PEPEUSDT",)
    assert query.notes({"symbol": "PEPEUSDT"})[0] == "PEPEJPY is not listed"


@pytest.mark.parametrize(
    ("question", "symbol"),
    [
        ("LINK price", "LINKUSDT"),
        ("$link", "LINKUSDT"),
        ("link/usdt", "LINKUSDT"),
        ("how is NEAR doing", "NEARUSDT"),
        ("order book of near", "NEARUSDT"),
        ("order book near", "NEARUSDT"),
        ("price impact of selling 3000 link", "LINKUSDT"),
        ("atom 4h", "ATOMUSDT"),
        ("what is tron up to", "TRXUSDT"),
        ("not coin price", "NOTUSDT"),
        ("btc and link", "LINKUSDT"),
    ],
)
def test_a_word_is_a_coin_where_the_market_is_spoken_of(question: str, symbol: str) -> None:
    assert symbol in symbols(question)


@pytest.mark.parametrize(
    "question",
    ["send me the link", "restaurants near me", "dash cam price", "gas price in california",
     "polygon shape", "the graph of y", "chain link fence", "polka dot dress", "either price",
     "apple stock price", "method", "together", "Canada", "unit", "solution", "python price list",
     "tell me a story", "ripple effects of inflation", "ocean depth chart of the atlantic",
     "trump news", "buy a flower", "death of the market", "jupyter chart"],
)  # fmt: skip
def test_a_plain_word_is_no_coin(question: str) -> None:
    assert symbols(question) == set()


@pytest.mark.parametrize(
    "question", ["monero price", "XMRUSDT", "bananacoin order book", "$NOSUCH", "bitcoin sv price"]
)
def test_an_unknown_coin_names_nothing_and_a_hint_says_so(question: str) -> None:
    query = read(question)
    assert query.values("symbol") == ()
    assert "No listed coin is named" in query.hints[0]


@pytest.mark.parametrize(
    ("question", "first"),
    [
        ("bitcoin candels 4h", "klines:BTCUSDT:4h"),
        ("etherum vollume profile", "volume_profile:ETHUSDT"),
        ("litcoin spred", "orderbook_l1:LTCUSDT"),
        ("recent tardes bnb", "trades:BNBUSDT"),
        ("avgprice xrp", "avg_price:XRPUSDT"),
        ("somebody manipulates pepe", "anomalies:PEPEUSDT"),
        ("health of the ETH order book", "orderbook_health:ETHUSDT"),
        ("average ether price", "avg_price:ETHUSDT"),
        ("price of the last trade in bitcoin", "trades:BTCUSDT"),
    ],
)
def test_words_of_the_market_are_understood_misspelt_bent_and_apart(
    question: str, first: str
) -> None:
    assert found(question)[0] == first


@pytest.mark.parametrize(
    ("question", "unknown"),
    [("XMR/USDT", "XMR"), ("dai/usdt", "dai"), ("cake/usdc order book", "cake"),
     ("BTC/BLORP", "BLORP"), ("blorp:eth", "blorp"), ("eth-blor", "blor"), ("xmr btc", "xmr"),
     ("How much SOL for 1 XMR", "XMR"), ("how many bitcoins is one blorpcoin", "blorpcoin"),
     ("convert 5 kaspa to bnb", "kaspa"), ("swap blorp for eth", "blorp"), ("kas in eth", "kas"),
     ("price of monero in bitcoin", "monero"), ("what is 1 sol worth in monero", "monero"),
     ("blorp/xrp candles", "blorp"), ("how many blorp can i get for 2 eth", "blorp")],
)  # fmt: skip
def test_a_coin_against_an_unknown_one_is_never_answered_by_itself(
    question: str, unknown: str
) -> None:
    query = read(question)
    assert query.values("symbol") == ()
    assert query.hints[0].startswith(f"No listed coin is named {unknown!r}.")


@pytest.mark.parametrize(
    ("question", "symbol"),
    [("news in eth", "ETHUSDT"), ("sell pressure in btc-based products", "BTCUSDT"),
     ("10x leverage in bnb", "BNBUSDT"), ("how much electricity does bitcoin use", "BTCUSDT"),
     ("BINANCE:BNBUSDT", "BNBUSDT"), ("trades just went through in xrp", "XRPUSDT")],
)  # fmt: skip
def test_a_plain_word_beside_a_coin_does_not_hide_it(question: str, symbol: str) -> None:
    assert symbols(question) == {symbol}


@pytest.mark.parametrize(
    ("question", "symbol", "unknown"),
    [("btc and blorpcoin price", "BTCUSDT", "blorpcoin"),
     ("compare ETH with XMR", "ETHUSDT", "XMR"), ("monero/eth and sol price", "SOLUSDT", "monero")],
)  # fmt: skip
def test_an_unknown_coin_beside_a_known_one_is_told(
    question: str, symbol: str, unknown: str
) -> None:
    query = read(question)
    assert query.values("symbol") == (symbol,)
    assert query.hints == (f"No listed coin is named {unknown!r}.",)


@pytest.mark.parametrize(
    ("question", "unknown"),
    [("blorpcoin", "blorpcoin"), ("xmr", "xmr"), ("HYPE", "HYPE"), ("BNBXMR", "BNBXMR"),
     ("luna coin", "luna"), ("silver coin price", "silver"), ("key coin", "key coin"),
     ("bitcoin gold", "bitcoin gold"), ("ethereum name service", "ethereum name service"),
     ("tesla", "tesla"), ("tuition", "tuition")],
)  # fmt: skip
def test_a_hint_says_the_whole_name_and_suggests_nothing_unlike(
    question: str, unknown: str
) -> None:
    assert found(question) == []
    assert read(question).hints == (f"No listed coin is named {unknown!r}.",)


def test_a_hint_suggests_a_coin_that_is_spelled_alike() -> None:
    assert read("carnado price").hints[0].endswith("Did you mean ADA?")


@pytest.mark.parametrize(
    "question",
    ["order flow", "4h candles", "price", "help", "moon coin price", "not a coin",
     "is now a high volume moment", "cancel my orders", "super coin price"],
)  # fmt: skip
def test_a_market_question_without_a_coin_is_told_to_name_one(question: str) -> None:
    assert found(question) == []
    assert read(question).hints == ("Name a coin, such as 'bitcoin order flow'.",)


@pytest.mark.parametrize(
    "question", ["what is the weather like", "how are you doing", "tell me a story"]
)
def test_a_question_about_something_else_gets_no_hint(question: str) -> None:
    assert read(question).hints == ()


@pytest.mark.parametrize(
    ("question", "symbol"),
    [("LINK", "LINKUSDT"), ("ADA?", "ADAUSDT"), ("OP", "OPUSDT"), ("BUY DOT", "DOTUSDT"),
     ("SELL ATOM", "ATOMUSDT")],
)  # fmt: skip
def test_capitals_alone_mean_the_coin(question: str, symbol: str) -> None:
    assert symbols(question) == {symbol}


@pytest.mark.parametrize("question", ["SEND ME THE LINK NOW", "HELP ME", "NOT NOW", "link"])
def test_a_shouted_sentence_names_no_coin(question: str) -> None:
    assert symbols(question) == set()


@pytest.mark.parametrize(
    ("question", "coin"),
    [("link the order book of btc please", {"BTCUSDT"}), ("render the eth spread", {"ETHUSDT"}),
     ("order flow for btc and also for near", {"BTCUSDT", "NEARUSDT"}),
     ("candles of eth against atom", {"ETHUSDT", "ATOMUSDT"})],
)  # fmt: skip
def test_a_word_like_ticker_yields_to_a_clear_coin(question: str, coin: set[str]) -> None:
    assert symbols(question) == coin


@pytest.mark.parametrize(
    ("question", "quoted"),
    [("btc in brl", "BTCBRL"), ("eth in pounds", "ETHGBP"), ("sol in dollars canadian", "SOLCAD"),
     ("xrp in australian dollars", "XRPAUD"), ("how many satoshis is one doge", "DOGEBTC")],
)  # fmt: skip
def test_money_that_no_pair_has_is_told(question: str, quoted: str) -> None:
    query = read(question)
    assert query.notes({"symbol": query.values("symbol")[0]}) == [f"{quoted} is not listed"]


def test_prices_in_an_unknown_money_are_told_apart_from_coins() -> None:
    query = read("btc in blorpia")
    assert query.values("symbol") == ("BTCUSDT",)
    assert query.hints == ("No prices in 'blorpia' are listed.",)


@pytest.mark.parametrize(
    "question", ["which coin is up the most today", "which coins are up today", "hot coins today"]
)
def test_the_largest_coins_come_with_their_prices(question: str) -> None:
    assert found(question)[0] == "ticker:BTCUSDT"


def test_a_question_about_the_whole_market_gets_the_largest_coins() -> None:
    tickers = [f"ticker:{base}USDT" for base in ("BTC", "ETH", "BNB", "SOL", "XRP")]
    assert found("crypto prices")[:5] == tickers


def test_each_coin_gets_what_its_clause_asks_for() -> None:
    assert set(found("btc 4h candles and eth daily candles")[:2]) == {
        "klines:BTCUSDT:4h",
        "klines:ETHUSDT:1d",
    }


WORDS = st.sampled_from(
    "btc eth link near sol usdt euro in and price , candles 4h order book of the $ / NOT tron "
    "bitcoin cash matic crypto coin monero zorg one for how many XMR "
    "\N{ROCKET} \u202e \x00 etherium".split(" ")
)


@given(st.one_of(st.text(max_size=1_500), st.lists(WORDS, max_size=40).map(" ".join)))
def test_any_text_is_read_and_ranked_the_same_each_time(text: str) -> None:
    query = read(text)
    assert query == read(text)
    assert found(text) == found(text)
    assert set(query.values("symbol")) <= set(SYMBOLS)
    places = (place for one in query.mentions for place in range(one.start, one.end))
    assert all(0 <= place < len(query.words) for place in places)


@pytest.mark.parametrize(
    "word", ["btc ", "link ", "zqxwv ", "bitcoin price and ", "/", "$", "eth in "]
)
def test_a_long_text_is_read_in_bounds(word: str) -> None:
    assert len(found(word * 2_000)) <= 10
