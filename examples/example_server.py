"""What the examples share: a Label Studio to work on, and a person who answers by program.

With LABEL_STUDIO_URL and LABEL_STUDIO_API_KEY set, the examples use that server, and what they make stays on it.
Otherwise they start one of their own in a temporary folder, and nothing stays. The first start installs Label Studio
into your cache, which takes a few minutes.
"""

from __future__ import annotations

import json
import os
import secrets
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bridge import Campaign
from bridge.keys import find_key
from bridge.records import Value
from bridge.servers.local_label_studio import LocalLabelStudio
from bridge.servers.protocol import Project
from bridge.testing import LabelStudioPerson

KEY = "LABEL_STUDIO_API_KEY"


@contextmanager
def label_studio() -> Iterator[str]:
    """The address of a server whose key is in the environment."""
    if "LABEL_STUDIO_URL" in os.environ and KEY in os.environ:
        yield os.environ["LABEL_STUDIO_URL"]
        return
    with (
        tempfile.TemporaryDirectory(prefix="annobridge-example-") as home,
        LocalLabelStudio(Path(home, "label-studio"), say=print) as server,
    ):
        os.environ[KEY] = server.token.reveal()
        try:
            yield server.url
        finally:
            del os.environ[KEY]


def campaign(folder: Path, title: str, url: str, rows: Iterable[Mapping[str, Any]], **keys: Any) -> Campaign:
    """A campaign in that folder; ``keys`` are keys of its campaign.yaml."""
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    described = {
        "project": f"{title} {secrets.token_hex(3)}",  # a new project for every run
        "server": {"kind": "label-studio", "url": url, "key_env": KEY},
        "records": "rows.jsonl",
        **keys,
    }
    # JSON is YAML.
    (folder / "campaign.yaml").write_text(json.dumps(described, indent=2), encoding="utf-8")
    return Campaign(folder)


def answer(made: Campaign, script: Mapping[str, Mapping[str, Value] | None]) -> None:
    """Let a simulated person answer by the script: record key to answers, None for a skip."""
    url = str(made.config.server.url)
    person = LabelStudioPerson(url, find_key(url, KEY))
    person.ensure(Project(made.config.project, made.template), create=False)
    for key, answers in script.items():
        person.annotate(key, answers or {}, status="submitted" if answers else "discarded")
    person.close()
    print(f"a SIMULATED person answered {len(script)} records")
