"""How many input tokens a request has, for whoever asks before sending it; a best guess."""

import json

from gateway.llm.messages import ChatRequest, Other
from gateway.llm.tokens import MOST_OTHER_TOKENS, estimated_tokens, request_tokens


def counted_tokens(request: ChatRequest) -> int:
    """What the router guesses, and what it leaves out because it hardly changes a route."""
    described = sum(estimated_tokens(tool.description) for tool in request.tools)
    thought = sum(
        estimated_tokens(block.text) for one in request.messages for block in one.reasoning
    )
    others = sum(
        min(estimated_tokens(json.dumps(part.raw, default=str)), MOST_OTHER_TOKENS)
        for one in request.messages
        for part in one.parts
        if isinstance(part, Other)
    )
    return request_tokens(request) + described + thought + others
