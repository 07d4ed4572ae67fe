"""The signs of a text beside its words: how long it is, how it begins, what it holds."""

import re
from collections.abc import Iterator, Sequence
from itertools import islice

NEAR_WORDS = 40
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
_DIGITS = frozenset("0123456789")
_CENTURIES = frozenset("15 16 17 18 19 20".split())
_QUESTION_MARKS = "?\N{FULLWIDTH QUESTION MARK}\N{ARABIC QUESTION MARK}"
_SIZES = (2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 14, 17, 20, 25, 32, 45, 60, 90, 130)

# Each way begins with something rare, so that a text is passed over quickly.
_CODE = re.compile(
    r"```|</\w|=>|[=!]==?"
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
_CODE_WORDS = ("Error", "Exception", "Traceback", "SELECT ", "NULL", "undefined")
_FORMULA = re.compile(
    r"\$[^$\n]{1,200}\$|\\[a-z]{2,}|\^\s?[\w({-]|[+*=]\s?[\d(a-z-]|/\s?\d|-\s\d|[²³√∑∫≤≥≠∞π÷]"
)
_AMOUNT = re.compile(r"[$€£%]\s?\d|(?<=\d)\s?[$€£%]")
_OPTIONS = re.compile(r"\b[a-d1-4][).:]\s")
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


def signs(text: str, folded: str, *, words: Sequence[str], first: str, size: int) -> Iterator[str]:
    """Each sign by its name; `first` is the first word that asks, `size` is in words."""
    asks = sum(map(text.count, "?" if text.isascii() else _QUESTION_MARKS))
    kind, room = kind_of(first), sum(size >= least for least in (5, 8, 12, 18, 30, 60))
    yield "any"
    yield from _steps("size", size, _SIZES)
    yield f"begins {kind}"
    yield f"asks {min(asks, 2)}"
    yield f"begins {kind} asks {min(asks, 1)}"
    yield f"begins {kind} size {room}"
    yield f"asks {min(asks, 1)} size {room}"
    code = code_signs(text)
    yield from _steps("code", code, (1, 2, 4, 8))
    if not code:
        formulas = _count(_FORMULA, folded, most=3)
        yield from _steps("formulas", formulas, (1, 2, 3))
    yield from _steps("lines", text.count("\n"), (1, 2, 4, 8))
    figures = [at for at, word in enumerate(words) if word[0] in _DIGITS]
    numbers = len(figures) + sum(word in _NUMBER_WORDS for word in words)
    yield from _steps("numbers", numbers, (1, 2, 3, 5, 8))
    if numbers >= 2 and not code:
        yield f"numbers asks {min(asks, 1)} size {room}"
    if any(sign in text for sign in "$€£%") and _AMOUNT.search(text):
        yield "amount"
    if any(len(words[at]) == 4 and words[at][:2] in _CENTURIES for at in figures):
        yield "year"
    if any(word in _LENGTH_WORDS for at in figures for word in words[at + 1 : at + 2]):
        yield "length asked for"
    if any(one in folded for one in _SECOND_OPTIONS) and _count(_OPTIONS, folded, most=3) >= 3:
        yield "options"
    yield from _manners(words[:NEAR_WORDS], kind)


def _manners(words: Sequence[str], kind: str) -> Iterator[str]:
    """Who is spoken of, and in how learned words."""
    about_self = not _SELF.isdisjoint(words)
    if about_self:
        yield "self"
    if not _OTHER.isdisjoint(words):
        yield "other"
    if not words:
        return
    learned = 100 * sum(len(word) >= 9 for word in words) // len(words)
    yield from _steps("learned", learned, (5, 10, 16, 22, 30, 40))
    if learned >= 20:
        yield f"learned {kind} self {int(about_self)}"


def code_signs(text: str) -> int:
    code = _count(_CODE, text, most=8) + sum(word in text for word in _CODE_WORDS)
    if "\n" in text:
        lines = text.split("\n", _WRITTEN_LINES)[:_WRITTEN_LINES]
        code += sum(_is_code(line.strip()) for line in lines)
    return code


def _is_code(line: str) -> bool:
    opens_a_block = line.startswith(_BLOCK_BEGINS) and line.endswith(_BLOCK_ENDS)
    return opens_a_block or line.startswith(_CODE_LINES)


def _steps(name: str, value: int, steps: Sequence[int]) -> Iterator[str]:
    for least in steps:
        if value < least:
            return
        yield f"{name} {least}"


def _count(pattern: re.Pattern[str], text: str, *, most: int) -> int:
    return sum(1 for _ in islice(pattern.finditer(text), most))


def has_code(names: Sequence[str]) -> bool:
    return "code 2" in names
