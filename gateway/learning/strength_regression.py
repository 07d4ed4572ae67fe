"""Ridge regression and a logistic scale in plain Python: learning needs nothing installed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp, sqrt

_MOST_STEPS = 60
_CLOSE_ENOUGH = 1e-5
_SURE = 30.0


@dataclass(frozen=True, slots=True)
class Sparse:
    """A table of rows that name the columns in which they are not zero.

    The value of a cell is `row_scale[row] * column_scale[column]`.
    """

    rows: Sequence[Sequence[int]]
    row_scale: Sequence[float]
    column_scale: Sequence[float]

    def of_rows(self, weights: Sequence[float]) -> list[float]:
        scaled = [weight * scale for weight, scale in zip(weights, self.column_scale, strict=True)]
        pick = scaled.__getitem__
        return [
            sum(map(pick, row)) * scale
            for row, scale in zip(self.rows, self.row_scale, strict=True)
        ]

    def of_columns(self, values: Sequence[float], columns: Sequence[Sequence[int]]) -> list[float]:
        scaled = [value * scale for value, scale in zip(values, self.row_scale, strict=True)]
        pick = scaled.__getitem__
        return [
            sum(map(pick, column)) * scale
            for column, scale in zip(columns, self.column_scale, strict=True)
        ]

    def columns(self) -> list[list[int]]:
        columns: list[list[int]] = [[] for _ in self.column_scale]
        for number, row in enumerate(self.rows):
            for column in row:
                columns[column].append(number)
        return columns


def sparse_ridge(table: Sparse, target: Sequence[float], *, penalty: float) -> list[float]:
    """The weights of the columns, by conjugate gradients on the normal equations."""
    columns = table.columns()
    weights = [0.0] * len(columns)
    residual = table.of_columns(target, columns)
    direction = list(residual)
    size = first = _dot(residual, residual)
    for _ in range(_MOST_STEPS):
        if size <= first * _CLOSE_ENOUGH**2:
            break
        image = table.of_columns(table.of_rows(direction), columns)
        image = [cell + penalty * step for cell, step in zip(image, direction, strict=True)]
        pace = size / _dot(direction, image)
        weights = [weight + pace * step for weight, step in zip(weights, direction, strict=True)]
        residual = [rest - pace * cell for rest, cell in zip(residual, image, strict=True)]
        size, before = _dot(residual, residual), size
        direction = [
            rest + size / before * step for rest, step in zip(residual, direction, strict=True)
        ]
    return weights


def ridge(
    rows: Sequence[Sequence[float]], target: Sequence[float], *, penalties: Sequence[float]
) -> list[float]:
    """The weights of a few columns, each drawn to zero by its penalty, solved exactly."""
    columns = list(zip(*rows, strict=True))
    matrix = [
        [_dot(left, right) + penalties[i] * (i == j) for j, right in enumerate(columns)]
        + [_dot(left, target)]
        for i, left in enumerate(columns)
    ]
    return _solved(matrix)


def logistic_scale(
    scores: Sequence[float], shares: Sequence[float], *, steps: int = 25
) -> tuple[float, float]:
    """The intercept and the slope that turn scores into the probability of the shares."""
    intercept, slope = 0.0, 1.0
    for _ in range(steps):
        odds = [sigmoid(intercept + slope * score) for score in scores]
        errors = [share - odd for share, odd in zip(shares, odds, strict=True)]
        spread = [odd * (1 - odd) + 1e-9 for odd in odds]
        cross = sum(part * score for part, score in zip(spread, scores, strict=True))
        square = sum(part * score**2 for part, score in zip(spread, scores, strict=True)) + 1e-6
        step = _solved([[sum(spread), cross, sum(errors)], [cross, square, _dot(errors, scores)]])
        intercept, slope = intercept + step[0], slope + step[1]
    return intercept, slope


def sigmoid(value: float) -> float:
    return 1 / (1 + exp(-max(-_SURE, min(_SURE, value))))


def mean_and_spread(values: Sequence[float]) -> tuple[float, float]:
    mean = sum(values) / len(values)
    return mean, sqrt(sum((value - mean) ** 2 for value in values) / len(values))


def shrunken_means(
    groups: Sequence[str], values: Sequence[float], *, weight: float
) -> Mapping[str, float]:
    """The mean of each group, drawn to zero as if `weight` more rows of it were zero."""
    sums: dict[str, list[float]] = {}
    for group, value in zip(groups, values, strict=True):
        sums.setdefault(group, []).append(value)
    return {group: sum(found) / (len(found) + weight) for group, found in sums.items()}


def _dot(left: Sequence[float], right: Sequence[float]) -> float:
    return sum(map(float.__mul__, map(float, left), map(float, right)))


def _solved(matrix: list[list[float]]) -> list[float]:
    """Gauss's elimination of equations whose last column is the right side."""
    size = len(matrix)
    for column in range(size):
        pivot = max(range(column, size), key=lambda row: abs(matrix[row][column]))
        matrix[column], matrix[pivot] = matrix[pivot], matrix[column]
        head = matrix[column][column]
        matrix[column] = [cell / head for cell in matrix[column]]
        for row in range(size):
            if row != column and (share := matrix[row][column]):
                matrix[row] = [
                    cell - share * top
                    for cell, top in zip(matrix[row], matrix[column], strict=True)
                ]
    return [row[-1] for row in matrix]
