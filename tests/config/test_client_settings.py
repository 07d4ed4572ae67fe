import pytest

from gateway.config.client_settings import client_key
from gateway.errors import ConfigurationError


def test_the_key_of_a_client_comes_from_the_environment() -> None:
    assert client_key({"GATEWAY_API_KEY": " gw_of-olga\n"}) == "gw_of-olga"
    assert client_key({"GATEWAY_API_KEY": ""}) is None
    assert client_key({}) is None


@pytest.mark.parametrize("key", ["gw_schlüssel", "gw_one\ngw_two"])
def test_a_key_that_cannot_be_sent_is_refused_without_being_shown(key: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^GATEWAY_API_KEY: has characters") as refusal:
        client_key({"GATEWAY_API_KEY": key})
    assert "gw_" not in str(refusal.value)
