from gateway.keys import hashed, holder, is_hash, new_key


def test_a_new_key_is_long_safe_in_a_header_and_never_the_same() -> None:
    keys = {new_key() for _ in range(100)}
    assert len(keys) == 100
    for key in keys:
        assert key.startswith("gw_")
        assert len(key) == 46
        assert key.replace("-", "").replace("_", "").isalnum()
        assert key.isascii()


def test_what_is_kept_of_a_key_is_the_hash_that_sha256sum_prints() -> None:
    assert hashed("gw_abc") == "67544a0ca8afb16e43c39bc1eb45781692a4166d8f96b278383f4655d88a1fa0"
    assert is_hash(hashed(new_key()))
    assert not is_hash(new_key())
    assert not is_hash(hashed("gw_abc").upper())


def test_a_key_is_found_by_its_hash_and_by_nothing_else() -> None:
    one, other = new_key(), new_key()
    ring = {hashed(one): "alice", hashed(other): "bob"}
    assert holder(ring, one) == "alice"
    assert holder(ring, other) == "bob"
    assert holder(ring, new_key()) is None
    assert holder(ring, hashed(one)) is None
    assert holder(ring, "") is None
    assert holder(ring, "ключ") is None
    assert holder({}, one) is None
