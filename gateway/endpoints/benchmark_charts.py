"""Charts of benchmarks as SVG that a page holds: they need no JavaScript and no picture."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from gateway.text import displayable

WIDTH, HEIGHT = 640, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 20, 16, 46
_PLOT_WIDTH, _PLOT_HEIGHT = WIDTH - _LEFT - _RIGHT, HEIGHT - _TOP - _BOTTOM
_QUALITIES = (0.0, 0.25, 0.5, 0.75, 1.0)
_TICKS = 4
_ROUND = (1, 2, 2.5, 5, 10)
_INSET = 16
_LABEL_HEIGHT = 12
_RADIUS = 9
# Lines are told apart without colours too.
_DASHES = ("", "7 4", "2 4", "10 3 2 3", "1 3")
_INKS = ("var(--accent)", "var(--ink)", "var(--warn)", "var(--soft)")


@dataclass(frozen=True, slots=True)
class Point:
    """`number` is the model's in the table beside the chart; low and high are how sure it is."""

    number: int
    name: str
    x: float
    quality: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Series:
    """The quality of one model over several runs, by the number of the run."""

    number: int
    name: str
    points: Sequence[tuple[int, float]]


def scatter(chart_id: str, points: Sequence[Point], *, title: str, unit: str) -> Markup:
    """Quality upwards, and what it takes to the right; a line through each point is its bounds."""
    ticks = _round_ticks(max((point.x for point in points), default=0.0))

    def across(x: float) -> float:
        return _LEFT + _INSET + (_PLOT_WIDTH - 2 * _INSET) * x / ticks[-1]

    told = "; ".join(
        f"{point.number}, {point.name}: quality {point.quality:.2f}, {_number(point.x)} {unit}"
        for point in points
    )
    marks = [_mark(point, x) for point, x in _side_by_side(points, across)]
    labels = [(across(tick), _number(tick)) for tick in ticks]
    return _chart(chart_id, title, told, [_frame(labels, unit), *marks])


def over_time(
    chart_id: str, series: Sequence[Series], days: Sequence[str], *, title: str
) -> Markup:
    """Quality upwards, and runs to the right, the oldest first."""
    span = max(len(days) - 1, 1)

    def across(place: int) -> float:
        return _LEFT + _INSET + (_PLOT_WIDTH - 2 * _INSET) * place / span

    told = "; ".join(
        f"{one.number}, {one.name}: "
        + ", ".join(f"{days[place]} {quality:.2f}" for place, quality in one.points)
        for one in series
    )
    shown = {round(step * (len(days) - 1) / _TICKS) for step in range(_TICKS + 1)} if days else ()
    ticks = [(across(place), days[place]) for place in sorted(shown)]
    heights = _apart([_height(one.points[-1][1]) for one in series])
    lines = [
        _line(one, place, [(across(run), quality) for run, quality in one.points], label=label)
        for place, (one, label) in enumerate(zip(series, heights, strict=True))
    ]
    return _chart(chart_id, title, told, [_frame(ticks, "the day of the run"), *lines])


def _chart(chart_id: str, title: str, told: str, parts: Sequence[Markup]) -> Markup:
    return Markup(
        '<svg viewBox="0 0 {} {}" width="100%" role="img" font-size="12" font-family="inherit" '
        'aria-labelledby="{id}-title {id}-desc">'
        '<title id="{id}-title">{}</title><desc id="{id}-desc">{}</desc>{}</svg>'
    ).format(WIDTH, HEIGHT, title, displayable(told), Markup("").join(parts), id=chart_id)


def _frame(ticks: Sequence[tuple[float, str]], unit: str) -> Markup:
    lines = [
        Markup(
            '<line x1="{}" x2="{}" y1="{y:.1f}" y2="{y:.1f}" stroke="var(--line)"/>'
            '<text x="{}" y="{label:.1f}" text-anchor="end" fill="var(--soft)">{}</text>'
        ).format(
            _LEFT, WIDTH - _RIGHT, _LEFT - 8, f"{value:g}", y=_height(value),
            label=_height(value) + 4,
        )
        for value in _QUALITIES
    ]  # fmt: skip
    below = HEIGHT - _BOTTOM + 18
    labels = [
        Markup('<text x="{:.1f}" y="{}" text-anchor="middle" fill="var(--soft)">{}</text>').format(
            x, below, label
        )
        for x, label in ticks
    ]
    axis = Markup('<text x="{}" y="{}" text-anchor="middle" fill="var(--soft)">{}</text>').format(
        _LEFT + _PLOT_WIDTH / 2, HEIGHT - 8, unit
    )
    return Markup("").join([*lines, *labels, axis])


def _mark(point: Point, x: float) -> Markup:
    y = _height(point.quality)
    return Markup(
        "<g><title>{}</title>"
        '<line x1="{x:.1f}" x2="{x:.1f}" y1="{:.1f}" y2="{:.1f}" stroke="var(--accent)" '
        'stroke-width="2" opacity="0.45"/>'
        '<circle cx="{x:.1f}" cy="{y:.1f}" r="{}" fill="var(--accent)"/>'
        '<text x="{x:.1f}" y="{label:.1f}" text-anchor="middle" fill="var(--sheet)" '
        'font-weight="700" font-size="11">{}</text></g>'
    ).format(
        displayable(point.name), _height(point.low), _height(point.high), _RADIUS, point.number,
        x=x, y=y, label=y + 4,
    )  # fmt: skip


def _side_by_side(
    points: Sequence[Point], across: Callable[[float], float]
) -> Sequence[tuple[Point, float]]:
    """Marks that would lie on each other, such as those of all that is free, stand apart."""
    placed: list[tuple[Point, float]] = []
    for point in points:
        x = across(point.x)
        while any(
            abs(x - other_x) < 2 * _RADIUS
            and abs(_height(point.quality) - _height(other.quality)) < 2 * _RADIUS
            for other, other_x in placed
        ):
            x += 2 * _RADIUS + 2
        placed.append((point, x))
    return placed


def _apart(heights: Sequence[float]) -> Sequence[float]:
    """The same heights, moved down as far as labels there need to be read."""
    moved: dict[int, float] = {}
    lowest = -math.inf
    for place in sorted(range(len(heights)), key=heights.__getitem__):
        lowest = moved[place] = max(heights[place], lowest + _LABEL_HEIGHT)
    return [moved[place] for place in range(len(heights))]


def _line(
    series: Series, place: int, points: Sequence[tuple[float, float]], *, label: float
) -> Markup:
    ink, dash = _INKS[place % len(_INKS)], _DASHES[place % len(_DASHES)]
    path = " ".join(f"{x:.1f},{_height(quality):.1f}" for x, quality in points)
    dots = Markup("").join(
        Markup('<circle cx="{:.1f}" cy="{:.1f}" r="3.5" fill="{}"/>').format(
            x, _height(quality), ink
        )
        for x, quality in points
    )
    x, _ = points[-1]
    return Markup(
        '<g><title>{}</title><polyline points="{}" fill="none" stroke="{ink}" stroke-width="2" '
        'stroke-dasharray="{}"/>{}'
        '<text x="{:.1f}" y="{:.1f}" fill="{ink}" font-weight="700">{}</text></g>'
    ).format(
        displayable(series.name), path, dash, dots, x + 8, label + 4, series.number,
        ink=ink,
    )  # fmt: skip


def _height(quality: float) -> float:
    return _TOP + _PLOT_HEIGHT * (1 - quality)


def _round_ticks(most: float) -> Sequence[float]:
    """From 0 to at least the most, in steps that are easy to read."""
    if most <= 0:
        return (0.0, 1.0)
    power = 10 ** math.floor(math.log10(most / _TICKS))
    step = next(one * power for one in _ROUND if one * power * _TICKS >= most)
    return tuple(step * number for number in range(math.ceil(most / step - 1e-9) + 1))


def _number(value: float) -> str:
    """Three digits that count, and never as a power of ten."""
    digits = max(2 - math.floor(math.log10(value)), 0) if value > 0 else 0
    text = f"{value:,.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
