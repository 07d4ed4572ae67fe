"""Request bodies read by strict models, and everything that is wrong with one answered at once."""

from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, StringConstraints, TypeAdapter, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gateway.endpoints.problems import in_our_terms, problem
from gateway.errors import Unauthenticated
from gateway.text import shown

# Nobody mends more at once, and a body may be wrong in a million places.
MOST_WRONG = 50

Handler = Callable[[Request], Awaitable[Response]]
Body = TypeVar("Body", bound="StrictBody")

UserId = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9._@+-]{1,128}$"),
]
_user_id = TypeAdapter(dict[str, UserId])


class StrictBody(BaseModel):
    """Unknown keys and values of another type are mistakes, not guesses."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


async def read_body(request: Request, model: type[Body]) -> Body:
    """The body as a model.

    Raises:
        ValidationError: it is no JSON, or not what the model takes.
    """
    return model.model_validate_json(await request.body())


def user_id_of(request: Request) -> str:
    """The user ID in the path.

    Raises:
        ValidationError: it is not made as one.
    """
    given = {"user_id": request.path_params["user_id"]}
    return _user_id.validate_python(given, strict=True)["user_id"]


def answering_problems(handler: Handler) -> Handler:
    """The handler; what it raises is answered as a problem, and wrong input as 422 with a list."""

    async def answer(request: Request) -> Response:
        try:
            return await handler(request)
        except ValidationError as error:
            return _unprocessable(error)
        except Exception as error:
            # Whatever it is, the caller gets an answer; the log gets what nobody expected.
            return problem_answer(error)

    return answer


def problem_answer(error: Exception) -> Response:
    ours = in_our_terms(error)
    status, body, headers = problem(ours)
    if isinstance(ours, Unauthenticated):
        headers = {**headers, "www-authenticate": "Bearer"}
    return JSONResponse(body, status, headers)


def _unprocessable(error: ValidationError) -> Response:
    """What is wrong and where, without what was sent."""
    errors = error.errors(include_url=False, include_input=False, include_context=False)
    wrong = [
        {"at": shown(".".join(map(str, one["loc"])) or "body"), "wrong": one["msg"]}
        for one in errors[:MOST_WRONG]
    ]
    body = {
        "type": "urn:gateway:problem:invalid_request",
        "code": "invalid_request",
        "title": "Unprocessable Content",
        "status": 422,
        "detail": "; ".join(f"{one['at']}: {one['wrong']}" for one in wrong[:3]),
        "errors": wrong,
    }
    headers = {"content-type": "application/problem+json", "cache-control": "no-store"}
    return JSONResponse(body, 422, headers)
