"""How the routing tools introduce themselves: names, descriptions, arguments, effects."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from gateway.llm.tool_frame import arguments_schema
from gateway.routing_tools.answers import (
    CHOICE_SCHEMA,
    CLEARED_SCHEMA,
    COSTS_SCHEMA,
    FREE_MODELS_SCHEMA,
    STRATEGY_SCHEMA,
)
from gateway.routing_tools.asking import (
    CONTEXT_LENGTH_SCHEMA,
    OUTPUT_LENGTH_SCHEMA,
    ROUTE_ARGUMENTS,
)
from gateway.strategies import MOST_CHARACTERS
from gateway.tools.tool import Answer, Arguments, Effect, Tool

MOST_NAME_CHARACTERS = 300
# Lists of providers have a minute to come.
DEADLINE_SECONDS = 70.0

Call = Callable[[Arguments], Awaitable[Answer]]


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutingCalls:
    """What is called behind each tool."""

    route: Call
    preemptive: Call
    costs: Call
    free_models: Call
    clear: Call
    strategy: Call


def listed(calls: RoutingCalls, *, is_owner: bool) -> tuple[Tool, ...]:
    """In the order in which they are shown; the last is for owners only."""
    tools = (
        _route(calls),
        _preemptive(calls),
        _costs(calls),
        _free_models(calls),
        _strategy(calls),
    )
    return (*tools, _clear(calls)) if is_owner else tools


def _route(calls: RoutingCalls) -> Tool:
    preemptive = {
        "type": "boolean",
        "description": "Decide from memory alone, as preemptive_route_task does.",
    }
    return Tool(
        name="route_task",
        title="Route a task",
        description=(
            "Use this when the user asks where a task should be sent: which model would answer it "
            "now, at what cost, and why. It calls no model and costs nothing. It tells the task, "
            "how hard it is and by which words, the alternatives in their order with their costs, "
            "and what the choice saves."
        ),
        input_schema=arguments_schema(
            {**ROUTE_ARGUMENTS, "preemptive": preemptive}, required=("task", "context_length")
        ),
        output_schema=CHOICE_SCHEMA,
        call=calls.route,
    )


def _preemptive(calls: RoutingCalls) -> Tool:
    return Tool(
        name="preemptive_route_task",
        title="Route a task quickly",
        description=(
            "Use this when a choice of model is needed at once, such as before each of many "
            "tasks. It decides from the words of the task and the catalog alone, without network "
            "or database, and says how sure it is and what it did not look at: quotas, budgets, "
            "and how the models are doing. For those, use route_task."
        ),
        input_schema=arguments_schema(ROUTE_ARGUMENTS, required=("task", "context_length")),
        output_schema=CHOICE_SCHEMA,
        call=calls.preemptive,
    )


def _costs(calls: RoutingCalls) -> Tool:
    model = {
        "type": "string",
        "maxLength": MOST_NAME_CHARACTERS,
        "description": "A model's ID or name; all that the user may call, if it is left out.",
    }
    return Tool(
        name="get_cost_estimate",
        title="Estimate a cost",
        description=(
            "Use this when the user asks what a call would cost, by the tokens of its input and "
            "output: for one model, or for all of them with the cheapest first. It tells input, "
            "output and cached input apart, takes the prices that hold for so many tokens, and "
            "says of which day they are. A price that no list tells is null, never 0."
        ),
        input_schema=arguments_schema(
            {
                "context_length": CONTEXT_LENGTH_SCHEMA,
                "expected_output_length": OUTPUT_LENGTH_SCHEMA,
                "model": model,
            },
            required=("context_length",),
        ),
        output_schema=COSTS_SCHEMA,
        call=calls.costs,
    )


def _free_models(calls: RoutingCalls) -> Tool:
    refresh = {
        "type": "boolean",
        "description": "Ask the providers for their lists first; at most once a minute.",
    }
    return Tool(
        name="get_free_models",
        title="List free models",
        description=(
            "Use this when the user asks which models cost nothing: those priced at 0, included "
            "in a subscription, or running at home, with their context, abilities, and what is "
            "left of their quota. Lists of OpenRouter and NanoGPT that are of another day are "
            "asked for anew; it says what came and what did not."
        ),
        input_schema=arguments_schema({"refresh": refresh}),
        output_schema=FREE_MODELS_SCHEMA,
        call=calls.free_models,
        is_open_world=True,
        deadline_seconds=DEADLINE_SECONDS,
    )


def _clear(calls: RoutingCalls) -> Tool:
    return Tool(
        name="clear_openrouter_tracking",
        title="Forget OpenRouter's models",
        description=(
            "Use this only when the user wants the gateway to forget what it kept and measured of "
            "OpenRouter's models: the kept list, how fast and how good they were. The list is "
            "asked for anew at once; the measurements do not come back."
        ),
        input_schema=arguments_schema({}),
        output_schema=CLEARED_SCHEMA,
        call=calls.clear,
        # Lists come again, but what benchmarks and thumbs told is gone.
        effect=Effect.DESTROY,
        is_open_world=True,
        deadline_seconds=DEADLINE_SECONDS,
    )


def _strategy(calls: RoutingCalls) -> Tool:
    text = {"type": "string", "maxLength": MOST_CHARACTERS}
    return Tool(
        name="set_model_prompting_strategy",
        title="Set how a model is asked",
        description=(
            "Use this when the user wants their messages to one model worded in a certain way: "
            "every later call of theirs to it is. It replaces what was set before as a whole; "
            "with the model alone, it removes it. The answer shows how a conversation will read."
        ),
        input_schema=arguments_schema(
            {
                "model_id": {
                    "type": "string",
                    "minLength": 1,
                    "maxLength": MOST_NAME_CHARACTERS,
                    "description": "The model, such as openrouter/qwen/qwen3-coder:free.",
                },
                "system_prompt": {
                    **text,
                    "description": "What the model is told first, before the user's own prompt.",
                },
                "user_template": {
                    **text,
                    "description": (
                        "What stands around each message of the user, which is {prompt}; {system} "
                        "puts the system's text there. Other braces are written twice."
                    ),
                },
                "assistant_template": {
                    **text,
                    "description": (
                        "What stands before each earlier answer, or around it where it is "
                        "{response}."
                    ),
                },
                "use_chat_format": {
                    "type": "boolean",
                    "description": (
                        "False sends the conversation as one message, unless it holds calls of "
                        "tools; true, if it is left out."
                    ),
                },
            },
            required=("model_id",),
        ),
        output_schema=STRATEGY_SCHEMA,
        call=calls.strategy,
        effect=Effect.WRITE,
    )
