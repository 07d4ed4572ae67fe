"""A provider's own words about a failure: short, readable, and without anything like a key."""

import re

from gateway.text import displayable

MOST_CHARACTERS = 300
_MOST_READ = 20_000

_TITLE = re.compile(r"<title[^>]{0,500}>(.*?)(?:</title>|\Z)", re.IGNORECASE | re.DOTALL)
_UNREAD = re.compile(r"<(script|style)\b.*?(?:</\1>|\Z)", re.IGNORECASE | re.DOTALL)
_TAG = re.compile(r"<[^>]{0,500}>")
# All that keys are made of.
_LAST_WORD = re.compile(r"(?<![A-Za-z0-9_.+/=~-])[A-Za-z0-9_.+/=~-]+\Z")
_SECRETS = (
    re.compile(r"\b(?:bearer|basic)\s+[^\s,;\"']+", re.IGNORECASE),
    re.compile(r"\b(?:sk|pk|rk|gsk|xai|ghp|AIza|AKIA|ya29|eyJ)[-_.A-Za-z0-9*•…]{5,}"),
    re.compile(r"(?<=key=)[^\s&,;\"']+|(?<=token=)[^\s&,;\"']+", re.IGNORECASE),
    re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", re.IGNORECASE),
    # Long runs of letters with digits, but no model name: those have a break every few letters.
    re.compile(r"\b(?=[A-Za-z_]*[0-9])(?=[0-9_]*[A-Za-z])[A-Za-z0-9_]{20,}[-A-Za-z0-9_+/=.]*"),
    # What a provider already masked in part still shows its ends.
    # A run of letters is looked at once, from its beginning: else a long one takes seconds.
    re.compile(
        r"(?<![A-Za-z0-9_-])[A-Za-z0-9_-]*+(?:\*{3,}|•{3,})[A-Za-z0-9_-]*"
        r"|(?:\*{3,}|•{3,})[A-Za-z0-9_-]*"
    ),
)


def repeatable(text: str) -> str:
    """Words that an error message and a log may repeat."""
    text = _cut(text, _MOST_READ)
    for secret in _SECRETS:
        text = secret.sub("[masked]", text)
    text = " ".join(displayable(text).split())
    return _cut(text, MOST_CHARACTERS)


def _cut(text: str, most: int) -> str:
    """Between words: half a key would no longer be known as one."""
    if len(text) <= most:
        return text
    return _LAST_WORD.sub("", text[: most - 1]).rstrip() + "…"


def words_of_a_page(text: str) -> str:
    """What an HTML page, as proxies send it, says first; other text as it is."""
    text = text[:_MOST_READ]
    if not re.search(r"<\s*(!doctype|html|head|body|title|h1|center)\b", text, re.IGNORECASE):
        return text
    if title := _TITLE.search(text):
        return title[1]
    return _TAG.sub(" ", _UNREAD.sub(" ", text))
