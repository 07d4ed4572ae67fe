from pathlib import Path
from typing import Any

import pytest

from gateway.caller import ANONYMOUS, LOCAL, Caller
from gateway.config.settings import load
from gateway.errors import ConfigurationError
from gateway.keys import hashed
from tests.config.written import written

KEY = "gw_0123456789abcdef"
OTHER = "gw_fedcba9876543210"


def test_keys_of_the_environment_are_kept_as_hashes_and_make_owners() -> None:
    config = load(environment={"GATEWAY_API_KEYS": f"laptop={KEY}, {OTHER},"})
    assert config.callers == {
        hashed(KEY): Caller("laptop", is_owner=True),
        hashed(OTHER): Caller("key-2", is_owner=True),
    }
    assert KEY not in repr(config)
    assert hashed(KEY) not in repr(config)


def test_a_key_that_ends_like_base64_is_a_key() -> None:
    for key in ("0123456789abcdef==", "abcdefghijklmnopqrst="):
        assert list(load(environment={"GATEWAY_API_KEYS": key}).callers) == [hashed(key)]
    (found,) = load(environment={"GATEWAY_API_KEYS": f"me={KEY}=="}).callers.items()
    assert found == (hashed(f"{KEY}=="), Caller("me", is_owner=True))


def test_callers_of_the_file_may_use_what_it_says(tmp_path: Path) -> None:
    text = f"""
callers:
  - {{name: alice, key_sha256: "{hashed(KEY)}"}}
  - {{name: bob, key_sha256: "{hashed(OTHER)}", models: ["*:free"], tools: [], is_owner: true}}
"""
    assert load(written(tmp_path, text), environment={}).callers == {
        hashed(KEY): Caller("alice"),
        hashed(OTHER): Caller("bob", ("*:free",), (), is_owner=True),
    }


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ("s3cret", r"GATEWAY_API_KEYS: key 1 is too short: it takes at least 16 characters"),
        (f"me={KEY},you=s3cret", r"GATEWAY_API_KEYS: key 2 is too short"),
        (f"me={KEY},me={OTHER}", r"callers: the name me is already somebody's"),
        (f"me={KEY},you={KEY}", r"callers: me and you have the same key"),
        (f"local={KEY}", r"callers: the name local is already somebody's"),
        (f"anonymous={KEY}", r"callers: the name anonymous is already somebody's"),
    ],
)
def test_a_mistake_in_keys_is_said_without_them(keys: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said) as caught:
        load(environment={"GATEWAY_API_KEYS": keys})
    assert not any(key in str(caught.value) for key in (KEY, OTHER, "s3cret"))


def test_a_hash_has_64_digits(tmp_path: Path) -> None:
    for text in (KEY, hashed(KEY).upper(), hashed(KEY)[1:]):
        file = written(tmp_path, f"callers: [{{name: a, key_sha256: '{text}'}}]")
        with pytest.raises(ConfigurationError, match=r"takes 64 hexadecimal digits") as caught:
            load(file, environment={})
        assert text not in str(caught.value)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "gateway.lan"])
def test_on_a_public_address_it_does_not_start_without_keys(host: str) -> None:
    said = r"host: .* everybody could use the models. Set GATEWAY_API_KEYS .*, or host: 127.0.0.1"
    with pytest.raises(ConfigurationError, match=said):
        load(environment={"GATEWAY_HOST": host})
    config = load(environment={"GATEWAY_HOST": host, "GATEWAY_API_KEYS": KEY})
    assert config.caller_without_key == ANONYMOUS


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_on_this_machine_alone_nobody_needs_a_key(host: str) -> None:
    assert load(environment={"GATEWAY_HOST": host}).caller_without_key == LOCAL


PUBLIC: list[dict[str, Any]] = [
    {"public_url": "https://gateway.example.com"},
    {"allowed_hosts": ["gateway.example.com"]},
]


@pytest.mark.parametrize("overrides", PUBLIC)
def test_behind_a_proxy_strangers_read_what_is_public_and_spend_nothing(
    overrides: dict[str, Any],
) -> None:
    stranger = load(environment={}, overrides=overrides).caller_without_key
    assert (stranger.is_owner, stranger.may_spend, stranger.models) == (False, False, ())
    opened = {**overrides, "private_documents_for_everybody": True}
    reader = load(environment={}, overrides=opened).caller_without_key
    assert (reader.is_owner, reader.may_spend, reader.models) == (True, False, ())


def test_once_there_are_keys_whoever_has_none_is_a_stranger_on_this_machine_too() -> None:
    assert load(environment={"GATEWAY_API_KEYS": KEY}).caller_without_key == ANONYMOUS
