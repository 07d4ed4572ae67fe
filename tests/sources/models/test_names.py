"""Which words of a question name models, however the name is written."""

import pytest

from gateway.documents.query import split
from gateway.sources.models.names import Name, bare_name
from gateway.sources.router_question import RouterQuestion
from gateway.sources.router_reader import RouterReader
from tests.sources.router_world import CONFIGURED, World

WORLD = World(*CONFIGURED)
READER = RouterReader(WORLD.catalog, clock=WORLD.clock)


def read(text: str) -> RouterQuestion:
    return READER.read(split(text))


def named(text: str) -> list[str]:
    question = read(text)
    return [
        " ".join(word.raw for word in question.words[span.start : span.end])
        for span in question.names
    ]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("claude opus 5.5", "claude-opus-5-5"),
        ("gpt 6 sol", "GPT-6-Sol"),
        ("qwen 3 coder", "qwen3-coder"),
        ("gpt4o", "gpt-4o"),
    ],
)
def test_a_name_is_the_same_however_it_is_written(one: str, other: str) -> None:
    assert Name.of(one.split()) == Name.of([other])


@pytest.mark.parametrize(
    ("asked", "name", "is_held"),
    [
        ("gpt 6", "gpt-6-sol", True),
        ("gpt 6", "gpt-5.6-sol", False),
        ("claude 5", "claude-opus-5-5", True),
        ("opus 5.5", "anthropic/claude-opus-5-5", True),
        ("llama 70b", "llama-3.3-70b-instruct", True),
        ("llama 7b", "llama-3.3-70b-instruct", False),
        ("qwen3 coder", "qwen/qwen3-coder:free", True),
    ],
)
def test_a_version_is_no_part_of_another_version(asked: str, name: str, is_held: bool) -> None:
    assert bare_name(name).holds(Name.of(asked.split())) == is_held


@pytest.mark.parametrize(
    ("question", "names"),
    [
        ("gpt-6-sol vs claude opus 5.5", ["gpt 6 sol", "claude opus 5.5"]),
        ("compare sonnet 5.5, astra 6 and opus 5.5", ["sonnet 5.5", "astra 6", "opus 5.5"]),
        ("price of mistral large", ["mistral large"]),
        ("claude with 200k context", ["claude"]),
        ("free deepseek models", ["deepseek"]),
        ("sol price", []),
        ("luna vs sol", []),
        ("near flow price", []),
    ],
)
def test_the_names_of_a_question(question: str, names: list[str]) -> None:
    assert named(question) == names


@pytest.mark.parametrize(
    "question",
    ["claude monet paintings", "gemini zodiac sign", "magnum opus of beethoven", "llama farm trip"],
)
def test_an_ordinary_word_beside_strangers_is_no_model(question: str) -> None:
    assert read(question).topics == frozenset()
