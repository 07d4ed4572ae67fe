"""What a task may say, and how what it may not is refused."""

from typing import Any

import pytest

from gateway.errors import InvalidRequest
from gateway.tasks.task import MOST_DESCRIPTION, MOST_TITLE, drafted


def test_a_draft_is_settled() -> None:
    draft = drafted(
        "  Rotate\nthe key ",
        "It is\x00 in\u202e the code.\nSince Monday.",
        labels=("Security", "security", "C++"),
        repository="https://bot:s3cret@git.example/shop.git",
        commit=" ABC1234 ",
        assignee=" ",
    )
    assert draft.title == "Rotate the key"
    assert draft.description == "It is in the code.\nSince Monday."
    assert draft.labels == ("security", "c++")
    assert draft.repository == "https://git.example/shop.git"
    assert (draft.commit, draft.assignee, draft.priority) == ("abc1234", None, "medium")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"title": " "}, "title is empty"),
        ({"title": "x" * (MOST_TITLE + 1)}, "title has 201 characters; it takes at most 200"),
        ({"description": "x" * (MOST_DESCRIPTION + 1)}, "description has 10,001 characters"),
        ({"priority": "huge"}, "priority is 'huge'; it takes low, medium, high, critical"),
        ({"commit": "HEAD"}, "commit is 'HEAD'; it takes a hash"),
        ({"labels": ['a", "b']}, r"labels has 'a\", \"b'; a label takes"),
        ({"labels": [""]}, "labels has ''"),
        ({"labels": [str(number) for number in range(21)]}, "labels has 21 of them"),
        ({"assignee": "x" * 101}, "assignee has 101 characters"),
        ({"repository": "x" * 301}, "repository has 301 characters"),
    ],
)
def test_what_cannot_be_kept_is_named_with_what_could(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidRequest) as raised:
        drafted(**{"title": "Rotate the key", **wrong})
    assert said.replace("\\", "") in str(raised.value).replace("\\", "")
