"""Which added lines of a diff define an interface."""

import pytest

from gateway.agents.watchers.git_apis import new_apis
from gateway.agents.watchers.git_diff import LANGUAGES, lines_of


def found(path: str, *changes: str) -> list[str]:
    diff = "\n".join([f"diff --git a/{path} b/{path}", "@@ -1 +1 @@", *changes])
    language = LANGUAGES.get("." + path.rpartition(".")[2], "")
    return [one.name for one in new_apis(lines_of(diff), {path: language} if language else {})]


@pytest.mark.parametrize(
    ("path", "line", "name"),
    [
        ("a.py", '@app.post("/payments")', "POST /payments"),
        ("a.py", "    @router.get('/payments/{id}', name='one')", "GET /payments/{id}"),
        ("a.py", '@pages.route("/cart")', "/cart"),
        ("a.py", '    routes=[Route("/health", health)],', "/health"),
        ("a.js", "app.delete('/payments/:id', remove);", "DELETE /payments/:id"),
        ("a.ts", "router.put(`/payments/${id}`, put);", "PUT /payments/${id}"),
        ("a.go", '\tmux.HandleFunc("POST /payments", pay)', "POST /payments"),
        ("a.go", '\tgroup.GET("/payments", list)', "GET /payments"),
        ("a.java", '  @PostMapping("/payments")', "POST /payments"),
        ("a.kt", '@RequestMapping(value = "/payments")', "/payments"),
        ("a.proto", "  rpc Pay (PayRequest) returns (PayReply);", "rpc Pay"),
    ],
)
def test_a_definition_that_is_added_is_told_by_its_name(path: str, line: str, name: str) -> None:
    assert found(path, f"+{line}") == [name]


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("a.py", 'answer = client.get("/payments")'),
        ("a.py", '# @app.post("/payments")'),
        ("a.js", "await request(app).post('/payments');"),
        ("a.js", "// app.post('/payments', pay);"),
        ("a.js", "const name = app.get('name');"),
        ("a.go", 'http.Get("https://example.org/")'),
        ("a.proto", "message Pay {"),
        ("a.md", '@app.post("/payments")'),
    ],
)
def test_what_calls_or_mentions_one_defines_none(path: str, line: str) -> None:
    assert found(path, f"+{line}") == []


def test_what_was_only_moved_or_was_there_before_is_not_new() -> None:
    old = '@app.post("/payments")'
    assert found("a.py", f"-{old}", '+@app.post("/payments", tags=["pay"])') == []
    assert found("a.py", f" {old}") == []
    assert found("a.py", f"-{old}") == []
    assert found("a.py", f"+{old}", "+++x") == ["POST /payments"]


def test_a_path_that_git_quotes_is_that_file() -> None:
    diff = 'diff --git "a/b\\tc.py" "b/b\\tc.py"\n@@ -0,0 +1 @@\n+a = 1'
    (line,) = lines_of(diff)
    assert line == ("b\\tc.py", True, "a = 1")
