"""The rules of cleaning that drop a record: each says of one response what is wrong with it, or nothing."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from bridge.curate.clean_rules import apart_from_code, code_blocks
from bridge.errors import ConfigError, UsageError
from bridge.files import text_lines

DROPS = ("empty", "short", "fences", "truncated", "refusal", "boilerplate", "language")
"""The rules that drop, by name, in the order in which they are asked."""

PHRASES = Path(__file__).with_name("refusals.txt")
"""The phrases that come with the package."""

_SECTIONS = ("refusal", "boilerplate", "placeholder", "long answer", "short answer", "another language")
_OPENING, _REFUSAL_WORDS = 300, 120
_START, _END = 1_000, 500
_STRAIGHT = str.maketrans("’‘ʼ`´\u00a0", "''''' ")


@dataclass(frozen=True, slots=True)
class Question:
    """What the rules know about a response.

    Args:
        prompts: the texts that stand before it.
        response: the response itself.
        finish: why its model stopped, where the record says so (``length``, ``stop``).
    """

    prompts: Sequence[str]
    response: str
    finish: str = ""


@dataclass(frozen=True, slots=True)
class Settings:
    """How the rules that drop are set.

    Args:
        min_words: fewest words of a response; below ``asked_words`` only prompts decide (see ``short``).
        asked_words: fewest words of a response to a prompt that asks for more than a word.
        phrases: section of the data file to its compiled expressions.
    """

    min_words: int
    asked_words: int
    phrases: Mapping[str, re.Pattern[str]]


@cache
def read_phrases(path: Path = PHRASES) -> Mapping[str, re.Pattern[str]]:
    """The phrases of a data file: section name to one expression for all its lines.

    Raises:
        ConfigError: a section is missing or unknown, or a line is no regular expression; names file and line.

    >>> bool(read_phrases()["refusal"].match("I'm sorry, but I can't help with that."))
    True
    """
    lines: dict[str, list[str]] = {}
    section = ""
    for number, line in enumerate(text_lines(path), 1):
        line = line.strip("\n\r")
        if not line.strip() or line.startswith("#"):
            continue
        if found := re.fullmatch(r"\[([a-z ]+)\]", line):
            section = found[1]
            if section not in _SECTIONS:
                raise ConfigError(f"{path}:{number}: no section is called {section!r}", remedy=_remedy())
            lines[section] = []
            continue
        try:
            re.compile(line)
        except re.error as error:
            raise ConfigError(f"{path}:{number}: {error}", remedy="write one regular expression a line") from None
        if not section:
            raise ConfigError(f"{path}:{number}: it stands before the first section", remedy=_remedy())
        lines[section].append(line)
    if absent := [name for name in _SECTIONS if name not in lines]:
        raise ConfigError(f"{path}: sections are missing: {', '.join(absent)}", remedy=_remedy())
    never = ["(?!)"]  # of no lines, an expression that nothing matches
    return {
        name: re.compile("|".join(f"(?:{line})" for line in found or never), re.IGNORECASE)
        for name, found in lines.items()
    }


def _remedy() -> str:
    return "the sections are " + ", ".join(f"[{name}]" for name in _SECTIONS)


# -- the rules: what is wrong, as facts for a person, or None


def empty(question: Question, settings: Settings) -> dict[str, Any] | None:
    """Nothing in it that is a letter, a digit or a symbol with a meaning, such as an emoji."""
    if any(map(str.isalnum, question.response)) or _SYMBOL.search(question.response):
        return None
    return {"text": question.response[:60]}


_SYMBOL = re.compile(r"[^\W]|[^\x00-\x7f\s\u2000-\u206f\u3000-\u303f\uff00-\uff65]|[<>=+*/\\^%$#@&|~{}\[\]()]")


def short(question: Question, settings: Settings) -> dict[str, Any] | None:
    """Fewer words than there must be, a word that is no answer (N/A, TODO, ok), or a word where prose is asked for.

    A word or two is right for many questions, so that by default only prompts that ask for more
    (``[long answer]`` in the data file, and nothing of ``[short answer]``) make it wrong.
    """
    words = question.response.split()
    # Scripts without spaces: four characters say about as much as a word, so this never finds too few there.
    head = question.response[:400]
    count = max(len(words), 0 if head.isascii() else len(_WITHOUT_SPACES.findall(head)) // 2)
    if count < settings.min_words:
        return {"words": count, "least": settings.min_words}
    if count > 6:
        return None
    text = question.response.translate(_STRAIGHT).strip().rstrip(".!?… ").strip("\"'")
    prompt = question.prompts[-1] if question.prompts else ""
    if settings.phrases["placeholder"].fullmatch(text):
        # "Say only ok" and "Do you know?" can be answered so.
        return None if _has_word(prompt, text) else {"placeholder": question.response[:60]}
    asked = settings.asked_words
    if count < asked and not any(map(str.isdigit, text)):
        long, brief = settings.phrases["long answer"], settings.phrases["short answer"]
        found = long.search(prompt[:2_000])
        if found and not brief.search(prompt[:2_000]):
            return {"words": count, "least": asked, "asked": found[0]}
    return None


_WITHOUT_SPACES = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3]")


def _has_word(prompt: str, word: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(word)}(?!\w)", prompt, re.IGNORECASE) is not None


def fences(question: Question, settings: Settings) -> dict[str, Any] | None:
    """A block of code is opened and never closed."""
    text = question.response
    if "```" not in text and "~~~" not in text:
        return None
    blocks, open_ = code_blocks(text)
    if not open_ or (text.count("```") + text.count("~~~")) % 2 == 0:
        return None
    return {"opened": text[blocks[-1][0] :].split("\n", 1)[0][:60]}


_ENDED = re.compile(r"[.!?…。！？。؟।॥։၊።:;)\]}>»”\"'’*_`|~]|[^\x00-\u024f\u0370-\u03ff\u0400-\u052f]")
_SENTENCE = re.compile(r"[^\W\d]{2}[\])\"'”’»]?[.!?][\"'”’»)]?(?=\s)")
_ITEM = re.compile(r"\s*(?:[-*+•–]|\(?\w{1,3}[.)])\s+\S")
_LOOSE = re.compile(
    r"(?:[,(\[{“«]|\s[–—-]"
    r"|\b(?:the|an|and|or|but|of|to|with|for|from|that|which|because|although|is|are|was|were|as|if|than|into|its|their"
    r"|your|my|such|und|oder|der|die|das|eine?|mit|für|dass|weil|et|ou|le|la|les|des|une|avec|pour|que|y|el|los|con|para))$",
    re.IGNORECASE,
)
_TAIL = 4_000


def truncated(question: Question, settings: Settings) -> dict[str, Any] | None:
    """The end is missing: its model stopped at a limit, or the last sentence does.

    A last sentence without an end counts where others of its text have one, or where its last word cannot be the last.
    Texts of scripts that end sentences otherwise, headings, lists whose items have no ends, code and tables never
    count. A person who leaves out the last full stop of several is taken for one who was cut off.
    """
    if question.finish in ("length", "max_tokens", "max_length", "MAX_TOKENS"):
        return {"finish_reason": question.finish}
    text = question.response.rstrip()
    if not text or _ENDED.match(text[-1]) or len(text) < 60:
        return None
    apart = apart_from_code(text)[0][-_TAIL:]
    if apart[-1] >= "\U000f0000":  # it ends with code
        return None
    last = apart[apart.rfind("\n") + 1 :]
    earlier = apart[: -len(last)]
    if last.count(" ") < 3 or _CODE_LINE.search(last) or last.startswith(("#", "|", "    ", "\t")) or "://" in last:
        return None
    if _ITEM.match(last):
        items = [line.rstrip() for line in earlier.split("\n") if _ITEM.match(line)]
        ended = len(items) >= 2 and all(line[-1] in ".!?" for line in items)
        return {"ending": last[-60:]} if ended or _LOOSE.search(last) else None
    if _TAG.search(last[-200:]):
        return None
    others_end = len(_SENTENCE.findall(earlier)) >= 3 and last.count(" ") >= 7
    if others_end or _LOOSE.search(last) or _SENTENCE.search(last):
        return {"ending": last[-60:]}
    return None


_TAG = re.compile(r"(?:^|[\s.!?\"”])(?:[#@]\w+|[–—~-]\s?[A-Z][\w. ]*)$")  # hashtags, and who is quoted
_CODE_LINE = re.compile(r"[={}<>\\]|\w\(|;\s*$|^\s*(?:def|class|return|import|from|if|for|while|SELECT|INSERT)\b")


def refusal(question: Question, settings: Settings) -> dict[str, Any] | None:
    """It starts as refusals do, and is not so long that an answer may follow all the same."""
    opening = question.response[:_OPENING].translate(_STRAIGHT)
    found = _OPENERS.sub("", opening, count=1)
    match = settings.phrases["refusal"].match(found)
    if match is None or len(question.response.split()) > _REFUSAL_WORDS:
        return None
    if _quoted(match[0], question.prompts):
        return None
    return {"phrase": match[0][:80]}


_OPENERS = re.compile(
    r"^[\s\"'*_>#]*(?:(?:hi|hello|hey|well|oh|um+|thanks?(?: you)? for (?:your|the) \w+|i understand(?: [^.,!]{0,80})?)"
    r"[,.!]+\s*(?:but\s+)?)?",
    re.IGNORECASE,
)


def boilerplate(question: Question, settings: Settings) -> dict[str, Any] | None:
    """It speaks about its model or its web page: what the prompt does not do itself."""
    text = question.response
    for part in (text,) if len(text) <= _START + _END else (text[:_START], text[-_END:]):
        lower = part.lower()
        for needed, phrase in _boilerplate(settings.phrases["boilerplate"]):
            if needed in lower:
                match = phrase.search(part.translate(_STRAIGHT))
                if match and not _quoted(match[0], question.prompts):
                    return {"phrase": match[0][:80]}
    return None


@cache
def _boilerplate(phrases: re.Pattern[str]) -> list[tuple[str, re.Pattern[str]]]:
    """Each phrase with the longest piece of plain text that it cannot do without, which is looked for first."""
    lines = phrases.pattern[3:-1].split(")|(?:")
    try:
        return [(_needed(line), re.compile(line, re.IGNORECASE)) for line in lines]
    except re.error:  # a line has that very sequence in it
        return [("", phrases)]


def _needed(line: str) -> str:
    """The longest run of letters and spaces in a regular expression outside its groups; empty where there is none.

    >>> _needed("(?:accept|manage) (?:all )?cookies"), _needed("a|b")
    ('cookies', '')
    """
    plain, depth = [], 0
    for character in re.sub(r"\\.|\[[^\]]*\]", "\0", line):
        depth += (character == "(") - (character == ")")
        plain.append("\0" if depth or character == ")" else character)
    if "|" in plain:
        return ""
    return max(re.findall(r"[a-z ]+(?![a-z ?*{])", "".join(plain)), key=len, default="")


def _quoted(phrase: str, prompts: Sequence[str]) -> bool:
    """Whether a prompt holds the phrase: then the response repeats it or was asked for it."""
    phrase = phrase.strip().lower()
    return any(phrase in prompt.translate(_STRAIGHT).lower() for prompt in prompts)


_LETTERS = 30
_LIKELY = 0.8
# Varieties and neighbours that a small model cannot tell apart in a short text.
_ALIKE = (
    {"zh", "yue", "wuu", "ja-Hani"},
    {"ar", "arz"},
    {"no", "nb", "nn", "da"},
    {"hr", "sr", "bs", "sh", "sl", "mk"},
    {"id", "ms", "jv", "su", "min"},
    {"es", "gl", "ca", "pt", "ast", "an", "oc"},
    {"cs", "sk"},
    {"de", "als", "nds", "lb", "bar"},
    {"nl", "af", "li", "fy"},
    {"en", "sco"},
    {"hi", "mr", "ne", "sa", "bh", "mai"},
    {"ru", "uk", "be", "bg"},
    {"fa", "ps", "ckb", "mzn", "ur"},
    {"tr", "az"},
    {"it", "scn", "nap", "vec", "lmo", "pms", "co"},
)


def language(question: Question, settings: Settings) -> dict[str, Any] | None:
    """It is surely in another language than every prompt, none of which speaks of another language."""
    response = question.response
    if _english(response) and any(map(_english, question.prompts)):
        return None  # most sets are English, and this costs a hundredth of asking the model
    if not _enough(response) or not any(map(_enough, question.prompts)):
        return None
    identify = _identifier()
    found, likely = identify(response)
    if likely < _LIKELY:
        return None
    seen = {}
    for prompt in question.prompts:
        if _enough(prompt):
            name, sure = identify(prompt)
            if sure < _LIKELY or name == found or any({name, found} <= alike for alike in _ALIKE):
                return None
            seen[name] = sure
        elif _scripts(prompt) & _scripts(response):
            return None  # a few words may be of the response's language
    asked = settings.phrases["another language"]
    if any(asked.search(prompt[:5_000]) for prompt in question.prompts):
        return None
    return {"response": found, "prompt": sorted(seen)}


def _english(text: str) -> bool:
    """Whether a text is English beyond doubt: ASCII, with several of the words that no other language has."""
    head = text[:500]
    return head.isascii() and len(_ENGLISH.intersection(head.split(" ")[1:-1])) >= 3


_ENGLISH = frozenset(
    (
        *("about", "and", "are", "because", "could", "from", "have", "how", "is", "of", "should", "that", "the"),
        *("their", "these", "they", "this", "to", "what", "when", "which", "with", "would", "you", "your"),
    )
)


def _scripts(text: str) -> set[bool]:
    """Whether a text has letters of the Latin script, and whether it has others."""
    return {c < "\u0250" for c in text[:400] if c.isalpha()}


def _enough(text: str) -> bool:
    """Whether there are letters enough for a language to be told; characters of East Asia say more each."""
    head = text[:400]
    letters = sum(map(str.isalpha, head))
    return letters >= _LETTERS or (not head.isascii() and letters + 2 * sum(c > "\u2e80" for c in head) >= _LETTERS)


@cache
def _identifier() -> Callable[[str], tuple[str, float]]:
    from bridge.curate.languages import identifier

    try:
        return identifier()
    except UsageError as error:
        raise UsageError(
            f"language: {error.reason}", remedy=f"{error.remedy}, or switch the rule off: --off language"
        ) from None


ASK: dict[str, Callable[[Question, Settings], dict[str, Any] | None]] = {
    "empty": empty,
    "short": short,
    "fences": fences,
    "truncated": truncated,
    "refusal": refusal,
    "boilerplate": boilerplate,
    "language": language,
}
