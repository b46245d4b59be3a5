"""Tasks about transcripts: a model writes summaries, action items, questions and answers, several candidates of each.

All candidates of a task are answers to one prompt: where one prompt asked for care and the other for haste, what would
be learned from people's choice is length.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeAlias

from bridge.errors import BudgetSpent, UsageError, ValueRejected
from bridge.files import line_writer
from bridge.generating.order import in_order
from bridge.generating.result import Generated
from bridge.generating.work import Call, Prompt, Refused, asked_anew, described, no_answer
from bridge.models.asker import Asker
from bridge.models.replies import Reply
from bridge.models.requests import ChatRequest
from bridge.models.structured import ask_structured
from bridge.records import Record
from bridge.templates import TaskTemplate, load_template
from bridge.text import same_text
from bridge.transcripts.meetings import COLUMN, Meeting, Meetings
from bridge.transcripts.recipes import Recipe

PAIRS = "preference"
"""The template of pairs of candidates, and the name of their file."""

_MEETINGS_AT_ONCE = 16
_SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {"questions": {"type": "array", "items": {"type": "string"}}},
    "required": ["questions"],
    "additionalProperties": False,
}

Made: TypeAlias = "tuple[str, Record] | Refused"
"""A record and the template that it is for, or what did not become one."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be made of each transcript.

    Args:
        recipes: what is asked.
        candidates: answers to each prompt.
        questions: how many of a recipe that asks for some.
        domain: what the meetings are about.
        parameters: of the model, such as ``{"temperature": 0.8}``.
        seed: another one asks anew.

    Raises:
        UsageError: a recipe needs a domain, or stands twice.
    """

    recipes: Sequence[Recipe]
    candidates: int = 2
    questions: int = 3
    domain: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0

    def __post_init__(self) -> None:
        names = [recipe.name for recipe in self.recipes]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice or not names:
            raise UsageError(f"task {twice or ''}: named twice or not at all", remedy="name each task once")
        for recipe in self.recipes:
            if recipe.needs_domain and not self.domain.strip():
                raise UsageError(
                    f"task {recipe.name}: it needs a domain", remedy="such as --domain 'software development'"
                )
            template = load_template(recipe.template)
            wanted = {COLUMN, recipe.field, *(["question"] if recipe.questions else [])}
            missing = sorted(name for name in wanted if template.field_for(name) is None)
            if missing:
                raise UsageError(
                    f"task {recipe.name}: template {recipe.template} has no field {missing[0]}",
                    remedy="change field or template in the recipe",
                )


def file_names(plan: Plan) -> list[str]:
    """The files that are written: one for each template, pairs, and what was refused."""
    templates = dict.fromkeys(recipe.template for recipe in plan.recipes)
    return [*(f"{name}.jsonl" for name in (*templates, PAIRS)), "rejected.jsonl"]


class Tasks:
    """Makes the tasks of a file of transcripts.

    Args:
        plan: what is to be made.
        asker: the model.
        tick: is told how far it is.

    >>> import asyncio, tempfile
    >>> from bridge.testing.models_scripted import ScriptedAsker
    >>> from bridge.transcripts.recipes import load_recipe
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "rows.jsonl").write_text('{"transcript": [{"speaker": "Ann", "text": "We ship on Friday."}]}')
    >>> model = ScriptedAsker(lambda request: ["They ship on Friday.", "Ann says that they ship on Friday."])
    >>> tasks = Tasks(Plan([load_recipe("summary")]), model)
    >>> asyncio.run(tasks.to_folder(folder / "rows.jsonl", folder)).operations
    Counter({'summary': 2, 'preference': 1})
    """

    def __init__(
        self, plan: Plan, asker: Asker, tick: Callable[[str, int, int], None] = lambda what, done, total: None
    ) -> None:
        self._plan, self._asker, self._tick = plan, asker, tick
        self._templates = {recipe.template: load_template(recipe.template) for recipe in plan.recipes}
        self._result = Generated()

    async def to_folder(self, rows: Path, folder: Path) -> Generated:
        """Make the tasks; each file appears whole in the end, or stays as it was.

        Raises:
            BudgetSpent: there was no budget for a single record.
            EndpointError: the endpoint answers nobody; what was answered is in the journal.
            InputError, StoreError: a file cannot be read or written.
        """
        meetings, result, seen = Meetings(rows), self._result, set()
        with ExitStack() as stack:
            write = {
                Path(name).stem: stack.enter_context(line_writer(folder / name)) for name in file_names(self._plan)
            }
            try:
                async for made in self._all(meetings):
                    if isinstance(made, tuple) and (made[0], made[1].key) in seen:
                        made = Refused("same", "the same record as an earlier one", "nothing", key=made[1].key)
                    if isinstance(made, Refused):
                        result.refuse(made)
                        write["rejected"](made.to_dict())
                        continue
                    template, record = made
                    seen.add((template, record.key))
                    result.made += 1
                    result.operations[PAIRS if template == PAIRS else record.metadata["operation"]] += 1
                    result.test_only += record.metadata.get("test_only") is True
                    write[template](record.to_dict())
                    self._tick("records", result.made, 0)
            except BudgetSpent as error:
                if not result.made:
                    raise
                result.stopped = error.reason
            result.unreadable += meetings.unreadable
            for reject in meetings.unreadable:
                write["rejected"](
                    {"line": reject.line, "step": "read", "reason": reject.reason, "remedy": reject.remedy}
                )
        return result

    async def _all(self, meetings: Meetings) -> AsyncIterator[Made]:
        calls = (self._task(meeting, recipe) for meeting in meetings for recipe in self._plan.recipes)
        async for several in in_order(calls, _MEETINGS_AT_ONCE * len(self._plan.recipes)):
            for made in several:
                yield made

    async def _task(self, meeting: Meeting, recipe: Recipe) -> list[Made]:
        values = {"transcript": meeting.text, "speakers": meeting.speakers, "domain": self._domain()}
        if not recipe.questions:
            return await self._answers(meeting, recipe, values)
        questions = await self._questions(meeting, recipe, values)
        if isinstance(questions, Refused):
            return [questions]
        made: list[Made] = []
        for question in questions:
            made += await self._answers(meeting, recipe, {**values, "question": question})
        return made

    def _domain(self) -> str:
        return f"The field is: {' '.join(self._plan.domain.split())}." if self._plan.domain.strip() else ""

    async def _questions(self, meeting: Meeting, recipe: Recipe, values: Mapping[str, str]) -> list[str] | Refused:
        count = self._plan.questions
        messages = recipe.asked_for_questions({**values, "count": str(count)})
        request = self._request(messages, schema=_SCHEMA)

        def check(said: Any) -> list[str]:
            different: list[str] = []
            for question in (" ".join(one.split()) for one in said["questions"]):
                if question and not any(same_text(question.casefold(), one.casefold()) for one in different):
                    different.append(question)
            if not different:
                raise ValueError("there is no question in it")
            return different[:count]

        done = await ask_structured(self._asker, request, check)
        value = done.values[0]
        if value.value is None:
            return no_answer(
                f"{recipe.name}: no questions: {value.problem}", done.reply, line=meeting.line, key=meeting.key
            )
        return value.value

    async def _answers(self, meeting: Meeting, recipe: Recipe, values: Mapping[str, str]) -> list[Made]:
        """The candidates for one prompt, and two of them as a pair."""
        request = self._request(recipe.asked(values), count=self._plan.candidates)
        reply = await self._asker.ask(request)
        if not reply.choices:
            return [self._no_answer(meeting, recipe, reply.problem, reply)]
        made: list[Made] = []
        different: list[str] = []
        for choice in reply.choices:
            if choice.problem is not None or choice.text is None:
                made.append(self._no_answer(meeting, recipe, choice.problem, reply))
            elif any(same_text(choice.text, other) for other in different):
                reason, remedy = f"{recipe.name}: the same answer as another candidate", "raise the temperature"
                made.append(Refused("same", reason, remedy, meeting.line, meeting.key, choice.text))
            else:
                different.append(choice.text.strip())
        given: dict[str, Any] = {COLUMN: meeting.value}
        if "question" in values:
            given["question"] = values["question"]
        template = self._templates[recipe.template]
        metadata = self._metadata(meeting, recipe, request, reply, len(reply.choices))
        for number, text in enumerate(different, 1):
            fields = {**given, recipe.field: text}
            made.append(self._record(template, fields, {**metadata, "candidate": number}, meeting))
        if len(different) > 1:
            made.append(self._pair(template, meeting, values.get("question"), different[:2], metadata))
        return made

    @staticmethod
    def _no_answer(meeting: Meeting, recipe: Recipe, problem: str | None, reply: Reply) -> Refused:
        refused = no_answer(problem or "no answer", reply, line=meeting.line, key=meeting.key)
        return replace(refused, reason=f"{recipe.name}: {refused.reason}")

    def _request(
        self, messages: Sequence[Mapping[str, str]], *, count: int = 1, schema: Mapping[str, Any] | None = None
    ) -> ChatRequest:
        parameters = {**self._plan.parameters, **({"n": count} if count > 1 else {})}
        return ChatRequest(self._asker.model, tuple(messages), parameters, schema, asked_anew(self._plan.seed))

    def _metadata(
        self, meeting: Meeting, recipe: Recipe, request: ChatRequest, reply: Reply, texts: int
    ) -> dict[str, Any]:
        domain = {"domain": self._plan.domain} if self._plan.domain.strip() else {}
        prompt = Prompt(
            meeting.value,
            recipe.name,
            meeting.root,
            meeting.key,
            metadata={**meeting.metadata, **domain},
            line=meeting.line,
        )
        return described(prompt, {recipe.field: Call.of(request, reply, texts)})

    @staticmethod
    def _record(template: TaskTemplate, fields: Mapping[str, Any], metadata: dict[str, Any], meeting: Meeting) -> Made:
        try:
            return template.name, Record(fields=template.check_fields(dict(fields)), metadata=metadata)
        except ValueRejected as error:
            return Refused("text", error.reason, error.remedy, meeting.line, meeting.key)

    def _pair(
        self,
        template: TaskTemplate,
        meeting: Meeting,
        question: str | None,
        texts: Sequence[str],
        metadata: dict[str, Any],
    ) -> Made:
        """Two candidates beside each other, in an order that says nothing; the prompt is that of the training rows."""
        instruction = template.training.instruction.strip() if template.training else ""
        prompt = "\n\n".join(part for part in (instruction, meeting.text, question) if part)

        def lot(text: str) -> bytes:
            return hashlib.sha256(f"{self._plan.seed}\0{meeting.key}\0{text}".encode()).digest()

        first, second = sorted(texts, key=lot)
        fields = {"prompt": prompt, "response_a": first, "response_b": second}
        return self._record(load_template(PAIRS), fields, metadata, meeting)
