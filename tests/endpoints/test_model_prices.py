from datetime import date
from decimal import Decimal

from gateway.endpoints.models import model_to_json
from gateway.llm.model import Model, Price, PriceTier, Rates


def test_an_unknown_price_is_null_and_never_zero() -> None:
    model = Model("p/m", "p", "m", "M")
    assert model_to_json([model])["pricing"] is None
    half_known = Price(Rates(Decimal("0.5"), None), "a list", date(2026, 11, 20))
    price = model_to_json([Model("p/m", "p", "m", "M", price=half_known)])["pricing"]
    assert (price["prompt"], price["completion"]) == (0.5, None)


def test_prices_of_long_inputs_are_told_and_requests_in_dollars() -> None:
    rates = Rates(Decimal("1.25"), Decimal(10), Decimal("0.125"), None, request=Decimal(1500))
    tier = PriceTier(200_000, Rates(Decimal("2.5"), Decimal(15)))
    price = Price(rates, "a list", date(2026, 11, 20), (tier,))
    shown = model_to_json([Model("p/m", "p", "m", "M", price=price)])["pricing"]
    assert (shown["cache_read"], shown["cache_write"], shown["request_usd"]) == (
        0.125,
        None,
        0.0015,
    )
    assert shown["tiers"][0]["above_input_tokens"] == 200_000
    assert shown["tiers"][0]["prompt"] == 2.5
    assert (shown["source"], shown["as_of"]) == ("a list", "2026-11-20")
