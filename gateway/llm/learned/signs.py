"""The signs of a text beside its words: how long it is, how it begins, what it holds."""

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise

NEAR_WORDS = 32
# Prose has a sign of code now and then; logs and tables are a tenth digits.
LEAST_CODE, RECORDS_SHARE = 3, 0.1
_WRITTEN_LINES = 40

_ASKING = frozenset("who whom whose when where which what how why whats hows whos wheres".split())
_FACT_WORDS = frozenset("who whom whose when where which whos wheres".split())
_ABILITY = frozenset(
    "is are was were do does did can could should would will has have had may might am".split()
)
_MAKING = frozenset(
    "write create make generate compose draft give design produce craft develop build come tell "
    "provide prepare invent imagine describe list suggest propose plan".split()
)
_HANDLING = frozenset(
    "summarize summarise rewrite rephrase translate edit proofread correct improve fix convert "
    "classify identify extract explain analyze analyse compare find calculate compute solve "
    "evaluate determine simplify prove answer read change shorten paraphrase".split()
)
_SELF = frozenset("i im my me we our ive id mine us".split())
_OTHER = frozenset("you your youre u".split())
# What these words mean stands elsewhere in the text.
_POINTING = frozenset(
    "this these it its here above below following there das dies diesen dieser diese hier daraus "
    "darauf den dem ceci ca cela ce cette esto este esta eso isso isto questo questa lo "
    "это этот эту эти здесь тут 这 把它 この これ 이".split()
)
# What is made or asked for stands before one of these.
_STOPPERS = frozenset(
    "about for that to of in on with which who using from by at as into where when is are was "
    "were does do did has have had can could will would between and or if because like based "
    "explaining describing without so but den die das que de para por mit der von fur pour sur "
    "du des la le".split()
)
_NUMBER_WORDS = frozenset(
    "two three four five six seven eight nine ten twelve twenty hundred half twice double dozen "
    "third".split()
)
_LENGTH_WORDS = frozenset(
    "word words page pages sentence sentences paragraph paragraphs line lines characters".split()
)
_FIGURE = re.compile("[0-9]")
_CENTURIES = frozenset("15 16 17 18 19 20".split())
_QUESTION_MARKS = "?\N{FULLWIDTH QUESTION MARK}\N{ARABIC QUESTION MARK}"
_ROOMS = (5, 8, 12, 18, 30, 60)


@dataclass(frozen=True, slots=True)
class _Ladder:
    """A number as signs: one for each of its steps that the number reaches."""

    steps: Sequence[int]
    names: Sequence[str]

    def up_to(self, value: int) -> Sequence[str]:
        return self.names[: bisect_right(self.steps, value)]


def _ladder(name: str, *steps: int) -> _Ladder:
    return _Ladder(steps, tuple(f"{name} {step}" for step in steps))


_SIZES = _ladder("size", 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 14, 17, 20, 25, 32, 45, 60, 90, 130)
_CODES = _ladder("code", 1, 2, 4, 8)
_PASTED_CODE = _ladder("pasted code", 1, 2, 4, 8)
_FORMULAS = _ladder("formulas", 1, 2, 3)
_LINES = _ladder("lines", 1, 2, 4, 8)
_NUMBERS = _ladder("numbers", 1, 2, 3, 5, 8)
_LEARNED = _ladder("learned", 5, 10, 16, 22, 30, 40)

# Each way begins with one rare letter: then, and not with a class of them, a text is passed over
# in a tenth of the time.
_CODE = re.compile(
    r"```|</\w|=>|===?|!==?"
    r"|\((?<=[a-z_]\()(?!s?\))[^)\s]{0,20}\)|\(\)"
    r"|::|;[ \t]*(?:\n|$)|\.\w+\(|\[\w+\]|_[a-z]|--[a-z]{2}|->|\{"
    r"|\.(?:py|js|ts|go|rs|java|cpp|rb|php|sh|ya?ml|toml|json|csv|sql|html|css|txt)\b"
)
_CODE_LINES = (
    *("def ", "class ", "import ", "from ", "function ", "fn ", "func ", "public ", "private "),
    *("const ", "let ", "var ", "return ", "for (", "for(", "while (", "while(", "if (", "if("),
    *("package ", "struct ", "impl ", "#include", "@", "//", "/*", "at ", 'File "', "$ "),
    *("SELECT ", "INSERT ", "CREATE TABLE", "UPDATE ", "DELETE FROM"),
)
_BLOCK_BEGINS = ("for ", "while ", "if ", "with ", "else", "try", "elif ", "} ")
_BLOCK_ENDS = (":", "{", ";")
# Most lines begin with none of these, which is seen at once.
_LINE_BEGINS = frozenset(one[:2] for one in (*_CODE_LINES, *_BLOCK_BEGINS))
_CODE_WORDS = ("Error", "Exception", "Traceback", "SELECT ", "NULL", "undefined")
_FORMULA = re.compile(
    r"\$[^$\n]{1,200}\$|\\[a-z]{2,}|\^\s?[\w({-]|/\s?\d|-\s\d"
    r"|\+\s?[\d(a-z-]|\*\s?[\d(a-z-]|=\s?[\d(a-z-]|²|³|√|∑|∫|≤|≥|≠|∞|π|÷"
)
_AMOUNT = re.compile(r"[$€£%]\s?\d|(?<=\d)\s?[$€£%]")
_OPTIONS = re.compile(r"[).:](?<=\b[a-d1-4].)\s")
_SECOND_OPTIONS = ("b)", "b.", "2.", "2)", "b:")


def openings(words: Sequence[str]) -> Iterator[str]:
    """The first words, and the noun that is made or asked for."""
    if not words:
        return
    for size in range(1, min(len(words), 3) + 1):
        yield f"{size} {' '.join(words[:size])}"
    most = min(9, len(words))
    ends = [
        at for at in range(2, most) if words[at] in _STOPPERS and words[at - 1] not in _STOPPERS
    ]
    kind = kind_of(words[0])
    for number, end in enumerate((*ends, most)[:2]):
        if end >= 2:
            yield f"noun{number} {words[end - 1]}"
            yield f"{kind}{number} {words[end - 1]}"


def kind_of(word: str) -> str:
    for kind, words in (("making", _MAKING), ("handling", _HANDLING), ("fact", _FACT_WORDS)):
        if word in words:
            return kind
    if word in _ASKING:
        return word[:4]
    if word in _ABILITY:
        return "ability"
    return "self" if word in _SELF else "other"


def signs(text: str, folded: str, *, words: Sequence[str], first: str, size: int) -> list[str]:
    """Each sign by its name; `first` is the first word that asks, `size` is in words."""
    asks = sum(map(text.count, "?" if text.isascii() else _QUESTION_MARKS))
    kind, room = kind_of(first), bisect_right(_ROOMS, size)
    code = code_signs(text)
    has_numbers = _FIGURE.search(folded) is not None or not _NUMBER_WORDS.isdisjoint(words)
    return [
        "any",
        f"begins {kind}",
        f"asks {min(asks, 2)}",
        f"begins {kind} asks {min(asks, 1)}",
        f"begins {kind} size {room}",
        f"asks {min(asks, 1)} size {room}",
        *_SIZES.up_to(size),
        *_CODES.up_to(code),
        *(() if code else _FORMULAS.up_to(_count(_FORMULA, folded, most=3))),
        *_LINES.up_to(text.count("\n")),
        *_number_signs(
            words if has_numbers else (),
            "" if code else f"numbers asks {min(asks, 1)} size {room}",
        ),
        *_rare_signs(text, folded),
        *_manners(words[:NEAR_WORDS], kind),
    ]


def _number_signs(words: Sequence[str], with_several: str) -> Iterator[str]:
    # Of what a word begins with only digits stand before the colon.
    figures = [word for word in words if word < ":"]
    numbers = len(figures) + sum(map(_NUMBER_WORDS.__contains__, words))
    yield from _NUMBERS.up_to(numbers)
    if numbers >= 2 and with_several:
        yield with_several
    if any(len(figure) == 4 and figure[:2] in _CENTURIES for figure in figures):
        yield "year"
    if figures and not _LENGTH_WORDS.isdisjoint(words):
        behind = [word for figure, word in pairwise(words) if figure < ":"]
        if not _LENGTH_WORDS.isdisjoint(behind):
            yield "length asked for"


def _rare_signs(text: str, folded: str) -> Iterator[str]:
    if any(map(text.__contains__, "$€£%")) and _AMOUNT.search(text):
        yield "amount"
    if any(map(folded.__contains__, _SECOND_OPTIONS)) and _count(_OPTIONS, folded, most=3) >= 3:
        yield "options"


def _manners(words: Sequence[str], kind: str) -> Iterator[str]:
    """Who is spoken of, and in how learned words."""
    about_self = not _SELF.isdisjoint(words)
    if about_self:
        yield "self"
    if not _OTHER.isdisjoint(words):
        yield "other"
    if not words:
        return
    learned = 100 * len([word for word in words if len(word) >= 9]) // len(words)
    yield from _LEARNED.up_to(learned)
    if learned >= 20:
        yield f"learned {kind} self {int(about_self)}"


def pasted_signs(pasted: str, *, words: Sequence[str], size: int) -> Sequence[str]:
    """What stands beside the `words` that ask, by which one knows what `fix this` is about."""
    if not pasted:
        return ()
    code, room = code_signs(pasted), bisect_right(_ROOMS, size)
    kind = "code" if code >= LEAST_CODE else "records" if _is_records(pasted) else "prose"
    refers = "itself" if _POINTING.isdisjoint(words) else "this"
    return [
        "pasted",
        *_PASTED_CODE.up_to(code),
        f"pasted {kind} {refers}",
        f"pasted {kind} {refers} {room}",
    ]


def _is_records(text: str) -> bool:
    return sum(map(text.count, "0123456789")) > RECORDS_SHARE * len(text)


def code_signs(text: str) -> int:
    code = _count(_CODE, text, most=8) + sum(map(text.__contains__, _CODE_WORDS))
    if "\n" in text:
        lines = map(str.strip, text.split("\n", _WRITTEN_LINES)[:_WRITTEN_LINES])
        code += sum(_is_code(line) for line in lines if line[:2] in _LINE_BEGINS or line[:1] == "@")
    return code


def _is_code(line: str) -> bool:
    opens_a_block = line.startswith(_BLOCK_BEGINS) and line.endswith(_BLOCK_ENDS)
    return opens_a_block or line.startswith(_CODE_LINES)


def _count(pattern: re.Pattern[str], text: str, *, most: int) -> int:
    return len(list(islice(pattern.finditer(text), most)))


def has_code(names: Sequence[str]) -> bool:
    return "code 2" in names or "pasted code 2" in names
