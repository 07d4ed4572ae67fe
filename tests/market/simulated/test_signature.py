import pytest

from gateway.market.simulated.signature import is_signed, unsigned

# The vectors that Binance publishes in its REST documentation, with their public example key.
SECRET = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j"
ORDER = (
    "&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1"
    "&recvWindow=5000&timestamp=1499827319559"
)
UNICODE = "%EF%BC%91%EF%BC%92%EF%BC%93%EF%BC%94%EF%BC%95%EF%BC%96"


@pytest.mark.parametrize(
    ("symbol", "signature"),
    [
        ("LTCBTC", "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71"),
        (UNICODE, "e1353ec6b14d888f1164ae9af8228a3dbd508bc82eb867db8ab6046442f33ef3"),
    ],
)
def test_the_published_signatures_hold(symbol: str, signature: str) -> None:
    payload = f"symbol={symbol}{ORDER}"
    assert is_signed(payload, signature, secret=SECRET)
    assert not is_signed(payload.replace("BUY", "SELL"), signature, secret=SECRET)
    assert not is_signed(payload, signature, secret=SECRET[::-1])


def test_the_signature_itself_is_not_signed() -> None:
    assert unsigned("symbol=%EF%BC%91&timestamp=1&signature=ab12") == "symbol=%EF%BC%91&timestamp=1"
    assert unsigned("") == ""
