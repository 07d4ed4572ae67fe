"""The names of documents, such as `ticker:BTCUSDT`, and the pattern that each kind follows."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from string import Formatter

from gateway.errors import InvalidRequest
from gateway.text import shown


@dataclass(frozen=True, slots=True)
class DocumentId:
    """One document's name: `text` is the whole, `kind` and `values` are what it says."""

    text: str
    kind: str = field(compare=False)
    values: Mapping[str, str] = field(compare=False)

    def __str__(self) -> str:
        return self.text


class IdPattern:
    """The shape of one kind of ID, such as `klines:{symbol}:{interval}`.

    The last field takes the rest of the text, so `model:{name}` also reads `model:qwen3:8b`.
    Whatever parses formats back to the same text, once `normalise` has settled the spelling
    of each field (`btcusdt` is `BTCUSDT`).
    """

    def __init__(
        self, template: str, normalise: Mapping[str, Callable[[str], str]] | None = None
    ) -> None:
        self.template = template
        self.kind = template.partition(":")[0]
        self.fields = tuple(name for _, name, _, _ in Formatter().parse(template) if name)
        self._normalise = dict(normalise or {})
        if not self.fields or template != ":".join(
            [self.kind, *(f"{{{name}}}" for name in self.fields)]
        ):
            raise ValueError(f"{template!r} is not like 'kind:{{field}}:{{field}}'")

    def parse(self, text: str) -> DocumentId:
        """Raises:
        InvalidRequest: `text` has another kind, or too few values.
        """
        kind, _, rest = text.partition(":")
        values = rest.split(":", len(self.fields) - 1)
        if kind != self.kind or len(values) != len(self.fields) or not all(values):
            raise InvalidRequest(f"{shown(text)!r} is not a document ID like {self.template!r}")
        return self.format(**dict(zip(self.fields, values, strict=True)))

    def format(self, **values: str) -> DocumentId:
        settled = {name: self._settle(name, values[name]) for name in self.fields}
        return DocumentId(":".join([self.kind, *settled.values()]), self.kind, settled)

    def _settle(self, name: str, value: str) -> str:
        normalise = self._normalise.get(name)
        return normalise(value) if normalise else value
