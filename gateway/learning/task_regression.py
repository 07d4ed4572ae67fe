"""Multinomial logistic regression on sparse rows, by numpy and scipy, which only learning needs."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from gateway.errors import InvalidRequest

REMEMBERED_STEPS = 6


@dataclass(frozen=True, slots=True)
class Cells:
    """A sparse table, row after row: `ends` is where each row ends."""

    columns: Sequence[int]
    values: Sequence[float]
    ends: Sequence[int]


def fit(
    cells: Cells,
    targets: Sequence[Sequence[float]],
    row_weights: Sequence[float],
    *,
    penalty: float,
    steps: int,
) -> list[list[float]]:
    """The weights of each class for each column, where columns are numbered without a gap.

    `targets` are the chances of each class in each row.

    Raises:
        InvalidRequest: numpy or scipy is not installed.
    """
    numpy, sparse, optimize = map(_needed, ("numpy", "scipy.sparse", "scipy.optimize"))
    wanted, weight = numpy.array(targets), numpy.array(row_weights)[:, None]
    table = sparse.csr_matrix(
        (numpy.array(cells.values), numpy.array(cells.columns), numpy.array([0, *cells.ends]))
    )
    turned = table.T.tocsr()
    shape = table.shape[1], wanted.shape[1]

    def loss_and_slope(flat: Any) -> tuple[float, Any]:
        weights = flat.reshape(shape)
        scores = table @ weights
        scores -= scores.max(axis=1, keepdims=True)
        each = numpy.exp(scores)
        total = each.sum(axis=1, keepdims=True)
        loss = (weight * wanted * (numpy.log(total) - scores)).sum()
        slope = turned @ (weight * (each / total - wanted)) + penalty * weights
        return loss + 0.5 * penalty * (flat @ flat), slope.ravel()

    found = optimize.minimize(
        loss_and_slope,
        numpy.zeros(shape[0] * shape[1]),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": steps, "maxcor": REMEMBERED_STEPS},
    )
    weights: list[list[float]] = found.x.reshape(shape).T.tolist()
    return weights


def _needed(name: str) -> Any:
    """Imported when it is used: whoever only runs the gateway does not install it."""
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        raise InvalidRequest(
            f"learning needs {name.split('.')[0]}, which is not installed: uv sync --group learn"
        ) from error
