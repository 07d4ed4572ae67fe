"""What to tell a caller whom no model can serve now: which limit, until when, at what cost."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from gateway.llm.features import Features
from gateway.llm.lineup import Contender
from gateway.llm.policy import Policy
from gateway.llm.route import Refusal, Why
from gateway.llm.screening import LeftOut
from gateway.usage.limit import Shortage, dollars

# The reason that is nearest to success is the one to tell.
NEAREST_FIRST: tuple[Why, ...] = (
    "limit",
    "cooling",
    "max_cost",
    "unpaid",
    "price",
    "permission",
    "context",
    "tools",
    "vision",
    "audio",
    "json_schema",
    "text",
    "provider",
)
LACKS: Mapping[Why, str] = {
    "text": "that answers in text",
    "tools": "that takes tools",
    "vision": "that reads images",
    "audio": "that hears audio",
    "json_schema": "that keeps to a JSON schema",
}
WAIT_SECONDS = 60.0
MOST_LIMITS = 3


def refusal(
    left_out: LeftOut,
    *,
    asked: Features,
    policy: Policy,
    shortages: Sequence[Shortage],
    cooling_seconds: Sequence[float],
    offer: tuple[Contender, int | None, int | None] | None,
) -> Refusal:
    """`offer` is the cheapest model that could be paid for, with its expected and worst cost."""
    why = next((one for one in NEAREST_FIRST if left_out.counts[one]), None)
    advice = f". {_cost(offer)}{_way(policy, left_out)}" if offer else ""
    if why == "limit":
        first = min(shortages, key=_soonest)
        error = policy.action("error")
        own = f"{error.message.rstrip('.')}: " if error and error.message else ""
        message = f"{own}{_all_of(shortages)}{advice}"
        return Refusal(why, message, first)
    if why == "cooling":
        seconds = min(cooling_seconds)
        message = f"Every model that fits rests after failures; try again in {seconds:.0f} s"
        return Refusal(why, f"{message}{advice}", wait_seconds=seconds)
    return Refusal(why, _message(why, asked, policy) + advice, wait_seconds=WAIT_SECONDS)


def _message(why: Why | None, asked: Features, policy: Policy) -> str:
    match why:
        case None:
            return "No model can be called: no provider offers one; set a provider's API key"
        case "max_cost":
            return "No free model fits now, and a paid one may cost more than max_cost"
        case "unpaid" if policy.never_pays:
            return "Only paid models fit, and this call may cost nothing"
        case "unpaid":
            return "Only paid models fit, and an automatic route never pays without a budget"
        case "price":
            return (
                f"The price of {_named(asked)} is not known, so no budget could be kept; "
                "set it in models.yaml, or unknown_price: allow"
            )
        case "permission":
            return f"This caller may not use {_named(asked)}"
        case "context":
            tokens = f"{asked.needs.context_tokens:,}"
            return f"About {tokens} tokens of context are needed; {_named(asked)} holds fewer"
        case "provider":
            return f"LLM_PROVIDER leaves only {policy.forced_provider}, which has no such model"
    return f"No model fits {LACKS[why]}" if _is_auto(asked) else _named_lacks(asked, why)


def _named_lacks(asked: Features, why: Why) -> str:
    return f"{asked.wanted} is not a model {LACKS[why]}, says the catalog; models.yaml may correct"


def _is_auto(asked: Features) -> bool:
    return asked.wanted.lower().split(":")[0] in {"", "auto"}


def _named(asked: Features) -> str:
    return "any model that fits" if _is_auto(asked) else asked.wanted


def _cost(offer: tuple[Contender, int | None, int | None]) -> str:
    one, expected, worst = offer
    about = "an unknown sum" if expected is None else dollars(expected)
    most = "an unknown sum" if worst is None else dollars(worst)
    return f"{one.model.id} would cost about {about}, at most {most}"


def _way(policy: Policy, left_out: LeftOut) -> str:
    if policy.may_pay or policy.never_pays or not left_out.counts["unpaid"]:
        return ""
    return "; to allow it, set a budget (GATEWAY_MONTHLY_BUDGET_USD) or name the model"


def _all_of(shortages: Sequence[Shortage]) -> str:
    """Each limit once: with the free quota the budget may be used up too."""
    by_limit: dict[str, Shortage] = {}
    for one in sorted(shortages, key=_soonest):
        by_limit.setdefault(one.limit.name, one)
    return "; and ".join(str(one) for one in list(by_limit.values())[:MOST_LIMITS])


def _soonest(shortage: Shortage) -> tuple[bool, datetime]:
    """What is only held may be given back at any moment."""
    return not shortage.is_only_held, shortage.resets_at
