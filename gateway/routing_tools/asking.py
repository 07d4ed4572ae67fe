"""What somebody asks of the router in a few words, as the features that it decides by."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, get_args

from gateway.llm.brief import COMPLEXITY_SCHEMA, brief_hints, brief_request
from gateway.llm.features import LEAST_OUTPUT_TOKENS, Features, Needs, features
from gateway.llm.policy import Policy, Priority
from gateway.llm.task import TASKS, classify

MOST_TASK_CHARACTERS = 20_000
MOST_TOKENS = 10_000_000
# Fewer words than these name a kind of task; more of them say what is to be done.
NAMING_WORDS = 3

CONTEXT_LENGTH_SCHEMA: Mapping[str, Any] = {
    "type": "integer",
    "minimum": 0,
    "maximum": MOST_TOKENS,
    "description": "How many tokens the whole input has, or may have.",
}
OUTPUT_LENGTH_SCHEMA: Mapping[str, Any] = {
    "type": "integer",
    "minimum": 1,
    "maximum": MOST_TOKENS,
    "description": "How many tokens the answer will have; a usual length, if it is left out.",
}
ROUTE_ARGUMENTS: Mapping[str, Any] = {
    "task": {
        "type": "string",
        "minLength": 1,
        "maxLength": MOST_TASK_CHARACTERS,
        "description": (
            "What is to be done, in plain words or as the prompt itself; or only its kind: "
            f"{', '.join(TASKS)}."
        ),
    },
    "context_length": CONTEXT_LENGTH_SCHEMA,
    "expected_output_length": OUTPUT_LENGTH_SCHEMA,
    "complexity": COMPLEXITY_SCHEMA,
    "priority": {
        "type": "string",
        "enum": list(get_args(Priority)),
        "description": "What matters most; the gateway's usual priority, if it is left out.",
    },
}


def asked_features(arguments: Mapping[str, Any], policy: Policy) -> Features:
    """Of the arguments of `route_task`, which fit their schema.

    Raises:
        InvalidRequest: the complexity is none.
    """
    task, input_tokens = arguments["task"], int(arguments["context_length"])
    output = arguments.get("expected_output_length")
    output_tokens = None if output is None else int(output)
    is_name = len(task.split()) <= NAMING_WORDS
    hints = brief_hints({**arguments, "task_type": task if is_name else ""})
    asked = features(
        brief_request(task), priority=arguments.get("priority"), output_tokens=output_tokens
    )
    # The text is only a part of the input, whose size may say the task too.
    read = classify(task, input_tokens=input_tokens)
    said = [
        f"{name} was given by the caller"
        for name, value in (("task", hints.task), ("complexity", hints.complexity))
        if value is not None
    ]
    return replace(
        asked,
        task=hints.task or read.task,
        complexity=read.complexity if hints.complexity is None else hints.complexity,
        # The name of a task does not tell how hard it is.
        strength=None if hints.task else asked.strength,
        because=tuple(said) if hints.task else (*said, *read.because),
        input_tokens=input_tokens,
        most_input_tokens=input_tokens,
        most_output_tokens=_more_than_usual(output_tokens, policy),
        needs=Needs(context_tokens=input_tokens + (output_tokens or LEAST_OUTPUT_TOKENS)),
    )


def _more_than_usual(output_tokens: int | None, policy: Policy) -> int | None:
    """An answer is bounded as usual, unless a longer one is expected."""
    if output_tokens is None or output_tokens <= policy.max_output_tokens:
        return None
    return output_tokens
