import pytest

from gateway.market.signing import encoded, signature, signed

# Binance's public test vectors (rest-api.md).
SECRET = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j"
FULL_WIDTH = "\uff11\uff12\uff13\uff14\uff15\uff16"
VECTORS = [
    ("LTCBTC", "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71"),
    (FULL_WIDTH, "e1353ec6b14d888f1164ae9af8228a3dbd508bc82eb867db8ab6046442f33ef3"),
]


def order(symbol: str) -> dict[str, str | int | None]:
    return {
        "symbol": symbol,
        "side": "BUY",
        "type": "LIMIT",
        "timeInForce": "GTC",
        "quantity": "1",
        "price": "0.1",
        "recvWindow": 5000,
        "timestamp": 1499827319559,
    }


@pytest.mark.parametrize(("symbol", "expected"), VECTORS)
def test_the_exchanges_own_test_vectors_are_met(symbol: str, expected: str) -> None:
    assert signature(SECRET, encoded(order(symbol))) == expected


def test_the_signature_comes_last_over_the_query_as_it_is_sent() -> None:
    query = signed(order(FULL_WIDTH), SECRET)
    assert query.startswith("symbol=%EF%BC%91%EF%BC%92%EF%BC%93%EF%BC%94%EF%BC%95%EF%BC%96&side=")
    assert query.endswith(f"&signature={VECTORS[1][1]}")


def test_what_is_not_given_is_not_sent() -> None:
    assert encoded({"symbol": "A B&c", "price": None, "limit": 0}) == "symbol=A%20B%26c&limit=0"
