"""Reasons are looked for when they are read, and then only once."""

from gateway.llm.learned.reasons import RARE_WORD, Reasons
from gateway.llm.task import LONG_CONTEXT_TOKENS, classify


def test_reasons_are_looked_for_once_and_only_if_somebody_reads_them() -> None:
    looks: list[str] = []

    def look() -> tuple[str, ...]:
        looks.append("looked")
        return ("one", "another")

    reasons = Reasons(look)
    assert looks == []
    assert list(reasons) == ["one", "another"]
    assert (reasons[0], reasons[1:], len(reasons)) == ("one", ("another",), 2)
    assert looks == ["looked"]


def test_reasons_equal_what_they_say() -> None:
    reasons = Reasons(lambda: ("one",))
    assert reasons == Reasons(lambda: ("one",)) == ("one",)
    assert reasons != Reasons(tuple)
    assert hash(reasons) == hash(("one",))
    assert repr(reasons) == "('one',)"
    assert not Reasons(tuple)


def test_the_size_comes_before_the_reasons_of_the_words() -> None:
    text = "write a haiku about my cat"
    said = tuple(classify(text).because)
    by_size = classify(text, input_tokens=LONG_CONTEXT_TOKENS).because
    assert by_size == ("about 16,000 tokens", *said[:5])


def test_no_key_and_no_name_is_quoted() -> None:
    secrets = "zx81hqptq7lmn0vb", "secretvalue299", "quellmeier"
    for text in (" ".join(secrets), f"debug {secrets[0]} please", f"{secrets[1]} = {secrets[2]}"):
        said = " ".join(classify(text).because)
        assert not any(one in said for one in secrets)
    assert RARE_WORD in classify("\n".join(f"secretvalue{one}" for one in range(299))).because
