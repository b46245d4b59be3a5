"""What is taken out of speech before people or models read it, as a list of edits that can be undone.

By default only sounds that are no words: um, uh, erm, hmm. Words such as 'like' and 'so' carry the sentence more often
than not, so they go on demand only, and only where they stand between commas.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from bridge.transcripts.edits import Draft, Edit

SOUNDS = ("um+", "uh+m*", "erm+", "hmm+")
"""Fillers that are no words, as regular expressions."""

ASIDES = ("like", "so", "you know", "I mean", "okay", "right", "well", "actually", "basically")
"""Words that are fillers between commas, and content elsewhere."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_WORD = re.compile(r"[^\W\d_]+")
# Where 'um' is a word: 'um zehn Uhr', 'um momento'. Words that are frequent there and unusual in English.
_NOT_ENGLISH = _words(
    """
    und der das ist nicht ich wir sie ein eine einen mit für auf zu wie uns uhr den dem auch noch dass aber oder ja nein
    doch schon die zum zur vom beim wenn dann sind haben habe drei vier fünf sechs sieben acht neun zehn elf zwölf
    bei que não uma para com está você isso em de por mais mas foi são e o eu ele ela nós eles é tem tenho ter há foi
    quero era ser muito aqui esse essa este esta sim já só também quando porque dia homem seu sua meu minha da dos das
    og að ekki það
    """
)
_ENGLISH = _words(
    """
    the and that you is of to we it this are have was what they but for on with be i think just know like well yeah my
    not can would there here when how from about at or if all our your has had were been going get got some then than
    ten okay ok
    """
)
# Behind these a comma is only there for the filler: 'I, uh, think'.
_OPEN = _words(
    """
    a an the i you he she it we they my your his her its our their this that these those is are was were be been
    am do does did have has had will would can could should may might must and or but so to of in on at for with
    from by as if because when not very really just about into than
    """
)
_UM = re.compile(r"\bum\b", re.IGNORECASE)
_DASH = "-–—"
_DASHES = re.compile(rf"\s*[{_DASH}]+\s*")
_SENTENCE_END = ".?!…"
_BESIDE = "'’@/\"“”`-‑‐"


@dataclass(frozen=True, slots=True)
class Cleaned:
    """A text without fillers.

    Args:
        text: as it is now.
        edits: what was changed; :func:`bridge.transcripts.edits.undone` brings the original back.
    """

    text: str
    edits: list[Edit]


class Cleaner:
    """Cleans the turns of one transcript, in order.

    Args:
        sounds: whether um, uh, erm and hmm go.
        asides: whether like, so, you know and their like go where they stand between commas.
        more: words that are fillers in the language of the transcript, such as ``ähm`` or ``euh``.

    What stays, always: sounds in capitals (HMM may be a hidden Markov model), in quotes, with a question mark, and as
    parts of words (uh-huh is a yes); and 'um' where it is a word, as in German and Portuguese, by the words around it.

    >>> Cleaner().clean("Um, I like the plan, uh, so do they.").text
    'I like the plan, so do they.'
    >>> Cleaner(asides=True).clean("It was, like, huge, so I like it.").text
    'It was huge, so I like it.'
    >>> Cleaner().clean("Wir treffen uns um zehn Uhr, ist das okay?").edits
    []
    """

    def __init__(self, *, sounds: bool = True, asides: bool = False, more: Sequence[str] = ()) -> None:
        words = [*(SOUNDS if sounds else ()), *map(re.escape, more)]
        one = f"(?:{'|'.join(words)})"
        self._core = re.compile(rf"(?<!\w){one}(?:[\s,]+{one})*(?!\w)", re.IGNORECASE) if words else None
        self._asides = re.compile(rf"(?:,\s+(?:{'|'.join(ASIDES)})\s*)+(?=,)", re.IGNORECASE) if asides else None
        self._english = self._other = 0

    def learn(self, texts: Iterable[str]) -> None:
        """See of texts in which language they are, before the first is cleaned.

        >>> cleaner = Cleaner()
        >>> cleaner.learn(["Eu tenho um carro."])
        >>> cleaner.clean("Um gato").text
        'Um gato'
        """
        for text in texts:
            self._weigh(text)

    def clean(self, raw: str) -> Cleaned:
        """A turn's text without fillers, and with one space where white space was."""
        draft = Draft(raw)
        if self._core is not None:
            um_is_word = self._weigh(raw)
            while changes := list(_fillers(draft.text, self._core, um_is_word)):
                draft.replace(changes)
        if self._asides is not None:
            draft.replace(list(self._between_commas(draft.text, self._asides)))
        draft.substitute(_SPACE, _one_space)
        return Cleaned(draft.text, draft.edits())

    def _weigh(self, text: str) -> bool:
        """Whether 'um' is a word here: by the words of this turn, or by those of the turns so far."""
        words = [word.lower() for word in _WORD.findall(text)]
        english = sum(map(_ENGLISH.__contains__, words))
        other = sum(map(_NOT_ENGLISH.__contains__, words))
        self._english += english
        self._other += other
        return other > english if other != english else self._other > self._english

    def _between_commas(self, text: str, asides: re.Pattern[str]) -> Iterator[tuple[int, int, str]]:
        for match in asides.finditer(text):
            is_open = _word_before(text, match.start()) in _OPEN
            yield match.start(), match.end() + is_open, ""


def _fillers(text: str, core: re.Pattern[str], um_is_word: bool) -> Iterator[tuple[int, int, str]]:
    """The stretches that go with fillers, and what takes their place; where two touch, only the first."""
    reached = 0
    for match in core.finditer(text):
        filler = match[0]
        start, end = match.span()
        if start < reached or _stays(text, start, end, filler) or (um_is_word and _UM.search(filler)):
            continue
        if text[start - 1 : start] + text[end : end + 1] in ("()", "[]"):
            start, end = start - 1, end + 1
        change = _without(text, start, end, filler, reached)
        reached = change[1]
        yield change


def _stays(text: str, start: int, end: int, filler: str) -> bool:
    """Whether a sound is more than that, by its capitals and by the signs beside it."""
    before, after = text[start - 1 : start], text[end : end + 1]
    if (before in _BESIDE and before) or (after in _BESIDE and after):
        return True
    if before == "." and start > 1 and not text[start - 2].isspace():  # a name such as a.um
        return True
    if after in ("?", "!") or (after == "." and text[end + 1 : end + 2].isalnum()):
        return True
    return any(len(word) > 1 and word.isupper() for word in _WORD.findall(filler))


def _without(text: str, start: int, end: int, filler: str, reached: int) -> tuple[int, int, str]:
    """The stretch that goes with a filler, with the commas that were only there for it, and what takes its place."""
    left = start
    while left > reached and (text[left - 1].isspace() or text[left - 1] == ","):
        left -= 1
    stop = end
    while stop < len(text) and text[stop] in ",.…;:":
        stop += 1
    marks = text[end:stop]
    dashes = _DASHES.match(text, end)
    if dashes and text[left - 1 : left] in _DASH:  # 'well - um - yes'
        return start, dashes.end(), ""
    right = stop
    while right < len(text) and text[right].isspace():
        right += 1
    if left == 0 or text[left - 1] in _SENTENCE_END:  # a sentence begins with it
        following = text[right : right + 1]
        if filler[0].isupper() and following.islower() and len(following.upper()) == 1:
            return start, right + 1, following.upper()
        return start, right, ""
    if marks.strip(","):  # a sentence, or a part of it, ends with it
        return left, end, ""
    if right == len(text):
        return left, right, ""
    if right == end and not text[end].isalnum():  # such as a dash
        return left, end, ""
    comma = "," in text[left:start] or bool(marks)
    if comma and _word_before(text, left) not in _OPEN:
        return left, right, ", "
    return left, right, " "


def _word_before(text: str, end: int) -> str:
    start = end
    while start > max(0, end - 20) and text[start - 1].isalpha():
        start -= 1
    return text[start:end].lower()


_SPACE = re.compile(r"\s{2,}|[^\S ]|\A\s|\s\Z")  # all but single spaces between words
_EAST = re.compile("[\u2e80-\u9fff\uf900-\ufaff\uff00-\uff60]")  # written without spaces


def _one_space(match: re.Match[str]) -> str:
    before = match.string[match.start() - 1 : match.start()]
    after = match.string[match.end() : match.end() + 1]
    if not before or not after or ("\n" in match[0] and _EAST.match(before) and _EAST.match(after)):
        return ""
    return " "
