import pytest

from gateway import request_id


@pytest.mark.parametrize("given", ["4f2a", "trace-1.2_3", "20261121-120000-x"])
def test_a_request_keeps_the_id_that_a_proxy_gave_it(given: str) -> None:
    assert request_id.begin(given) == request_id.current() == given


@pytest.mark.parametrize(
    "given", ["20261121-020000-1231a2b3c4d", "20261121-020000-1231a", "a b", "x" * 65, ""]
)
def test_an_id_that_is_ill_formed_or_that_of_a_benchmark_is_replaced(given: str) -> None:
    assert request_id.begin(given) != given
    assert request_id.current() != given


def test_calls_of_a_benchmark_bear_its_id() -> None:
    request_id.begin_run("20261121-020000-1231a2b3c4d")
    assert request_id.current() == "20261121-020000-1231a2b3c4d"
