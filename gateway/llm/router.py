"""Which models a request is sent to, in which order, and why: pure, from what is given.

Automatic routes try the free tier first while its quota lasts, then paid models within the
budget, then what `fallback` configures. A model that is asked for by name is never replaced by
another one, unless the configuration says so.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from gateway.caller import LOCAL, Caller
from gateway.errors import NotFound
from gateway.llm.belief import NO_BELIEFS, Beliefs
from gateway.llm.features import Features
from gateway.llm.lineup import Contender, Lineup
from gateway.llm.model import Tier
from gateway.llm.policy import FallbackAction, Policy
from gateway.llm.prompting import NO_EXTRA
from gateway.llm.route import Route
from gateway.llm.scoring import Measured
from gateway.llm.task import Task, band
from gateway.llm.walk import READY, Conditions, Extras, Stage, Walk
from gateway.llm.wanted import Wanted, read_wanted
from gateway.text import shown

TIERS: tuple[Tier, ...] = ("free", "paid")


def choose(
    features: Features,
    lineup: Lineup,
    policy: Policy,
    *,
    caller: Caller = LOCAL,
    conditions: Conditions = lambda _model, _worst: READY,
    extras: Extras = lambda _model: NO_EXTRA,
    measured: Mapping[str, Measured] | None = None,
    beliefs: Beliefs = NO_BELIEFS,
    turn: int = 0,
    explores: bool = False,
) -> Route:
    """Decide; the same arguments give the same route.

    `conditions` is asked about the models that would be tried, best first, until there are
    enough, `extras` what the caller's wording adds for them. `measured` is by model ID, `beliefs`
    tell of their quality. `turn` counts requests, for the strategy `round_robin`. `explores` lets
    an automatic route try a model to learn more of it, where that costs no more.

    Raises:
        NotFound: no model has the name that is wanted; with suggestions.
        InvalidRequest: for `auto:` with an unknown word behind it.
    """
    wanted = read_wanted(features.wanted, policy.aliases)
    asked = replace(
        features,
        task=wanted.task or features.task,
        because=("the caller asked for this task",) if wanted.task else features.because,
        priority=wanted.priority or features.priority,
        context=features.context or policy.default_context,
    )
    walk = Walk(
        asked,
        policy,
        lineup,
        conditions,
        extras,
        caller=caller,
        measured=measured or {},
        beliefs=beliefs,
    )
    stages = _automatic(walk, wanted, turn) if wanted.name is None else _named(walk, wanted.name)
    for stage in stages:
        walk.take(stage)
    walk.take_doubtful()
    if explores and wanted.name is None:
        walk.explore()
    return walk.route()


def _automatic(walk: Walk, wanted: Wanted, turn: int) -> Iterator[Stage]:
    """The stages of an automatic route; each is made once those before it were tried."""
    policy, task = walk.policy, walk.asked.task
    if wanted.tier is None and policy.strategy == "task_based":
        for name in _mapped_models(policy, task, walk.asked.complexity):
            yield from _mapped(walk, name)
    tiers = policy.tier_order if wanted.tier is None else (wanted.tier,)
    if wanted.tier is None and policy.may_pay and walk.asked.priority in {"speed", "quality"}:
        yield _free_and_paid(walk)
        tiers = ()
    for tier in tiers:
        if tier == "free" or _may_follow(walk):
            yield _tier(walk, tier, turn)
    if wanted.tier is None:
        yield from _fallback(walk)


def _mapped_models(policy: Policy, task: Task, complexity: float) -> Sequence[str]:
    """What is mapped to the task at this complexity, such as `coding:high`, or else at any."""
    banded = policy.task_models.get(f"{task}:{band(complexity)}")
    return policy.task_models.get(task, ()) if banded is None else banded


def _unknown(name: str, lineup: Lineup) -> str:
    provider, slash, _ = name.partition("/")
    of_it = any(one.model.provider == provider for one in lineup.contenders)
    why = "" if of_it or not slash else f": no model of {shown(provider)} is known"
    return f"no model is called {shown(name)!r}{why}; GET /v1/models lists those that there are"


def _named(walk: Walk, name: str) -> Iterator[Stage]:
    """The model that is asked for, the same elsewhere, and then only what `fallback` says."""
    policy, lineup = walk.policy, walk.lineup
    asked_for = sorted(lineup.named(name), key=walk.cheapest_first)
    if not asked_for:
        raise NotFound(_unknown(name, lineup), what="model", suggestions=lineup.near(name))
    # Who names a model that is only paid agrees to pay. A free one that turns into a paid one
    # when its quota ends is another matter.
    is_agreed = all(one.tier == "paid" for one in asked_for)
    if is_agreed:
        yield _by_name("asked for by name", asked_for, may_pay=not policy.never_pays)
    else:
        yield from _free_then_paid(walk, "asked for by name", asked_for)
    elsewhere = sorted(_same_elsewhere(lineup, asked_for), key=walk.cheapest_first)
    yield from _free_then_paid(walk, "the same model elsewhere", elsewhere)
    for action in policy.on_quota_exceeded:
        if action.action == "error":
            return
        if action.action == "use_cheaper_model" and action.alternative:
            yield _alternative(walk, action)


def _mapped(walk: Walk, name: str) -> Iterator[Stage]:
    policy, label = walk.policy, f"task_mapping for {walk.asked.task}"
    for tier in TIERS:
        if name == tier:
            contenders, places = _of_tier(walk, tier)
            yield Stage(label, contenders, policy.may_pay, _cap(policy), places=places)
            return
    contenders = sorted(walk.lineup.named(name), key=walk.cheapest_first)
    yield from _free_then_paid(walk, label, contenders)


def _free_then_paid(walk: Walk, label: str, contenders: Sequence[Contender]) -> Iterator[Stage]:
    """What costs money only where it may follow, and within its cap, as on automatic routes."""
    policy = walk.policy
    yield _by_name(label, [one for one in contenders if one.tier == "free"], may_pay=False)
    if _may_follow(walk):
        paid = [one for one in contenders if one.tier == "paid"]
        yield _by_name(label, paid, may_pay=policy.may_pay, cap=_cap(policy))


def _tier(walk: Walk, tier: Tier, turn: int) -> Stage:
    """All that an automatic route may use of one tier."""
    policy = walk.policy
    contenders, places = _of_tier(walk, tier)
    label = "free tier first" if tier == "free" else "paid, within the budget"
    cap = _cap(policy)
    if walk.asked.priority is not None or policy.strategy == "task_based":
        return Stage(label, contenders, policy.may_pay, cap, places=places)
    if policy.strategy == "least_cost":
        return Stage(f"{label}, least cost", contenders, policy.may_pay, cap, by_cost=True)
    return Stage(f"{label}, in turn", contenders, policy.may_pay, cap, places=places, turn=turn)


def _free_and_paid(walk: Walk) -> Stage:
    """Both tiers side by side: this request itself asks for speed or quality."""
    contenders, places = _of_both(walk)
    label = f"best score, for {walk.asked.priority} was asked for"
    return Stage(label, contenders, True, _cap(walk.policy), places=places)


def _fallback(walk: Walk) -> Iterator[Stage]:
    """What is configured for a quota that is used up, in that order."""
    for action in walk.policy.on_quota_exceeded:
        if action.action == "error":
            return
        if action.action == "use_cheaper_model":
            yield _alternative(walk, action)


def _alternative(walk: Walk, action: FallbackAction) -> Stage:
    if action.alternative:
        contenders = walk.lineup.named(action.alternative)
    else:
        contenders, _ = _of_both(walk)
    return Stage("fallback to a cheaper model", contenders, walk.policy.may_pay, by_cost=True)


def _may_follow(walk: Walk) -> bool:
    """Whether paid models may stand in for free ones whose quota is used up."""
    actions = walk.policy.on_quota_exceeded
    return not (actions and walk.shortages and walk.policy.action("use_paid") is None)


def _of_tier(walk: Walk, tier: Tier) -> tuple[Sequence[Contender], Mapping[Contender, int]]:
    """Models of a tier that automatic routes may use, and their places if they are listed.

    A model counts by what it costs, whichever list it stands in.
    """
    policy = walk.policy
    if not policy.listed(tier):
        return walk.lineup.of_tier[tier], {}
    listed = [
        one
        for name in (*policy.free_models, *policy.paid_models)
        for one in walk.lineup.named(name)
        if one.tier == tier
    ]
    places: dict[Contender, int] = {}
    for one in listed:
        places.setdefault(one, len(places))
    return list(places), places


def _of_both(walk: Walk) -> tuple[Sequence[Contender], Mapping[Contender, int]]:
    free, free_places = _of_tier(walk, "free")
    paid, paid_places = _of_tier(walk, "paid")
    if not (free_places or paid_places):
        return walk.lineup.both_tiers, {}
    return [*free, *paid], {**free_places, **paid_places}


def _same_elsewhere(lineup: Lineup, asked_for: Sequence[Contender]) -> list[Contender]:
    return [one for one in lineup.same(asked_for[0]) if one not in asked_for]


def _cap(policy: Policy) -> int | None:
    """What one call may cost at most where nobody named the model."""
    action = policy.action("use_paid")
    return action.max_cost_microusd if action else None


def _by_name(
    label: str, contenders: Sequence[Contender], *, may_pay: bool, cap: int | None = None
) -> Stage:
    return Stage(
        label, contenders, may_pay, cap, most_of_one_provider=None, in_order=True, is_named=True
    )
