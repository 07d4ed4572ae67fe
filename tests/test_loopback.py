import pytest

from gateway.loopback import is_this_machine


@pytest.mark.parametrize(
    ("host", "is_here"),
    [
        ("localhost", True),
        ("LocalHost", True),
        ("127.0.0.1", True),
        ("127.255.0.3", True),
        ("::1", True),
        ("[::1]", True),
        ("127.evil.com", False),
        ("127.0.0.1.evil.com", False),
        ("localhost.evil.com", False),
        ("0.0.0.0", False),
        ("::", False),
        ("10.0.0.1", False),
        ("*", False),
        ("", False),
    ],
)
def test_only_a_loopback_address_or_localhost_is_this_machine(host: str, is_here: bool) -> None:
    assert is_this_machine(host) is is_here
