"""What the simple door takes and answers, as models whose JSON schema is published."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, StringConstraints, model_validator

from gateway.endpoints.validated import StrictBody, UserId

_DocumentId = Annotated[str, StringConstraints(min_length=1, max_length=2_000)]


class AskedTool(StrictBody):
    """A function of yours that the model may ask you to call."""

    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
    description: str = ""
    parameters: dict[str, Any] | None = Field(None, description="A JSON Schema of the arguments.")


class Question(StrictBody):
    """What `POST /ask` takes."""

    message: Annotated[str, StringConstraints(min_length=1, max_length=1_000_000)]
    context: Literal["personal", "work"] | None = Field(
        None, description="Which limits and models apply, as the configuration says."
    )
    identity: UserId | None = Field(
        None, description="Who talks: an ID of your own, under which the conversation is kept."
    )
    memory: bool | None = Field(
        None,
        description="Whether what was said before is remembered, and this is kept; by default it "
        "is wherever there is an identity.",
    )
    tools: list[AskedTool] = Field([], max_length=128)
    docs: list[_DocumentId] = Field(
        [], max_length=20, description="IDs of documents, as search lists them, to be read first."
    )
    model: Annotated[str, StringConstraints(min_length=1, max_length=300)] = Field(
        "auto", description="A model's ID, an alias, or `auto`, `auto:coding`, `auto:cheap`."
    )

    @model_validator(mode="after")
    def _memory_is_somebodys(self) -> "Question":
        if self.memory and self.identity is None:
            raise ValueError("memory takes an identity, under which to remember")
        return self

    @property
    def remembered_as(self) -> str | None:
        """The identity whose conversation this is a part of, if it is a part of one."""
        return None if self.memory is False else self.identity


class AnsweredToolCall(BaseModel):
    """`arguments` is an object; where the model wrote no JSON object, it is the text it wrote."""

    id: str
    name: str
    arguments: dict[str, Any] | str


class AnsweredUsage(BaseModel):
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    reasoning_tokens: int


class CitedDocument(BaseModel):
    """A document that the model was given; `as_of` is when its facts were true."""

    id: str
    title: str
    url: str
    as_of: str


class AskAnswer(BaseModel):
    """What `POST /ask` answers; a cost that is not known is null, and never 0."""

    answer: str
    reasoning: str
    tool_calls: list[AnsweredToolCall]
    finish_reason: str
    model: str
    provider: str
    tier: Literal["free", "paid"]
    route_id: str
    request_id: str
    attempts: int
    usage: AnsweredUsage
    cost_usd: float | None
    quota_remaining: int | None
    identity: str | None
    remembered_messages: int
    docs: list[CitedDocument]
