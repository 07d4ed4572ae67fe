"""The names of the market tools by who may call them, before any provider is there."""

# What anybody may read.
PUBLIC_MARKET_TOOLS = (
    "binance.get_ticker",
    "binance.get_orderbook",
    "binance.get_recent_trades",
    "binance.get_klines",
    "binance.get_exchange_info",
    "binance.get_avg_price",
    "binance.orderbook_*",
    "binance.get_order_flow",
    "binance.get_volume_profile",
    "binance.detect_market_anomalies",
    "binance.get_microstructure_health",
    "binance.get_liquidity_vacuums",
)
ACCOUNT_TOOLS = (
    "binance.get_account",
    "binance.get_my_trades",
    "binance.get_order",
    "binance.get_open_orders",
    "binance.get_all_orders",
)
TRADING_TOOLS = ("binance.place_order", "binance.cancel_order")
