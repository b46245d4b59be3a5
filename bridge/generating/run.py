"""A run: what the settings ask for, from the user's rows and models to two files, the records and what was refused."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, TypeAlias

from bridge.curate.items import Items, texts
from bridge.errors import BudgetSpent, UsageError
from bridge.files import line_writer
from bridge.generating.answering import Answering, Made
from bridge.generating.facts import capitals_tell
from bridge.generating.given import Given, GivenRows
from bridge.generating.instructions import Instructions, cells, drawn
from bridge.generating.novelty import Pool
from bridge.generating.recipes import Recipe, is_file, load_recipe
from bridge.generating.result import Caution, Generated
from bridge.generating.rewriting import Rewriting
from bridge.generating.settings import GenerateConfig
from bridge.generating.shape import Shape
from bridge.generating.variants import Variants, inherited, rare
from bridge.generating.work import Arm, Prompt, Refused
from bridge.models.asker import Asker
from bridge.records import FieldValue, Record
from bridge.templates import load_template

Write: TypeAlias = "Callable[[Mapping[str, Any]], None]"
Tick: TypeAlias = "Callable[[str, int, int], None]"

_LOOK_AT = 1000  # rows by which it is told whether capital letters make names


class _Sink:
    """Where records and refused texts go."""

    def __init__(self, result: Generated, keep: Write, refuse: Write) -> None:
        self._result, self._keep, self._refuse = result, keep, refuse
        self._seen: set[str] = set()

    def take(self, made: Made) -> None:
        if isinstance(made, Record) and made.key in self._seen:
            made = Refused("same", "the same record as an earlier one", "nothing", key=made.key)
        if isinstance(made, Refused):
            self._result.refuse(made)
            self._refuse(made.to_dict())
            return
        self._seen.add(made.key)
        suggested = made.metadata.get("suggested_by")
        about = suggested if isinstance(suggested, dict) else made.metadata
        self._result.made += 1
        self._result.operations[about["operation"]] += 1
        self._result.test_only += made.metadata.get("test_only") is True
        self._keep(made.to_dict())


class Run:
    """One run.

    Args:
        config: what is wanted.
        askers: name of a model to who answers for it.
        singly: the same for requests that come one by one, each after the answer to another one: new instructions.
        folder: where paths in the settings start.
        tick: is told how far the run is.

    Raises:
        UsageError: what is wanted cannot be.

    >>> import asyncio, tempfile
    >>> from bridge.generating.settings import load_settings
    >>> from bridge.testing.models_scripted import ScriptedAsker
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "rows.jsonl").write_text('{"prompt": "2 + 2?"}')
    >>> flags = {"make": "candidates", "template": "preference", "rows": "rows.jsonl", "models": "m", "url": "-"}
    >>> config, _ = load_settings(None, flags)
    >>> run = Run(config, {"m": ScriptedAsker(lambda asked: ["4", "Four."], "m")}, folder=folder)
    >>> asyncio.run(run.to_files(folder / "made.jsonl", folder / "rejected.jsonl")).made
    1
    """

    def __init__(
        self,
        config: GenerateConfig,
        askers: Mapping[str, Asker],
        *,
        singly: Mapping[str, Asker] | None = None,
        folder: Path | None = None,
        tick: Tick = lambda what, done, total: None,
    ) -> None:
        self._config, self._askers, self._folder, self._tick = config, askers, folder or Path(), tick
        template = config.template
        self._shape = Shape.of(load_template(self._folder / template if is_file(template) else template))
        self._result = Generated()
        first = config.models[0]
        writers = singly if singly and config.make == "instructions" else askers
        self._writer = Arm(first.name, writers[first.name], parameters=first.parameters)
        if config.make == "instructions" and self._shape.prompt.type == "transcript":
            raise UsageError(
                f"template {template}: its prompts are transcripts, and no new ones are made up",
                remedy="use annobridge transcripts for your own, or make: augment for variants of them",
            )
        if config.make != "rewrite":
            arms = self._arms()
            count = config.candidates or (len(arms) if len(arms) > 1 else self._shape.least)
            self._answering = Answering(self._shape, arms, count, config.seed)
            self._result.lengths = self._answering.lengths

    async def to_files(self, out: Path, rejected: Path) -> Generated:
        """Make the records and write both files, each of which appears whole at the end, or stays as it was.

        Raises:
            BudgetSpent: there was no budget for a single record.
            EndpointError: the endpoint answers nobody; neither file changes, and what was answered is in the journal.
            InputError, StoreError: a file cannot be read or written.
        """
        result = self._result
        with line_writer(out) as keep, line_writer(rejected) as refuse:
            sink = _Sink(result, keep, refuse)
            try:
                await self._all(sink)
            except BudgetSpent as error:
                if not result.made:
                    raise
                result.stopped = error.reason
            for reject in result.unreadable:
                refuse({"line": reject.line, "step": "read", "reason": reject.reason, "remedy": reject.remedy})
        self._caution()
        return result

    async def _all(self, sink: _Sink) -> None:
        makers = {
            "instructions": self._instructions,
            "candidates": self._candidates,
            "rewrite": self._rewrite,
            "augment": self._augment,
        }
        async for made in makers[self._config.make]():
            sink.take(made)
            self._tick("records", self._result.made, 0)

    # -- what can be made

    async def _instructions(self) -> AsyncIterator[Made]:
        config, wanted = self._config, self._config.instructions
        pool = self._pool()
        examples: list[str] = []
        answered: list[tuple[FieldValue, str]] = []
        for row in self._rows() if config.rows else ():
            examples.append(self._shape.varied(row.prompt))
            pool.add(row.key, examples[-1])
            if row.answer is not None and isinstance(row.prompt, str):
                answered.append((row.prompt, row.answer))
        self._answering.shots = [answered[at] for at in drawn(len(answered), wanted.shots, f"{config.seed}/shots")]
        named = cells(wanted.topics, wanted.personas, wanted.levels, wanted.count)
        asking = Instructions(
            self._writer,
            self._recipes(["instructions"], answer="list")[0],
            named,
            pool,
            examples=examples,
            shown=wanted.examples,
            per_request=wanted.per_request,
            rounds=wanted.rounds,
            seed=config.seed,
        )
        prompts: list[Prompt] = []
        async for refused in self._written(asking.write(), prompts, wanted.count):
            yield refused
        for cell, missing in zip(named, asking.missing, strict=True):
            if missing:
                self._result.missing[", ".join(cell.metadata.values())] = missing
        async for made in self._answering.answer(prompts):
            yield made

    async def _candidates(self) -> AsyncIterator[Made]:
        def prompts() -> Iterator[Prompt]:
            for row in self._rows():
                metadata = inherited(row, self._config.keep)
                yield Prompt(row.prompt, "candidates", row.root, row.key, metadata=metadata, line=row.line)

        async for made in self._answering.answer(prompts()):
            yield made

    async def _rewrite(self) -> AsyncIterator[Made]:
        config = self._config
        rewriting = Rewriting(
            self._writer,
            self._recipes(["rewrite"], of="answer")[0],
            self._shape,
            instruction=" ".join(config.rewrite.instruction.split()),
            suggest=config.rewrite.suggest,
            names=config.names,
            capitals=self._capitals(),
            keep=config.keep,
            seed=config.seed,
        )
        self._result.lengths = rewriting.lengths
        async for made in rewriting.rewrite(self._rows()):
            yield made

    async def _augment(self) -> AsyncIterator[Made]:
        config, wanted = self._config, self._config.augment
        assert wanted.by is not None
        recipes = self._recipes(["paraphrase", "harder"])
        pool = self._pool()

        def rows() -> Iterator[Given]:
            for row in self._rows():
                pool.add(row.key, self._shape.varied(row.prompt))
                yield row

        strata, counts = rare(rows(), wanted.by, wanted.below, wanted.only)
        for name in sorted({*wanted.only} - {*counts}):
            self._result.missing[name] = wanted.below
        if not counts:
            raise UsageError(
                f"augment: no row says {wanted.by}", remedy="name a column of the rows, or a piece of their metadata"
            )
        asking = Variants(
            self._writer,
            recipes,
            self._shape,
            pool,
            by=wanted.by,
            names=config.names,
            capitals=self._capitals(),
            per_row=wanted.per_row,
            keep=config.keep,
            seed=config.seed,
        )
        prompts: list[Prompt] = []
        async for refused in self._written(asking.write(strata), prompts, sum(one.wanted for one in strata)):
            yield refused
        self._result.missing |= {name: missing for name, missing in asking.missing.items() if missing}
        async for made in self._answering.answer(sorted(prompts, key=lambda prompt: prompt.answer is None)):
            yield made

    async def _written(
        self, found: AsyncIterator[Prompt | Refused], prompts: list[Prompt], wanted: int
    ) -> AsyncIterator[Refused]:
        """What was refused; the prompts go into a list. A budget that is spent ends it, and is seen again later."""
        try:
            async for one in found:
                if isinstance(one, Refused):
                    yield one
                else:
                    prompts.append(one)
                    self._tick("prompts", len(prompts), wanted)
        except BudgetSpent as error:
            if not prompts:
                raise
            self._result.stopped = error.reason

    # -- what it is made from

    def _arms(self) -> list[Arm]:
        config = self._config
        models = {one.name: one for one in config.models}
        if config.arms:
            found = [(arm.name, models[arm.model or config.models[0].name], arm) for arm in config.arms]
            return [
                Arm(
                    name,
                    self._askers[model.name],
                    (arm.system or config.system).strip(),
                    {**model.parameters, **arm.parameters},
                )
                for name, model, arm in found
            ]
        return [Arm(one.name, self._askers[one.name], config.system.strip(), one.parameters) for one in models.values()]

    def _recipes(self, usual: Sequence[str], *, answer: str = "text", of: str = "prompt") -> list[Recipe]:
        found = []
        for name in self._config.recipes or usual:
            recipe = load_recipe(self._folder / name if is_file(name) else name)
            if recipe.answer != answer or recipe.of != of:
                raise UsageError(
                    f"recipe {recipe.name}: it is not one for {self._config.make}",
                    remedy="see the table of recipes in docs/generation.md",
                )
            found.append(recipe)
        return found

    def _given(self) -> GivenRows:
        rows = self._config.rows
        assert rows is not None
        return GivenRows(self._folder / rows.path, self._shape, mapping=rows.map, id_column=rows.id)

    def _rows(self) -> Iterator[Given]:
        """The user's rows; those that cannot be used are in the result."""
        given = self._given()
        try:
            yield from given
        finally:
            self._result.unreadable = given.rejects

    def _pool(self) -> Pool:
        pool = Pool(self._config.novelty.threshold)
        for path in self._config.novelty.against:
            items = Items(self._folder / path, unique=False)
            for item in items:
                pool.add(item.record.key, texts(item.record, "prompt"))
            if items.rejects:
                means = f"{path}: {len(items.rejects):,} lines could not be read, so nothing was compared with them"
                self._result.cautions.append(Caution(means, items.rejects[0].remedy))
        return pool

    def _capitals(self) -> bool:
        """Whether capital letters make names in these rows."""
        looked_at: Iterable[Given] = islice(self._given(), _LOOK_AT)
        if capitals_tell(self._shape.varied(row.prompt) for row in looked_at):
            return True
        means = "capital letters tell no names in these rows, as in German: only names that you list are checked"
        self._result.cautions.append(Caution(means, "list names that must stay under names"))
        return False

    def _caution(self) -> None:
        result = self._result
        arms = self._config.arms
        if self._config.make != "rewrite" and len({(arm.system or self._config.system).strip() for arm in arms}) > 1:
            names = " and ".join(arm.name for arm in arms)
            means = f"{names} are asked in different words: pairs of them teach what the words ask for, length first"
            result.cautions.append(Caution(means, "for pairs that teach quality, sample candidates under one prompt"))
        if result.lengths and result.lengths.teaches_length:
            arm, share = max(result.lengths.longest.items(), key=lambda pair: pair[1])
            means = f"the answer of {arm} is the longer one in {share:.0%} of {result.lengths.records:,} records"
            remedy = "who learns from these pairs can learn length from them; balance lengths, or use other arms"
            result.cautions.append(Caution(means, remedy))
        if result.test_only:
            means = f"{result.test_only:,} records are a test double's work (test_only), and are not for training"
            result.cautions.append(Caution(means, "name a real endpoint"))
