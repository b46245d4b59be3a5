"""A local OpenAI-compatible server for tests: it answers the same to the same request, and fails on demand.

What it says it says as ``stub``: its replies carry that name in place of the model's, records made of them say
``test_only``, and the export refuses them. It keeps what it was asked, and forgets the keys that it was shown.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from random import Random
from types import TracebackType
from typing import Any, Literal, Self, TypeAlias

from bridge.metadata import STUB, wrote_stub
from bridge.models.capabilities import FEATURES, Feature
from bridge.models.replies import Choice
from bridge.testing.models_answers import sample, sentence, token_choices, told_schema, written
from bridge.testing.models_batches import Batches, BatchFaults
from bridge.testing.models_http import HttpAnswer, HttpRequest, HttpThread

ModelFault: TypeAlias = Literal[
    "busy", "broken", "slow", "lost", "html", "truncated", "refused", "filtered", "bad json", "one choice"
]
"""``busy``: 429 with ``Retry-After``. ``broken``: 500. ``slow``: the answer comes late. ``lost``: the connection closes
after the answer was made. ``html``: 200 and a page for people. ``truncated``: half of the answer, with ``length``.
``refused``: the model refuses. ``filtered``: 400 of a content filter. ``bad json``: an answer that is no JSON.
``one choice``: ``n`` is ignored."""

CHANCE: tuple[ModelFault, ...] = ("busy", "broken", "truncated", "refused", "bad json", "one choice")
"""What happens by chance, unless told otherwise."""

Said: TypeAlias = "str | Choice | Sequence[str | Choice]"
"""An answer: a text, a choice with its finish and its tokens, or one of these for each of ``n``."""


@dataclass(frozen=True)
class Asked:
    """A chat completion that was asked for.

    Args:
        number: which one it was, from 1.
        body: as it was sent.
        again: how often the same had been asked for before.
    """

    number: int
    body: Mapping[str, Any]
    again: int = 0

    @property
    def text(self) -> str:
        """What the last message says."""
        text = self.body["messages"][-1].get("content")
        return text if isinstance(text, str) else ""

    @property
    def n(self) -> int:
        """How many choices are wanted."""
        wanted = self.body.get("n") or 1
        return wanted if isinstance(wanted, int) else 1

    @property
    def schema(self) -> Mapping[str, Any] | None:
        """The JSON Schema that the answer must follow."""
        form = self.body.get("response_format")
        named = form.get("json_schema") if isinstance(form, dict) else None
        schema = named.get("schema") if isinstance(named, dict) else None
        return schema if isinstance(schema, dict) else None

    @cached_property
    def digest(self) -> str:
        """A hash of the body: the same for the same request."""
        return hashlib.sha256(json.dumps(self.body, sort_keys=True).encode()).hexdigest()


class ModelServer:
    """The server; to be used in a ``with`` statement.

    What happens to a request depends on the seed, on the request, and on how often the same came before, so it does
    not matter in which order requests arrive.

    Args:
        answer: says what the model says; without it, words that mean nothing, or data that follow the schema.
        models: the names that it knows; any by default.
        key: the key that it demands; none by default.
        can: which features it has.
        unsupported: what becomes of a request for a feature that it does not have.
        at: which requests fail, by their number from 1, and how.
        rate: which share of all others fails by chance.
        kinds: how these do.
        seed: of chance.
        retry_after: seconds that ``busy`` asks for.
        slow_s: seconds by which ``slow`` is late.
        context: most characters of a prompt.
        batches: what goes wrong in the Batch API.
        port: 0 lets the system choose.

    >>> import urllib.request
    >>> body = {"model": "any", "messages": [{"role": "user", "content": "2 + 2?"}]}
    >>> with ModelServer(lambda asked: asked.text.replace("?", " = 4")) as server:
    ...     with urllib.request.urlopen(f"{server.url}/chat/completions", json.dumps(body).encode()) as reply:
    ...         said = json.load(reply)
    >>> said["model"], said["choices"][0]["message"]["content"], server.asked[0].text
    ('stub-any', '2 + 2 = 4', '2 + 2?')
    """

    def __init__(
        self,
        answer: Callable[[Asked], Said] | None = None,
        *,
        models: Collection[str] | None = None,
        key: str | None = None,
        can: Collection[Feature] = FEATURES,
        unsupported: Literal["ignored", "refused"] = "ignored",
        at: Mapping[int, ModelFault] | None = None,
        rate: float = 0.0,
        kinds: Sequence[ModelFault] = CHANCE,
        seed: int = 0,
        retry_after: float = 0.0,
        slow_s: float = 1.0,
        context: int | None = None,
        batches: BatchFaults | None = None,
        port: int = 0,
    ) -> None:
        self.answer = answer
        self.asked: list[Asked] = []
        """All chat completions that were asked for, in the order in which they came, those in batches included."""
        self.history: list[tuple[int, ModelFault]] = []
        """Which of them failed, and how."""
        self.answered: Counter[str] = Counter()
        """How often each request was answered, by its digest: what a provider would charge for."""
        self._models, self._key, self._can, self._unsupported = models, key, frozenset(can), unsupported
        self._at, self._rate, self._kinds, self._seed = dict(at or {}), rate, tuple(kinds), seed
        self._retry_after, self._slow_s, self._context = retry_after, slow_s, context
        self._times: Counter[str] = Counter()
        self.batches = Batches(self._complete, batches or BatchFaults())
        """The Batch API's side of it."""
        self._http = HttpThread(self._serve, port)

    @property
    def url(self) -> str:
        """The address for clients."""
        return f"http://127.0.0.1:{self._http.port}/v1"

    def start(self) -> None:
        """Begin to serve, without a ``with`` statement."""
        self._http.start()

    def stop(self) -> None:
        """Close all connections, and end."""
        self._http.stop()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    async def _serve(self, request: HttpRequest) -> HttpAnswer | None:
        if self._key is not None and request.headers.get("authorization") != f"Bearer {self._key}":
            shown = request.headers.get("authorization", "")
            return error(401, "invalid_api_key", f"Incorrect API key provided: {shown}")
        match request.method, request.path:
            case "POST", "/v1/chat/completions":
                return await self._chat(request.body)
            case "GET", "/v1/models":
                names = self._models or [STUB]
                return reply(200, {"object": "list", "data": [{"id": name, "object": "model"} for name in names]})
        if request.path.startswith(("/v1/files", "/v1/batches")):
            return self.batches.serve(request)
        return HttpAnswer(404, b"<html><body>Not Found</body></html>", "text/html")

    async def _chat(self, raw: bytes) -> HttpAnswer | None:
        try:
            body = json.loads(raw)
        except ValueError:
            return error(400, "invalid_request_error", "We could not parse the JSON body of your request.")
        asked, fault = self._note(body)
        if isinstance(asked, HttpAnswer):
            return asked
        match fault:
            case "busy":
                return error(429, "rate_limit_exceeded", "Slow down.", {"Retry-After": f"{self._retry_after:g}"})
            case "broken":
                return error(500, "server_error", "The server had an error.")
            case "html":
                return HttpAnswer(200, b"<html><body>Please sign in.</body></html>", "text/html")
            case "filtered":
                return error(400, "content_filter", f"The prompt was filtered: {asked.text}")
            case "slow":
                await asyncio.sleep(self._slow_s)
        status, said = self._completion(asked, fault)
        return None if fault == "lost" else reply(status, said)

    def _complete(self, body: Mapping[str, Any]) -> tuple[int, Mapping[str, Any]]:
        """Answer a line of a batch: status and body."""
        asked, fault = self._note(body)
        if isinstance(asked, HttpAnswer):
            return asked.status, json.loads(asked.body)
        return self._completion(asked, fault)

    def _note(self, body: Any) -> tuple[Asked | HttpAnswer, ModelFault | None]:
        """Remember a request, and what is to go wrong with it; one that cannot be answered gets its answer."""
        if not isinstance(body, dict) or not isinstance(body.get("messages"), list) or not body["messages"]:
            return error(400, "invalid_request_error", "messages: required"), None
        asked = Asked(len(self.asked) + 1, body)
        asked = Asked(asked.number, body, self._times[asked.digest])
        self._times[asked.digest] += 1
        self.asked.append(asked)
        model = body.get("model")
        if self._models is not None and model not in self._models:
            return error(404, "model_not_found", f"The model {model} does not exist."), None
        length = sum(len(str(message.get("content"))) for message in body["messages"])
        if self._context is not None and length > self._context:
            told = f"This model's maximum context length is {self._context}. You sent: {asked.text}"
            return error(400, "context_length_exceeded", told), None
        if self._unsupported == "refused":
            wanted = {"schema": asked.schema, "n": asked.n > 1, "logprobs": body.get("logprobs")}
            for feature in FEATURES:
                if wanted[feature] and feature not in self._can:
                    return error(400, "unsupported_parameter", f"{feature} is not supported"), None
        fault = self._at.get(asked.number)
        if fault is None and self._rate:
            random = Random(f"{self._seed} {asked.digest} {asked.again}")  # noqa: S311 - it is meant to be repeatable
            fault = random.choice(self._kinds) if random.random() < self._rate else None
        if fault is not None:
            self.history.append((asked.number, fault))
        return asked, fault

    def _completion(self, asked: Asked, fault: ModelFault | None) -> tuple[int, dict[str, Any]]:
        self.answered[asked.digest] += 1
        wanted = 1 if fault == "one choice" or "n" not in self._can else asked.n
        choices = [self._spoiled(choice, fault) for choice in self._choices(asked, wanted)]
        top = asked.body.get("top_logprobs") or 0
        lines = []
        for index, choice in enumerate(choices):
            tokens = choice.logprobs
            if tokens is None and choice.text:
                tokens = token_choices(choice.text, self._random(asked, index), top)
            shown = asked.body.get("logprobs") and "logprobs" in self._can
            lines.append(written(choice, index, tokens if shown else None))
        model = str(asked.body.get("model", STUB))
        prompt = sum(len(str(message.get("content"))) for message in asked.body["messages"]) // 4 + 1
        made = sum(len(choice.text or "") // 4 + 1 for choice in choices)
        return 200, {
            "id": f"chatcmpl-{asked.digest[:24]}",
            "object": "chat.completion",
            "created": 1_700_000_000,
            "model": model if wrote_stub(model) else f"{STUB}-{model}",
            "choices": lines,
            "usage": {"prompt_tokens": prompt, "completion_tokens": made, "total_tokens": prompt + made},
        }

    def _choices(self, asked: Asked, wanted: int) -> list[Choice]:
        if self.answer is not None:
            said = self.answer(asked)
            given = [said] * wanted if isinstance(said, str | Choice) else list(said)[:wanted]
            return [Choice(one, "stop") if isinstance(one, str) else one for one in given]
        schema = asked.schema if "schema" in self._can else None
        schema = schema or told_schema(asked.body["messages"])
        found = []
        for index in range(wanted):
            random = self._random(asked, index)
            text = sentence(random) if schema is None else json.dumps(sample(schema, random))
            found.append(Choice(text, "stop"))
        return found

    def _random(self, asked: Asked, index: int) -> Random:
        return Random(f"{self._seed} {asked.digest} {index}")  # noqa: S311 - it is meant to be repeatable

    def _spoiled(self, choice: Choice, fault: ModelFault | None) -> Choice:
        text = choice.text or ""
        match fault:
            case "truncated":
                return Choice(text[: len(text) // 2], "length")
            case "refused":
                return Choice(None, "refusal")
            case "bad json":
                return Choice(f"Sure! {text[: len(text) // 2]}", "stop")
        return choice


def reply(status: int, body: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> HttpAnswer:
    """A reply in JSON."""
    return HttpAnswer(status, json.dumps(body).encode(), headers=headers or {})


def error(status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> HttpAnswer:
    """An error in the words of OpenAI; like those it quotes what was sent, so that clients must not pass it on."""
    return reply(status, {"error": {"message": message, "type": code, "param": None, "code": code}}, headers)
