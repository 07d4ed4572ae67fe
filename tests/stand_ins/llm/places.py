"""Where each kind of provider is spoken to, and where it wants its key."""

_VERTEX = "/v1/projects/p/locations/global/endpoints/openapi"

# What a user configures as the base URL, without the host.
BASE_PATHS = {
    "nanogpt": "/api/v1",
    "openrouter": "/api/v1",
    "openai": "/v1",
    "azure": "/openai/v1",
    "vertex": _VERTEX,
    "lmstudio": "/v1",
    "ollama": "",
    "anthropic": "",
    "demo": "/v1",
}
CHAT_PATHS = {
    "nanogpt": ("/api/v1/chat/completions", "/api/subscription/v1/chat/completions"),
    "openrouter": ("/api/v1/chat/completions",),
    "openai": ("/v1/chat/completions",),
    "azure": ("/openai/v1/chat/completions",),
    "vertex": (f"{_VERTEX}/chat/completions",),
    "lmstudio": ("/v1/chat/completions",),
    "ollama": ("/api/chat", "/v1/chat/completions"),
    "anthropic": ("/v1/messages",),
    "demo": ("/v1/chat/completions",),
}
# Where the two speak it who have the Responses API beside it.
RESPONSES_PATHS = {"openai": ("/v1/responses",), "azure": ("/openai/v1/responses",)}
KEY_HEADERS = dict.fromkeys(BASE_PATHS, "authorization") | {
    "azure": "api-key",
    "anthropic": "x-api-key",
}
