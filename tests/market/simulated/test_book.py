from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.market.simulated.book import Book, book_at
from gateway.market.simulated.candles import DAY_MS, LISTING_MS
from gateway.market.simulated.symbols import SYMBOLS, Symbol
from gateway.market.simulated.tape import last_trade

symbols = st.sampled_from(sorted(SYMBOLS)).map(SYMBOLS.__getitem__)
moments = st.integers(LISTING_MS + DAY_MS, LISTING_MS + 2000 * DAY_MS)


@settings(max_examples=150, deadline=None)
@given(symbols, moments)
def test_a_book_is_sorted_never_crossed_and_around_the_last_price(
    symbol: Symbol, now_ms: int
) -> None:
    book = book_at(symbol, now_ms, levels=100)
    assert len(book.bids) == len(book.asks) == 100
    assert all(better[0] > worse[0] for better, worse in pairwise(book.bids))
    assert all(better[0] < worse[0] for better, worse in pairwise(book.asks))
    assert 0 < book.bids[-1][0] < book.bids[0][0] < book.asks[0][0]
    assert min(size for _, size in (*book.bids, *book.asks)) > 0
    assert last_trade(symbol, now_ms).price in (book.bids[0][0], book.asks[0][0])


def test_a_deep_book_has_five_thousand_levels_over_some_percent() -> None:
    book = book_at(SYMBOLS["BTCUSDT"], LISTING_MS + 900 * DAY_MS, levels=5000)
    assert len(book.bids) == len(book.asks) == 5000
    assert 0.03 < 1 - book.bids[-1][0] / book.bids[0][0] < 0.1


def test_a_cheap_coin_has_no_bids_below_one_tick() -> None:
    book = book_at(SYMBOLS["PEPEUSDT"], LISTING_MS + 900 * DAY_MS, levels=5000)
    assert 0 < len(book.bids) < 5000
    assert book.bids[-1][0] >= 1


def test_a_book_changes_often_and_says_so_and_mostly_keeps_its_levels() -> None:
    symbol, start = SYMBOLS["ETHUSDT"], LISTING_MS + 900 * DAY_MS
    books = [book_at(symbol, start + 200 * step, levels=100) for step in range(50)]
    for earlier, later in pairwise(books):
        assert earlier.update_id < later.update_id
        assert earlier.bids != later.bids
    kept = [len(set(one.asks) & set(two.asks)) for one, two in pairwise(books)]
    assert sorted(kept)[len(kept) // 2] > 50


def test_the_same_update_id_means_the_same_book() -> None:
    symbol, start = SYMBOLS["SOLUSDT"], LISTING_MS + 900 * DAY_MS
    seen: dict[int, Book] = {}
    for moment in range(start, start + 4000, 7):
        book = book_at(symbol, moment, levels=20)
        assert seen.setdefault(book.update_id, book) == book
    assert len(seen) >= 20


def test_the_great_books_hold_more_money_than_the_small_ones() -> None:
    def money(name: str) -> float:
        symbol = SYMBOLS[name]
        bids = book_at(symbol, LISTING_MS + 900 * DAY_MS, levels=1000).bids
        near = [(price, size) for price, size in bids if price > bids[0][0] * 0.995]
        return sum(price * size for price, size in near) * symbol.tick * symbol.step / 1e16

    assert money("BTCUSDT") > 5 * money("LINKUSDT") > 5 * money("FLOWUSDT")
