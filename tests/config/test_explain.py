import subprocess
import sys
from pathlib import Path

from gateway.config.explain import explain
from gateway.config.settings import load
from gateway.keys import hashed
from tests.config.written import written

ROOT = Path(__file__).parents[2]
KEY = "gw_s3cret0123456789"
OTHER = "gw_s3cret9876543210"


def explained(file: Path | None = None, **environment: str) -> str:
    return "\n".join(explain(load(file, environment=environment)))


def test_without_settings_it_says_what_to_set() -> None:
    said = explained(MCP_DATABASE_DIR="/var/lib/gateway")
    assert "no model provider is configured: set NANOGPT_API_KEY (or OPENROUTER_API_KEY" in said
    assert "or try gateway serve --demo-llm" in said
    assert "automatic routes may pay: no; set GATEWAY_MONTHLY_BUDGET_USD" in said
    assert "without a key: everything, for only this machine reaches the gateway" in said
    assert "database sqlite:////var/lib/gateway/gateway.db: usage is kept for ever" in said
    assert said.endswith("the settings are valid")


def test_everything_is_explained_and_no_secret_is_shown(tmp_path: Path) -> None:
    text = f"""
models_file: {ROOT}/infra/config/models.yaml
aliases: {{quick: auto:quick}}
database_url: ${{GATEWAY_DATABASE_URL}}
retention_days: 400
limits: [{{name: each, quota_requests: 5, window: day, per: [caller], where: {{model: "a/*"}}}}]
callers: [{{name: alice, key_sha256: "{hashed(OTHER)}", models: ["*:free"]}}]
providers: [{{kind: ollama}}, {{kind: vertex, project: p, credentials_file: metadata}}]
"""
    said = explained(
        written(tmp_path, text),
        NANOGPT_API_KEY="s3cret",
        OPENAI_API_KEY="s3cret",
        OPENAI_BASE_URL="http://127.0.0.1:9/v1",
        GATEWAY_API_KEYS=f"me={KEY}",
        GATEWAY_DATABASE_URL="postgresql://me:s3cret@db.example/gateway?password=s3cret",
        GATEWAY_MONTHLY_BUDGET_USD="20",
        COST_ALERT_THRESHOLD="7.5",
        MAX_PARALLEL_TASKS="8",
        LLM_PROVIDER="nanogpt",
    )
    for line in (
        "caller alice: models *:free, tools *",
        "owner me: models *, tools *",
        "without a key: public documents, and no model",
        "provider nanogpt at https://nano-gpt.com/api/v1: key is set",
        "provider openai at http://127.0.0.1:9/v1: key is set",
        "provider ollama at http://127.0.0.1:11434: no key, and none is needed",
        "only provider nanogpt is used",
        "routing: task_based, priority cost, free before paid",
        "task coding:low: nanogpt/qwen/qwen3-coder",
        "alias quick: auto:quick",
        "when a quota is used up: pay at most $0.05 for a call",
        "when no answer comes: next_model, then larger_context, then cheaper, then local",
        "automatic routes may pay: yes, at most $20.00 in a month (monthly-budget) and at most "
        "$20.00 in any 30 days (paid-budget)",
        "quota each: at most 5 requests in a day, model a/*, for each caller",
        "budget cost-alert: at most $7.50 in a month; it only alerts",
        "quota nanogpt-requests: at most 60,000 requests in any 30 days, tier free, provider "
        "nanogpt",
        "alerts at 50 %, 80 %, 100 % of each",
        "database postgresql://me:***@db.example/gateway: usage is kept 400 days",
        "at most 8 completions run at once",
        "bundled market provider, exchange: simulated",
    ):
        assert line in said.splitlines()
    assert "s3cret" not in said
    assert hashed(KEY) not in said
    assert hashed(OTHER) not in said


def test_it_says_which_requests_may_get_a_degraded_answer(tmp_path: Path) -> None:
    text = "models: {fallback: {strategies: [next_model, degraded], degraded: {work: true}}}"
    said = explained(written(tmp_path, text)).splitlines()
    assert "when no answer comes: next_model, then degraded" in said
    what = "degraded answers, with a warning: for personal requests, work too; not where a model is"
    assert f"{what} named" in said
    none = explained(written(tmp_path, "models: {fallback: {strategies: []}}")).splitlines()
    assert "when no answer comes: its error" in none


def test_the_command_explains_and_a_mistake_has_its_own_exit_code(tmp_path: Path) -> None:
    models = written(tmp_path, "tiers: {paid: {budget_limit: 3}}", "models.yaml")
    environment = {"GATEWAY_MODELS": str(models), "HOME": str(tmp_path)}

    def checked() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "gateway", "check"],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    good = checked()
    assert (good.returncode, good.stderr) == (0, "")
    assert "automatic routes may pay: yes, at most $3.00 in any 30 days" in good.stdout
    written(tmp_path, "tiers: {paid: {budget: 3}}", "models.yaml")
    bad = checked()
    assert (bad.returncode, bad.stdout) == (78, "")
    said = "gateway: models.yaml: tiers.paid.budget: unknown key; it takes priority, quota, "
    assert bad.stderr.startswith(said)
