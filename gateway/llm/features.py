"""What the router looks at in a request: its task, its size, and what a model must be able to."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from gateway.llm.messages import ChatRequest, Image, Message, Other, Part
from gateway.llm.policy import Context, Priority
from gateway.llm.strength import needed_score
from gateway.llm.task import Task, classify
from gateway.llm.tokens import most_tokens, request_tokens

# What an answer needs at the least, where the caller does not say more.
LEAST_OUTPUT_TOKENS = 256
# A message of fewer words, such as "go on", says its task only with the one before it.
TELLING_WORDS = 4
# A usual question is one where a weak model fails alone about once in four times.
STRENGTH_SCALE = 1.5
_AUDIO = frozenset({"input_audio", "audio"})


@dataclass(frozen=True, slots=True)
class Needs:
    """What a model must be able to; `context_tokens` holds the input and the least output."""

    tools: bool = False
    vision: bool = False
    json_schema: bool = False
    audio: bool = False
    context_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Features:
    """A request, as the router sees it; token counts are guesses unless they are called most.

    `wanted` is the model that the request names. `strength` is how likely a weak model fails where
    a strong one does not; None where nobody knows the text. `priority` is None unless this request
    asks for one. `output_tokens` is what to expect, `most_output_tokens` what the caller allows;
    None is not known.
    """

    wanted: str = "auto"
    task: Task = "general"
    complexity: float = 0.0
    strength: float | None = None
    because: Sequence[str] = ()
    input_tokens: int = 0
    most_input_tokens: int = 0
    output_tokens: int | None = None
    most_output_tokens: int | None = None
    choices: int = 1
    needs: Needs = field(default_factory=Needs)
    context: Context | None = None
    priority: Priority | None = None

    @property
    def demand(self) -> float:
        """How strong a model it takes, from 0 (any will do) to 1 (few will)."""
        if self.strength is None:
            return self.complexity
        return (self.complexity + self.strength) / 2


def features(
    request: ChatRequest,
    *,
    task: Task | None = None,
    complexity: float | None = None,
    context: Context | None = None,
    priority: Priority | None = None,
    output_tokens: int | None = None,
) -> Features:
    """Read a request; what the caller says itself (the keywords) wins over what is guessed."""
    input_tokens = request_tokens(request)
    text = telling_text(request.messages)
    guessed = classify(text, input_tokens=input_tokens)
    strength = STRENGTH_SCALE * needed_score(text) if complexity is None else complexity
    said = tuple(
        f"{name} was given by the caller"
        for name, value in (("task", task), ("complexity", complexity))
        if value is not None
    )
    return Features(
        wanted=request.model,
        task=task or guessed.task,
        complexity=guessed.complexity if complexity is None else min(max(complexity, 0.0), 1.0),
        strength=min(strength, 1.0),
        because=_reasons(said, guessed.because),
        input_tokens=input_tokens,
        most_input_tokens=most_tokens(request),
        output_tokens=guessed.output_tokens if output_tokens is None else output_tokens,
        most_output_tokens=request.max_output_tokens,
        choices=request.choices,
        needs=needs(request, input_tokens=input_tokens),
        context=context,
        priority=priority,
    )


def _reasons(said: tuple[str, ...], guessed: Sequence[str]) -> Sequence[str]:
    """What was guessed alone is not read before somebody wants to know it."""
    if not said:
        return guessed
    return said if len(said) == 2 else (*said, *guessed)


def needs(request: ChatRequest, *, input_tokens: int) -> Needs:
    parts = [part for message in request.messages for part in message.parts]
    output = request.max_output_tokens
    return Needs(
        tools=bool(request.tools or request.other_tools),
        vision=any(isinstance(part, Image) for part in parts),
        json_schema=request.answer_format is not None
        and request.answer_format.kind == "json_schema",
        audio=any(_kind(part) in _AUDIO for part in parts),
        context_tokens=input_tokens + (LEAST_OUTPUT_TOKENS if output is None else output),
    )


def telling_text(messages: Sequence[Message]) -> str:
    """What says the task: what the user wrote last, and before it what gives that a sense."""
    written = [message.text for message in messages if message.role == "user"]
    if not written:
        return messages[-1].text if messages else ""
    last = written[-1]
    is_short = len(last) < 40 and len(last.split()) < TELLING_WORDS
    return f"{written[-2]}\n{last}" if is_short and len(written) > 1 else last


def _kind(part: Part) -> str | None:
    return part.raw.get("type") if isinstance(part, Other) else None
