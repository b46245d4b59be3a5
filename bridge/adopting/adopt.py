"""Adopting a project: from what was read to a campaign's folder."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

from bridge.adopting.drafting import draft, fit_to_records, yaml_of
from bridge.adopting.folder import RECORDS, TEMPLATE, Folder
from bridge.adopting.names import Names, folded
from bridge.adopting.parts import Found, NotAdopted
from bridge.adopting.sources import ArgillaSource, LabelStudioSource, Source
from bridge.annotations import Annotation
from bridge.errors import UsageError, ValueRejected
from bridge.files import write_lines
from bridge.keys import find_key, origin
from bridge.records import Record, Suggestion, record_key
from bridge.servers.protocol import Answered, Page
from bridge.sync.feedback import Changes, Feedback
from bridge.sync.people import People
from bridge.sync.pull import pull
from bridge.templates import TaskTemplate, parse_template
from bridge.text import check_key
from bridge.yamlfile import parse_yaml

if TYPE_CHECKING:
    from bridge.servers.protocol import Server

Kind = Literal["argilla", "label-studio"]
KINDS: tuple[Kind, ...] = ("argilla", "label-studio")

_PAGE = 500
_KEY_ENV = {"argilla": "ARGILLA_API_KEY", "label-studio": "LABEL_STUDIO_API_KEY"}


@dataclass
class AdoptResult:
    """What became of a project.

    Args:
        folder: the campaign's folder.
        project: the project's id on the server.
        title: its name.
        url: where people work on it.
        fields: name to type.
        questions: name to type.
        records: how many there are in ``records.jsonl``.
        suggestions: how many they have.
        answers: what changed in the store, as a pull counts it.
        template_kept: the template had been edited, and is as it was.
        dropped: what is not in the campaign, and why (also in ``out/not_adopted.jsonl``).
        notes: what is there, but not quite as it was.
    """

    folder: Path
    project: str
    title: str
    url: str
    fields: dict[str, str] = field(default_factory=dict)
    questions: dict[str, str] = field(default_factory=dict)
    records: int = 0
    suggestions: int = 0
    answers: Changes = field(default_factory=Changes)
    template_kept: bool = False
    dropped: list[NotAdopted] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        """Whether nothing was left out."""
        return not self.dropped

    def counts(self) -> dict[str, int]:
        """Kind of what was left out to how often."""
        return dict(sorted(Counter(case.kind for case in self.dropped).items()))

    def to_dict(self) -> dict[str, Any]:
        """The result as ``--json`` prints it."""
        return {
            "folder": str(self.folder),
            "project": self.project,
            "title": self.title,
            "url": self.url,
            "fields": self.fields,
            "questions": self.questions,
            "records": self.records,
            "suggestions": self.suggestions,
            "answers": vars(self.answers),
            "template_kept": self.template_kept,
            "left_out": self.counts(),
            "not_adopted": [case.to_dict() for case in self.dropped[:100]],
            "notes": self.notes,
        }


def adopt(
    project: str,
    *,
    kind: str,
    url: str,
    workspace: str = "",
    key_env: str | None = None,
    into: str | Path = ".",
    allow_http: bool = False,
    progress: Callable[[str, int, int], None] = lambda what, done, total: None,
) -> AdoptResult:
    """Make a campaign of a project that somebody made by hand, or bring such a campaign up to date.

    The project is only read. All of it is read before anything is written.

    Args:
        project: its id on the server, or else its name.
        kind: ``argilla`` or ``label-studio``.
        url: the server's address.
        workspace: on Argilla, where several workspaces have a dataset of that name.
        key_env: the environment variable with the key; else it comes from the key file.
        into: the campaign's folder: a new one, or one that this project was adopted into before.
        allow_http: permit plain http to other machines.
        progress: called with what is done, how much, and of how much.

    Raises:
        UsageError: an unknown kind, or a folder with another campaign or with files that would be overwritten.
        NotFound, Conflict: no such project, several of that name, or one that annobridge made.
        InputError: it shows no text, asks nothing that a template can ask, or holds no records.
        TemplateError: the template in the folder was edited, and is wrong.
        ServerError: the server cannot be read. Nothing was written.

    >>> adopt("Answers", kind="doccano", url="http://127.0.0.1:8080")
    Traceback (most recent call last):
    ...
    bridge.errors.UsageError: nothing can be adopted from a server of the kind 'doccano'
      remedy: use one of argilla, label-studio
    """
    if kind not in KINDS:
        raise UsageError(
            f"nothing can be adopted from a server of the kind {kind!r:.60}", remedy=f"use one of {', '.join(KINDS)}"
        )
    folder = Folder(Path(into))
    before = folder.before(kind, origin(url))
    key_env = key_env or _KEY_ENV[kind]
    source = _source(kind, url, workspace, key_env, allow_http)
    names = Names(before.get("names"))
    try:
        original = source.original(project, names, lambda done, total: progress("reading", done, total))
    finally:
        source.close()
    identity = {"server": kind, "origin": origin(url), "project": original.id}
    folder.check(before, identity, original.title)
    shape, found = original.shape, original.found
    fit_to_records(shape, found)
    fresh = draft(shape, _template_name(original.title), found)
    text = yaml_of(fresh, f"{kind}, {original.title!r}", shape.notes)
    parse_template(parse_yaml(text, str(folder.path / TEMPLATE), UsageError))
    with folder.state.alone("adopt") as ledger:
        result = AdoptResult(folder.path, original.id, original.title, original.url)
        result.dropped += shape.left
        result.notes += shape.notes
        settled = folder.settle_template(before, identity, names.given, text, fresh)
        template, result.template_kept = settled.template, settled.kept
        result.notes += settled.notes
        result.dropped += settled.dropped
        places = _records(found, template, result)
        _store(folder, original.id, found, places, template, result)
        records: dict[str, Record] = {}
        for place in places.values():
            if place.record is not None:
                records.setdefault(place.key, place.record)
        write_lines(folder.path / RECORDS, [record.to_dict() for record in records.values()])
        write_lines(folder.path / "out" / "not_adopted.jsonl", [case.to_dict() for case in result.dropped])
        folder.state.remember(ledger, identity, "")
        server = {"kind": kind, "url": url, "key_env": key_env}
        server |= {"workspace": original.workspace} if original.workspace else {}
        folder.write_config(original, template, server | ({"allow_http": True} if allow_http else {}))
    result.fields = {part.name: part.type for part in template.fields}
    result.questions = {question.name: question.type for question in template.questions}
    return result


def _source(kind: str, url: str, workspace: str, key_env: str, allow_http: bool) -> Source:
    key = find_key(url, key_env)
    if kind == "argilla":
        return ArgillaSource(url, key, workspace, allow_http=allow_http)
    return LabelStudioSource(url, key, allow_http=allow_http)


def _template_name(title: str) -> str:
    name = folded(title)[:60].strip("_")
    return name if name[:1].isalpha() else f"adopted_{name}"[:60].strip("_")


# -- records and answers


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the answers to something go: under this key, and what they are answers to, if that became a record."""

    key: str
    record: Record | None = None


def _records(found: Sequence[Found], template: TaskTemplate, result: AdoptResult) -> dict[str, _Place]:
    """By the server's ids, what became of each record; those that are none are noted."""
    own = Counter(one.own_key for one in found)
    places: dict[str, _Place] = {}
    first: dict[str, str] = {}
    for one in found:
        mine = one.own_key if one.own_key and own[one.own_key] == 1 and _usable(one.own_key) else ""
        try:
            fields = template.check_fields(one.fields)
            if not fields:
                raise ValueRejected("it has none of the fields")
            key = mine or record_key(fields)
        except ValueRejected as error:
            places[one.id] = _Place(mine or one.id)
            reason = f"{_why(error)}; its answers are in the store, and count for nothing"
            result.dropped += [NotAdopted("record", one.id, reason, places[one.id].key)]
        else:
            suggestions = tuple(_suggestions(one, template))
            places[one.id] = _Place(key, Record(key, fields, suggestions, one.metadata))
            if key in first:
                reason = f"the same text as that of {first[key]} on the server, whose record has its answers too"
                result.dropped.append(NotAdopted("record", one.id, reason, key))
            else:
                first[key] = one.id
                result.suggestions += len(suggestions)
        result.dropped += [replace(case, record=places[one.id].key) for case in one.left]
    result.records = len(first)
    counts = Counter(note for one in found for note in set(one.notes))
    result.notes += [f"{note} ({count:,} records)" for note, count in counts.items()]
    return places


def _usable(key: str) -> bool:
    try:
        return check_key(key) == key
    except ValueRejected:
        return False


def _why(error: ValueRejected) -> str:
    return f"{error.reason} ({error.remedy})" if error.remedy else error.reason


def _suggestions(one: Found, template: TaskTemplate) -> Iterator[Suggestion]:
    seen = set()
    for suggestion in one.suggestions:
        agent = "".join(char for char in suggestion.agent if char.isprintable())[:200]
        try:
            value = template.question(suggestion.question).validate(suggestion.value, one.fields)
            if (suggestion.question, agent) in seen:
                raise ValueRejected(f"a second one by {agent!r:.60}")
        except ValueRejected as error:
            one.leave("suggestion", suggestion.question, _why(error))
        else:
            seen.add((suggestion.question, agent))
            yield replace(suggestion, value=value, agent=agent)


def _store(
    folder: Folder,
    project: str,
    found: Sequence[Found],
    places: Mapping[str, _Place],
    template: TaskTemplate,
    result: AdoptResult,
) -> None:
    """Bring the store up to date, as a pull does."""
    answered = []
    for one in found:
        place = places[one.id]
        # The key says what was judged if it is the hash; a key of the user's own does not.
        content = place.record.content if place.record else place.key
        extra = {} if content == place.key else {"content": content}
        annotations = tuple(replace(a, record=place.key, source={**a.source, **extra}) for a in one.annotations)
        result.dropped += [case for a in annotations for case in _cannot_count(a, place, template)]
        answered.append(Answered(place.key, one.id, annotations))
    people = People(folder.state.folder)
    feedback = Feedback(folder.state.folder / "feedback.jsonl")
    read = cast("Server", _Read(answered))  # a full pull asks a server for nothing but its changes
    result.answers = pull(read, project, feedback, people).changes


def _cannot_count(annotation: Annotation, place: _Place, template: TaskTemplate) -> Iterator[NotAdopted]:
    """Answers that their questions do not allow: they are in the store, as after a pull, and no merge counts them."""
    if annotation.status != "submitted" or place.record is None:
        return
    for name, value in annotation.answers.items():
        try:
            template.question(name).validate(value, place.record.fields)
        except ValueRejected as error:
            yield NotAdopted("answer", name, f"it cannot count: {error.reason}", place.key, annotation.source["id"])


class _Read:
    """What was read, as the changes of a server that has been asked for everything."""

    def __init__(self, answered: Sequence[Answered]) -> None:
        self._answered = answered

    def changes(self, cursor: str = "") -> Iterator[Page]:
        for start in range(0, len(self._answered), _PAGE):
            yield Page(self._answered[start : start + _PAGE], "")
