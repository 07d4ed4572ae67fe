"""Text of a certain form in settings; what does not have it is refused."""

from typing import Annotated

from pydantic import AfterValidator

from gateway.errors import ConfigurationError
from gateway.market.settings import is_web_url
from gateway.usage.window import Window


def _window(text: str) -> str:
    try:
        Window.parse(text)
    except ConfigurationError:
        raise ValueError("takes day, week, month or rolling_N_days, as rolling_30_days") from None
    return text


def _web_url(text: str) -> str:
    if not is_web_url(text):
        raise ValueError("takes a URL such as https://host/v1, without a login, ? and #")
    return text


WindowText = Annotated[str, AfterValidator(_window)]
WebUrl = Annotated[str, AfterValidator(_web_url)]
