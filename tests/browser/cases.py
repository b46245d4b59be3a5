"""What both servers' pages are shown: texts that attack, texts that are easily spoilt, and one record a template."""

from __future__ import annotations

import itertools
from typing import Any, TypeAlias

from bridge.records import Record, Suggestion, Value
from bridge.templates import TaskTemplate, load_template

ATTACKS = {
    "script": "<script>window.canary=1</script>",
    "image": "<img src=x onerror='window.canary=2'><img src=http://127.0.0.2/canary.png>",
    "drawing": "<svg onload='window.canary=3'><image href='http://127.0.0.2/canary.svg'/><script>canary=3</script></svg>",
    "frame": "<iframe srcdoc='<script>parent.canary=4</script>'></iframe><iframe src=http://127.0.0.2/canary></iframe>",
    "object": "<object data='http://127.0.0.2/canary'></object><embed src='http://127.0.0.2/canary.swf'>",
    "media": "<video autoplay src=http://127.0.0.2/canary onerror=canary=5></video><audio src=//127.0.0.2/canary>",
    "link": "[click](javascript:window.canary=6) <a href='javascript:window.canary=6'>here</a> javascript:canary=6",
    "Markdown image": "![remote](http://127.0.0.2/canary.png) [![both](http://127.0.0.2/canary.gif)](http://127.0.0.2)",
    "Markdown reference": "![remote][1] ![1]\n\n[1]: http://127.0.0.2/canary.png",
    "Markdown": "# no title\n> no quote\n1. **not bold** _nor this_ `code`\n\n| a | b |\n|---|---|\n\nno rule\n---",
    "formula": "$$x^2$$ $y_1$ \\(z\\) \\[w\\] $\\href{javascript:window.canary=7}{x}$",
    "template": "{{constructor.constructor('window.canary=8')()}} {% x %} ${7*7} $prompt <%= 7*7 %> #{7*7} [[7*7]]",
    "entities": "&amp; &lt;b&gt; &#60;script&#62; &#x3c;img&#x3e; &nbsp;| &copy; &copy &none; %3Cb%3E \\u003cb\\u003e",
    "declarations": "<![CDATA[x]]> ]]> <?xml version='1.0'?> <!DOCTYPE html> <!ENTITY x 'y'>",
    "comment": "<!-- what follows must not vanish",
    "plain text": "<plaintext> what follows must keep its markup <textarea> <title> <xmp> <noscript> <template>",
    "style": "<style>* { display: none !important } body { background: url(http://127.0.0.2/canary.png) }</style>",
    "highlight": "<style>::highlight(hl-x) { background: url(http://127.0.0.2/canary) } .ab { display: none }</style>",
    "page": "<meta http-equiv=refresh content='0;url=http://127.0.0.2/canary'><base href='http://127.0.0.2/canary/'>"
    "<link rel=stylesheet href=http://127.0.0.2/canary.css><form action=http://127.0.0.2/canary><button>Submit</button>",
    "half open": "\"'` onmouseover=canary=9 autofocus onfocus=canary=9 tabindex=1 x=\"'></p></div></script><b",
}
"""What must be shown as it stands: nothing of it may run, and nothing may be fetched."""

TEXTS = {
    "white space": "  two blanks before\n\ta tab\tand\t\ttwo\n\n\nthree  blanks   after two blank lines\n    \n  end  ",
    "code": "def f(x):\n\tif x < 3 and y > 4:\n\t\treturn  x ** 2 # `tick` \"quote\" 'single' \\ back\\n\n",
    "writing": "😀👩‍👩‍👧🏳️‍🌈👍🏽 1️⃣ 𝒳 e\u0301 \u05e9\u05dc\u05d5\u05dd abc "
    "\u0645\u0631\u062d\u0628\u0627 \u200fmixed\u200e \u200b\u00a0end",
    "long lines": "word " * 2000 + "unbroken" * 1000,
    "breaks": "one\r\ntwo\r\n\r\nfour\rfive\u2028six\x0bseven",
}
"""What must be shown character for character."""

HOSTILE = "<img src=x onerror=alert(1)> $prompt {{x}} &amp; **\"'**"
"""For titles and labels, which are one line."""

MARKED = (
    "😀😀 Alice \u05e9\u05dc\u05d5\u05dd e\u0301 👩‍👩‍👧 \u0645\u0631\u062d\u0628\u0627\r\n"
    "<b>Bob</b> &amp; x<y\n\n\tParis 😀😀😀😀😀😀 the end😀"
)
PASSAGES = [
    "😀",
    "Alice",
    "\u05e9\u05dc\u05d5\u05dd",
    "e\u0301",
    "👩‍👩‍👧",
    "\u0645\u0631\u062d\u0628\u0627\r\n<b>",
    "Bob",
    "&amp;",
    "Paris",
    "end😀",
]
"""Passages of :data:`MARKED`, each there once from where the one before it ends."""

WORDS = ["Alice", "\u05e9\u05dc\u05d5\u05dd", "\u0645\u0631\u062d\u0628\u0627", "Bob", "Paris", "end"]
"""Those of them that somebody can mark by mouse."""


def spans(text: str = MARKED, passages: list[str] = PASSAGES, label: str = "factual_error") -> list[dict[str, Any]]:
    """Passages of a text as spans in code points.

    >>> spans("😀 a b", ["a"])
    [{'start': 2, 'end': 3, 'label': 'factual_error'}]
    """
    found, at = [], 0
    for passage in passages:
        start = text.index(passage, at)
        at = start + len(passage)
        found.append({"start": start, "end": at, "label": label})
    return found


ATTACK = (
    "<script>window.canary=1</script><img src=x onerror='window.canary=2'> &amp; &lt;b&gt; ]]> <![CDATA[x]]>\n"
    "\tif x:\n\t\treturn  {{constructor.constructor('window.canary=3')()}}\n\n"
    "![remote](http://127.0.0.2/pixel.png) $prompt ${7*7} 😀 \u05e9\u05dc\u05d5\u05dd e\u0301 end"
)
TRANSCRIPT = [
    {"role": "Ann", "content": "Shall we ship on Friday?\n  - if the tests pass\n  - and Bo agrees"},
    {"role": "<b onclick=alert(1)>Bo</b>", "content": ATTACK},
    {"role": "Ann", "content": "Then Bo runs them until Thursday."},
]

Case: TypeAlias = "tuple[dict[str, Any], dict[str, Value]]"
CASES: dict[str, Case] = {
    "rating": ({"prompt": ATTACK, "response": "Canberra."}, {"rating": 4}),
    "label": ({"prompt": "Is this safe?", "response": ATTACK}, {"label": "harmful"}),
    "multi_label": ({"prompt": ATTACK, "response": ATTACK}, {"labels": ["incomplete", "style"]}),
    "rewrite": ({"prompt": "Write a function.", "response": ATTACK}, {}),
    "review": ({"prompt": "Write a function.", "response": ATTACK}, {"rating": 2, "label": "partially_correct"}),
    "preference": ({"prompt": "Which?", "response_a": ATTACK, "response_b": "I can't."}, {"preference": "B"}),
    "ranking": (
        {"prompt": "Which?", "response_1": ATTACK, "response_2": "Second.", "response_3": "Third\n\n  one."},
        {"ranking": {"response_1": 3, "response_2": 1, "response_3": 1}},
    ),
    "chat_review": (
        {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": ATTACK}]},
        {"rating": 3, "label": "correct"},
    ),
    "summary_review": ({"transcript": TRANSCRIPT, "summary": ATTACK}, {"rating": 1, "faithfulness": "unfaithful"}),
    "action_items": (
        {"transcript": TRANSCRIPT, "action_items": "- Bo: run the tests by Thursday\n- Ann: decide"},
        {"label": "partially_correct", "problems": ["wrong_date"]},
    ),
    "follow_up_qa": (
        {"transcript": TRANSCRIPT, "question": "When do they ship?", "answer": "On Friday,\n  if the tests pass."},
        {"rating": 5, "grounding": "supported"},
    ),
    "span_errors": ({"prompt": "Write.", "response": MARKED + "\n" + ATTACK}, {"errors": spans()}),
}
"""Template name to the fields of a record, and the answers that are suggested."""


def record_for(name: str) -> tuple[TaskTemplate, Record]:
    """A ready-made template and its record."""
    template = load_template(name)
    fields, answers = CASES[name]
    suggestions = [Suggestion(question, value, 0.5, "a-model") for question, value in answers.items()]
    return template, Record(fields=template.check_fields(fields), suggestions=suggestions)


def all_kinds(texts: dict[str, str]) -> tuple[TaskTemplate, Record]:
    """A template with every kind of field, and a record that has each of the texts in each of them."""
    template = TaskTemplate.model_validate(
        {
            "version": 1,
            "name": "all_kinds",
            "title": "All kinds of fields",
            "fields": [
                {"name": "text", "title": "Text", "repeat": {"min": 1, "max": 20}},
                {"name": "chat", "title": "Chat", "type": "chat"},
                {"name": "talk", "title": "Talk", "type": "transcript"},
            ],
            "questions": [{"name": "seen", "type": "label", "title": "Seen?", "options": ["yes", "no"]}],
        }
    )
    fields: dict[str, Any] = {f"text_{number}": text for number, text in enumerate(texts.values(), 1)}
    roles = itertools.cycle(["user", "assistant"])
    fields["chat"] = [{"role": next(roles), "content": text} for text in texts.values()]
    fields["talk"] = [{"role": text.split("\n")[0][:100], "content": text} for text in texts.values()]
    return template, Record("r1", template.check_fields(fields), [Suggestion("seen", "yes")])


def all_marked(texts: dict[str, str]) -> tuple[TaskTemplate, Record]:
    """A template with as many fields as texts, each with a question that marks passages; all of each is marked."""
    names = [f"text_{chr(ord('a') + number)}" for number in range(len(texts))]
    template = TaskTemplate.model_validate(
        {
            "version": 1,
            "name": "all_marked",
            "title": "Marked fields",
            "fields": [{"name": name, "title": f"Title of {name}"} for name in names],
            "questions": [
                {
                    "name": f"in_{name}",
                    "type": "span",
                    "title": f"Mark {name}",
                    "field": name,
                    "options": [{"value": "x", "title": "X"}],
                }
                for name in names
            ],
        }
    )
    fields = dict(zip(names, texts.values(), strict=True))
    suggestions = [
        Suggestion(f"in_{name}", [{"start": 0, "end": len(text), "label": "x"}]) for name, text in fields.items()
    ]
    return template, Record("r1", template.check_fields(fields), suggestions)


def hostile_template() -> TaskTemplate:
    """A template whose every title, description and label is an attack."""
    options = [{"value": HOSTILE, "title": HOSTILE}, {"value": "$prompt", "title": "$prompt"}]
    return TaskTemplate.model_validate(
        {
            "version": 1,
            "name": "hostile",
            "title": HOSTILE,
            "description": HOSTILE,
            "guidelines": f"{HOSTILE}\n\n" + "\n".join(ATTACKS.values()),
            "fields": [
                {"name": "prompt", "title": HOSTILE},
                {"name": "response", "title": HOSTILE, "repeat": {"min": 2, "max": 3}},
            ],
            "questions": [
                {"name": "label", "type": "label", "title": HOSTILE, "description": HOSTILE, "options": options},
                {"name": "labels", "type": "multi_label", "title": HOSTILE, "options": options},
                {"name": "rating", "type": "rating", "title": HOSTILE, "labels": {1: HOSTILE}},
                {"name": "ranking", "type": "ranking", "title": HOSTILE, "items": "response"},
                {"name": "marks", "type": "span", "title": HOSTILE, "field": "prompt", "options": options},
                {"name": "text", "type": "text", "title": HOSTILE},
            ],
        }
    )


HOSTILE_FIELDS = {"prompt": "THE PROMPT", "response_1": "one", "response_2": "two"}
HOSTILE_ANSWERS: dict[str, Value] = {
    "label": HOSTILE,
    "labels": [HOSTILE],
    "rating": 1,
    "ranking": {"response_1": 1, "response_2": 2},
    "marks": [{"start": 4, "end": 10, "label": HOSTILE}],
    "text": HOSTILE,
}
