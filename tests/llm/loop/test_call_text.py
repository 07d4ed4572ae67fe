import pytest

from gateway.llm.loop.call_text import meaning


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('{"a": 1, "b": [2, {"c": 3, "d": 4}]}', '{"b":[2,{"d":4,"c":3}],"a":1}'),
        ('{"count": 1}', '{"count": 1.0}'),
        ('{"count": 1000}', '{"count": 1e3}'),
        ('{"text": "same"}', '{"text": "s\\u0061me"}'),
        ("", "{}"),
    ],
)
def test_arguments_that_say_the_same_mean_the_same(one: str, other: str) -> None:
    assert meaning(one) == meaning(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('{"count": 1}', '{"count": 1.5}'),
        ('{"count": 1}', '{"count": true}'),
        ('{"count": 1}', '{"count": "1"}'),
        ('{"count": 9007199254740993}', '{"count": 9007199254740992.0}'),
        ('{"list": [1, 2]}', '{"list": [2, 1]}'),
        ('{"a": null}', "{}"),
    ],
)
def test_arguments_that_say_something_else_mean_something_else(one: str, other: str) -> None:
    assert meaning(one) != meaning(other)


@pytest.mark.parametrize(
    "text",
    ["{", "{'a': 1}", "[" * 100_000, "9" * 5_000],
    ids=["cut", "Python", "deep", "long"],
)
def test_what_cannot_be_read_means_nothing_but_itself(text: str) -> None:
    assert meaning(text) == text
