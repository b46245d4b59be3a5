"""Cleaning: texts as they were meant, and responses that are worth somebody's time.

Rules that change a text are in :mod:`bridge.curate.clean_rules`, rules that drop a record in
:mod:`bridge.curate.clean_drops`. Each has a name, a count and a switch. What a text was before stands in the record's
history (``metadata["history"]``), and :func:`~bridge.curate.places.undo` brings it back.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bridge.curate.clean_drops import ASK, DROPS, PHRASES, Question, Settings, read_phrases
from bridge.curate.clean_rules import CHANGES, apart_from_code, has_entity, speaks_of_markup, storable
from bridge.curate.items import is_response
from bridge.curate.places import field_of, texts_of, undo, with_history, with_texts
from bridge.curate.result import Dropped, Result
from bridge.curate.spans import edits, fields_of_spans, moved
from bridge.errors import UsageError
from bridge.records import Record, Suggestion

__all__ = ["RULES", "Cleaned", "Cleaner", "clean", "clean_texts", "undo"]

STEP = "clean"

RULES = (*CHANGES, *DROPS)
"""All rules by name: those that change a text, in their order, then those that drop a record."""

_LONGEST_LABEL = 200  # code points; what is longer, or has several lines, is a text and not the name of a label


@dataclass(frozen=True, slots=True)
class Cleaned:
    """One record after cleaning.

    Args:
        record: the record as it goes on; None where it was dropped.
        dropped: the reason, where it was dropped.
        rules: the rules that changed it, in their order; or the one that dropped it.
    """

    record: Record | None
    dropped: Dropped | None
    rules: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Rewritten:
    place: str
    before: str
    after: str
    rules: tuple[str, ...]


class Cleaner:
    """The rules, set up once and asked for one record at a time, so that sets of any size can be streamed.

    Args:
        only: the rules to follow; all where it is None.
        off: rules to leave out.
        min_words: fewest words of any response (rule ``short``).
        asked_words: fewest words of a response whose prompt asks for more than a word or two.
        phrases: a data file in the stead of ``refusals.txt`` beside this module.
        spans: question to field, for suggested spans; without it, texts that may hold some stay as they are.

    Raises:
        UsageError: there is no such rule, or a rule's package is not installed.
        ConfigError: the data file is wrong.

    >>> cleaned = Cleaner(off=["language"]).record(Record("r", {"prompt": "2 + 2?", "response": "It is&nbsp;4.  "}))
    >>> cleaned.record.fields["response"], cleaned.rules
    ('It is 4.', ('html', 'whitespace'))
    >>> cleaned.record.metadata["history"]
    [{'step': 'clean', 'rule': 'html, whitespace', 'field': 'response', 'before': 'It is&nbsp;4.  '}]
    """

    def __init__(
        self,
        *,
        only: Collection[str] | None = None,
        off: Collection[str] = (),
        min_words: int = 1,
        asked_words: int = 3,
        phrases: str | Path | None = None,
        spans: Mapping[str, str] | None = None,
    ) -> None:
        for name in [*(only or ()), *off]:
            if name not in RULES:
                raise UsageError(f"{name!r:.60} is no rule of cleaning", remedy=f"the rules are {', '.join(RULES)}")
        self.rules = tuple(name for name in RULES if (only is None or name in only) and name not in off)
        self._changes = [name for name in CHANGES if name in self.rules]
        self._drops = [name for name in DROPS if name in self.rules]
        self._settings = Settings(min_words, asked_words, read_phrases(Path(phrases or PHRASES)))
        self._spans = spans or {}
        if "mojibake" in self._changes:
            CHANGES["mojibake"]("é")  # says at once whether its package is there

    def texts(self, texts: Iterable[tuple[str, str]]) -> dict[str, tuple[str, tuple[str, ...]]]:
        """Clean texts that belong together, such as those of one row.

        Args:
            texts: place and text, in any order.

        Returns:
            Place to its clean text and the rules that made it, for the texts that changed.

        >>> Cleaner(only=["html"]).texts([("question", "Tom &amp; Ann?"), ("reply", "Yes.")])
        {'question': ('Tom & Ann?', ('html',))}
        """
        before = dict(texts)
        after = dict(before)
        followed: dict[str, set[str]] = {}
        doubtful = [place for place, text in before.items() if self._changes and not _surely_clean(text)]
        settled: dict[str, bool] = {}  # texts that a round left as they were, and whether entities stayed in it
        unsettled = bool(doubtful)
        while unsettled:
            # What one rule leaves can be another's to change, and whether entities are an accident depends on all
            # texts together: only a round in which nothing changed is the last.
            unsettled = False
            markup = any(map(has_entity, after.values())) and any(
                speaks_of_markup(apart_from_code(text)[0]) for text in after.values()
            )
            for place in doubtful:
                if settled.get(place) is markup:
                    continue
                text, rules = self._round(after[place], {"html"} if markup else ())
                settled[place] = markup
                if text != after[place]:
                    del settled[place]
                    after[place] = text
                    followed.setdefault(place, set()).update(rules)
                    unsettled = True
        return {
            place: (after[place], tuple(name for name in self._changes if name in followed[place]))
            for place in before
            if place in followed and after[place] != before[place]
        }

    def _round(self, text: str, off: Collection[str]) -> tuple[str, list[str]]:
        """All rules once, and which of them changed something."""
        rules = []
        whole = text
        if "controls" in self._changes:
            whole = storable(text)
            if whole != text:
                rules.append("controls")
        if "whitespace" in self._changes and "\r\n" in whole:
            whole = whole.replace("\r\n", "\n")
            rules.append("whitespace")
        prose, back = apart_from_code(whole)
        for name in self._changes:
            if name not in off:
                changed = CHANGES[name](prose)
                if changed != prose:
                    prose = changed
                    rules.append(name)
        return back(prose), rules

    def record(self, record: Record) -> Cleaned:
        """Clean one record: with changed texts, as it was, or dropped.

        Raises:
            UsageError: the package that tells languages is needed and not installed.
        """
        changed, rules = self._changed(record)
        for name, places, detail in self._wrong(changed):
            return Cleaned(None, Dropped(record.key, STEP, name, detail={"field": places, **detail}), (name,))
        return Cleaned(changed, None, rules)

    def _changed(self, record: Record) -> tuple[Record, tuple[str, ...]]:
        texts = texts_of(record.fields)
        if not self._changes or all(_surely_clean(text) for _, text in texts):
            found: list[_Rewritten] = []
        else:
            after = self.texts(texts)
            found = [_Rewritten(place, text, *after[place]) for place, text in texts if place in after]
        suggested = self._suggested(record)
        if not found and not suggested:
            return record, ()
        kept, suggestions, moves = self._with_spans(record, found)
        entries = [
            {"step": STEP, "rule": ", ".join(one.rules), "field": one.place, "before": one.before} for one in kept
        ]
        entries += moves
        same = {one.before: one for one in kept}
        for number, suggestion in enumerate(suggestions):
            value = suggestion.value
            if not isinstance(value, str):
                continue
            # A box that is filled in with a field's text must not look like a rewrite of it.
            rewritten = same.get(value)
            text, rules = (rewritten.after, rewritten.rules) if rewritten else suggested.get(number, (value, ()))
            if text != value and text:
                suggestions[number] = replace(suggestion, value=text)
                place = f"suggestions.{suggestion.question}"
                entries.append({"step": STEP, "rule": ", ".join(rules), "field": place, "before": value})
        if not entries:
            return record, ()
        fields = with_texts(record.fields, {one.place: one.after for one in kept})
        followed = {rule for entry in entries for rule in entry["rule"].split(", ")}
        same_suggestions = suggestions == [*record.suggestions]
        changed = replace(
            record, fields=fields, suggestions=record.suggestions if same_suggestions else tuple(suggestions)
        )
        return with_history(changed, entries), tuple(name for name in self._changes if name in followed)

    def _suggested(self, record: Record) -> dict[int, tuple[str, tuple[str, ...]]]:
        """Suggested texts that rules change, by the suggestion's number. Names of labels are none."""
        found = {}
        for number, suggestion in enumerate(record.suggestions):
            value = suggestion.value
            if isinstance(value, str) and (len(value) > _LONGEST_LABEL or "\n" in value) and self._changes:
                for text, rules in self.texts([("", value)]).values():
                    found[number] = text, rules
        return found

    def _with_spans(
        self, record: Record, found: list[_Rewritten]
    ) -> tuple[list[_Rewritten], list[Suggestion], list[dict[str, Any]]]:
        """What can change without spans losing their passages, the suggestions then, and entries for the history."""
        suggestions = list(record.suggestions)
        entries = []
        for number, fields in fields_of_spans(record, self._spans).items():
            touched = [one for one in found if one.place in fields]
            if not touched:
                continue
            suggestion = suggestions[number]
            changes = edits(touched[0].before, touched[0].after) if len(fields) == 1 else None
            spans: list[dict[str, Any]] = [] if changes is None else moved(suggestion.value, changes)  # type: ignore[arg-type]
            if len(spans) < len(suggestion.value):  # type: ignore[arg-type]
                found = [one for one in found if one.place not in fields]
            elif spans != suggestion.value:
                suggestions[number] = replace(suggestion, value=spans)
                rule = ", ".join(touched[0].rules)
                place = f"suggestions.{suggestion.question}"
                entries.append({"step": STEP, "rule": rule, "field": place, "before": suggestion.value})
        return found, suggestions, entries

    def _wrong(self, record: Record) -> Iterator[tuple[str, str, dict[str, Any]]]:
        """Rules that drop the record: name, field, and what a person wants to know.

        One empty response is enough. Any other fault of one response among several is for people to judge, unless all
        have one; of a chosen and a rejected one, only the chosen counts.
        """
        if not self._drops:
            return
        prompts, responses = _sides(record)
        if "empty" in self._drops:
            if not any(text.strip() for text in prompts.values()) and (prompts or not responses):
                yield "empty", ", ".join(prompts), {"text": ""}
            for place, text in responses.items():
                if detail := ASK["empty"](Question((), text), self._settings):
                    yield "empty", place, detail
        finish = record.metadata.get("finish_reason")
        before = [text for text in prompts.values() if text.strip()]
        decisive = {p: t for p, t in responses.items() if field_of(p) == "chosen"} or responses
        faults = []
        for place, text in decisive.items():
            question = Question(before, text, finish if isinstance(finish, str) and len(responses) == 1 else "")
            for name in self._drops:
                detail = ASK[name](question, self._settings) if name != "empty" else None
                if detail is not None:
                    faults.append((name, place, detail))
                    break
            else:
                return
        yield from faults[:1]


def _sides(record: Record) -> tuple[dict[str, str], dict[str, str]]:
    """The texts before the responses, and the responses, both by place.

    Of a conversation that ends with the assistant's turn, that turn is the response.
    """
    prompts: dict[str, str] = {}
    responses: dict[str, str] = {}
    for name, value in record.fields.items():
        if isinstance(value, str):
            (responses if is_response(name) else prompts)[name] = value
            continue
        answered = bool(value) and value[-1]["role"] == "assistant"
        for number, message in enumerate(value):
            last = number == len(value) - 1
            is_answer = last and (answered or is_response(name))
            (responses if is_answer else prompts)[f"{name}[{number}]"] = message["content"]
    return prompts, responses


def _surely_clean(text: str) -> bool:
    """Whether a look that costs next to nothing shows that no rule would change a text: most are ASCII and clean."""
    return (
        text.isascii()
        and "&" not in text
        and "  " not in text
        and " \n" not in text
        and "\t" not in text
        and "\n\n\n\n" not in text
        and text.replace("\n", "").isprintable()
        and text == text.strip()
    )


def clean_texts(texts: Iterable[tuple[str, str]], **settings: Any) -> dict[str, tuple[str, tuple[str, ...]]]:
    """Clean texts that belong together; the settings are those of :class:`Cleaner`.

    >>> clean_texts([("prompt", "cafÃ©?"), ("response", "Yes.")])
    {'prompt': ('café?', ('mojibake',))}
    """
    return Cleaner(**settings).texts(texts)


def clean(records: Iterable[Record], **settings: Any) -> Result:
    """Clean records; the settings are those of :class:`Cleaner`.

    Returns:
        The clean records under their keys, the dropped ones with rule, field and reason, and how many records each
        rule changed or dropped. Cleaning them again changes nothing.

    >>> result = clean([
    ...     Record("a", {"prompt": "2 + 2?", "response": "4\\u200b"}),
    ...     Record("b", {"prompt": "Sum up the text.", "response": "I'm sorry, but I cannot help with that."}),
    ... ])
    >>> [record.key for record in result.kept], result.why
    (['a'], {'zero_width': 1, 'refusal': 1})
    >>> result.dropped[0].detail
    {'field': 'response', 'phrase': "I'm sorry, but I cannot"}
    """
    cleaner = Cleaner(**settings)
    kept, dropped, why = [], [], Counter[str]()
    for record in records:
        cleaned = cleaner.record(record)
        why.update(cleaned.rules)
        if cleaned.record is not None:
            kept.append(cleaned.record)
        if cleaned.dropped is not None:
            dropped.append(cleaned.dropped)
    return Result(kept, dropped, {name: why[name] for name in RULES if why[name]})
