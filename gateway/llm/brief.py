"""A request in a few plain words, as tools take it: a task, a complexity, a context, a prompt."""

from collections.abc import Mapping
from typing import Any, get_args

from gateway.errors import InvalidRequest
from gateway.llm.completion import Hints
from gateway.llm.learned.weights import shipped
from gateway.llm.messages import ChatRequest, Message, Text
from gateway.llm.policy import Context
from gateway.llm.task import TASKS, Task, classify
from gateway.text import shown

COMPLEXITIES: Mapping[str, float] = {"low": 0.2, "medium": 0.5, "high": 0.85}
CONTEXTS: tuple[str, ...] = get_args(Context)
# Words that say a task to a person, but are too short for the classifier to be sure of.
SURE_ENOUGH = 0.65
_WORDS_OF_TASK: Mapping[Task, tuple[str, ...]] = {
    "coding": ("code", "programming", "program", "debug", "sql", "software"),
    "research": (
        "analysis",
        "data analysis",
        "fact check",
        "comparison",
        "web search",
        "literature",
    ),
    "creative": ("writing", "creative writing", "brainstorming", "marketing", "marketing copy"),
    "quick": ("simple", "fast", "question", "qa", "q&a", "lookup", "classification"),
    "complex": ("reasoning", "math", "maths", "mathematics", "logic", "planning", "strategy"),
    "long_context": ("long document", "document analysis", "long text"),
    "general": ("chat", "conversation", "translation", "summarization", "summary"),
}
_TASK_OF_WORDS: Mapping[str, Task] = {
    words: task for task, several in _WORDS_OF_TASK.items() for words in several
}

TASK_SCHEMA: Mapping[str, Any] = {
    "type": "string",
    "description": (
        f"What kind of task it is: {', '.join(TASKS)}, or a few words of your own such as "
        "'code review'. 'auto', or leaving it out, lets the gateway tell by the prompt."
    ),
}
COMPLEXITY_SCHEMA: Mapping[str, Any] = {
    "anyOf": [
        {"type": "string", "enum": list(COMPLEXITIES)},
        {"type": "number", "minimum": 0, "maximum": 1},
    ],
    "description": (
        "How hard it is: low, medium, high, or a number from 0 to 1. Left out, the gateway tells "
        "by the prompt."
    ),
}
CONTEXT_SCHEMA: Mapping[str, Any] = {
    "type": "string",
    "description": (
        "Either the word 'personal' or 'work', which says whose limits and models apply; or any "
        "other text, which is given to the model as material for the prompt."
    ),
}


def brief_hints(brief: Mapping[str, Any]) -> Hints:
    """What `task_type`, `complexity` and `context` say; whatever is left out is found out.

    Raises:
        InvalidRequest: the complexity is none.
    """
    task_type, context = brief.get("task_type", ""), _folded(brief.get("context", ""))
    return Hints(
        task=_task(_folded(task_type)),
        complexity=_complexity(brief.get("complexity")),
        context="personal" if context == "personal" else "work" if context == "work" else None,
    )


def brief_request(prompt: str, context: str = "") -> ChatRequest:
    """One message: some models take no second one of the same role, and others no system."""
    is_material = context.strip() and _folded(context) not in CONTEXTS
    text = f"{prompt}\n\nMaterial for this:\n\n{context}" if is_material else prompt
    return ChatRequest("auto", (Message("user", (Text(text),)),))


def _task(words: str) -> Task | None:
    if words in ("", "auto"):
        return None
    name = words.replace(" ", "_")
    if name in TASKS:
        return TASKS[TASKS.index(name)]
    if words in _TASK_OF_WORDS:
        return _TASK_OF_WORDS[words]
    # Of words that tell it nothing the classifier sees only that they are few, or how they end.
    if not any(map(shipped().of_words.__contains__, words.split())):
        return None
    read = classify(words, input_tokens=0)
    return read.task if read.sureness >= SURE_ENOUGH and read.task != "quick" else None


def _complexity(value: object) -> float | None:
    """Some models write a number as text."""
    if value is None:
        return None
    word = value.strip().lower() if isinstance(value, str) else value
    if word in ("", "auto"):
        return None
    if isinstance(word, str) and word in COMPLEXITIES:
        return COMPLEXITIES[word]
    try:
        number = float(word) if isinstance(word, str | int | float) else -1
    except ValueError:
        number = -1
    if isinstance(word, bool) or not 0 <= number <= 1:
        raise InvalidRequest(
            f"complexity is {shown(str(value))!r}; it takes {', '.join(COMPLEXITIES)}, or a "
            "number from 0 to 1"
        )
    return number


def _folded(text: str) -> str:
    return " ".join(text.lower().replace("_", " ").replace("-", " ").split())
