"""The folder of an adopted campaign: what may be written into it, and what somebody has edited in it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from bridge.adopting.parts import NotAdopted, title_of
from bridge.adopting.sources import Original
from bridge.config import FILE_NAME
from bridge.errors import StoreError, UsageError
from bridge.files import write_text
from bridge.state import ADOPTED, State
from bridge.templates import TaskTemplate, load_template

TEMPLATE = "template.yaml"
RECORDS = "records.jsonl"


@dataclass
class Settled:
    """The template that counts now, whether it is one that somebody has edited, and what follows from that."""

    template: TaskTemplate
    kept: bool = False
    notes: list[str] = field(default_factory=list)
    dropped: list[NotAdopted] = field(default_factory=list)


class Folder:
    """The campaign's folder, and what an earlier adoption left in it.

    Args:
        path: the folder; it need not exist yet.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.state = State(path / ".annobridge")
        self._mark = path / ".annobridge" / ADOPTED

    def before(self, kind: str, origin_: str) -> dict[str, Any]:
        """What the last adoption into this folder noted; empty where the folder is new.

        Raises:
            UsageError: there is another campaign, or a file that would be overwritten.
            StoreError: the note is damaged.
        """
        try:
            before = json.loads(self._mark.read_bytes())
        except FileNotFoundError:
            files = (FILE_NAME, TEMPLATE, RECORDS, ".annobridge/ledger.db", ".annobridge/feedback.jsonl")
            there = [name for name in files if (self.path / name).exists()]
            if there:
                raise UsageError(
                    f"{self.path}: {there[0]} is there already, and belongs to something else",
                    remedy="adopt into an empty folder: --into FOLDER",
                ) from None
            return {}
        except (OSError, ValueError, RecursionError):
            before = None
        if not isinstance(before, dict) or not isinstance(before.get("names"), dict):
            raise StoreError(f"{self._mark}: cannot be read", remedy="adopt into an empty folder: --into FOLDER")
        if (before.get("server"), before.get("origin")) != (kind, origin_):
            raise self._another(f"a campaign adopted from {before.get('origin')!r:.100}")
        return before

    def _another(self, what: str) -> UsageError:
        return UsageError(f"{self.path}: it holds {what}", remedy="adopt into an empty folder: --into FOLDER")

    def check(self, before: Mapping[str, Any], identity: Mapping[str, str], title: str) -> None:
        """Refuse a folder that another project was adopted into."""
        if before and before.get("project") != identity["project"]:
            raise self._another(f"the campaign of another project, and not that of {title!r:.100}")

    def settle_template(
        self,
        before: Mapping[str, Any],
        identity: Mapping[str, str],
        names: Mapping[str, str],
        text: str,
        fresh: TaskTemplate,
    ) -> Settled:
        """Write the template, or keep the one that somebody has edited since.

        Args:
            before: what :meth:`before` returned.
            identity: which project it is.
            names: the names that its fields and questions have, to be the same next time.
            text: the project's template as a file.
            fresh: the same.
        """
        path, there = self.path / TEMPLATE, _hash(self.path / TEMPLATE)
        written = [hash_ for hash_ in before.get("templates", ()) if isinstance(hash_, str)]
        kept = there is not None and there not in written
        new = hashlib.sha256(text.encode()).hexdigest()
        note = {
            **identity,
            # Of a new template, the hash is noted before it is written: after a crash in between, neither file looks
            # like somebody's edit.
            "templates": written[-1:] if kept else [*written[-1:], new],
            "names": {**before.get("names", {}), **names},
        }
        write_text(self._mark, json.dumps(note, indent=1) + "\n")
        if not kept:
            write_text(path, text)
            return Settled(fresh)
        settled = Settled(load_template(path), kept=True)
        if new not in written:
            other = self.path / "out" / TEMPLATE
            write_text(other, text)
            settled.notes.append(f"{TEMPLATE} was edited and is kept; what the project says now is in {other}")
        if settled.template.fingerprint != fresh.fingerprint:
            reason = (
                "it was edited, and has other fields, questions or options than the project; answers that do not fit "
                f"it cannot count (delete {TEMPLATE} and adopt again to have it made anew)"
            )
            settled.dropped.append(NotAdopted("template", TEMPLATE, reason))
        return settled

    def write_config(self, original: Original, template: TaskTemplate, server: Mapping[str, Any]) -> None:
        """Write ``campaign.yaml`` where there is none; one that is there may have been edited, and is kept."""
        path = self.path / FILE_NAME
        if path.exists():
            return
        training = template.training
        exports = [name for name in ("sft", "dpo") if training and getattr(training, name)]
        body = {
            "version": 1,
            "project": title_of(original.title, f"Project {original.id}"),
            "server": dict(server),
            "records": f"./{RECORDS}",
            "template": f"./{TEMPLATE}",
            "annotators_per_record": min(max(original.shape.annotators, 1), 100),
            "merge": {"quorum": 1},
            "exports": {"to": exports or ["sft"]},
        }
        head = (
            "# Adopted: people go on to work in the project as it is. `annobridge adopt` brings their new answers;\n"
            "# then `annobridge merge` and `annobridge export`. Every key: docs/campaign.md\n"
        )
        write_text(path, head + yaml.safe_dump(body, allow_unicode=True, sort_keys=False, width=110))


def _hash(path: Path) -> str | None:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}", remedy="make the file readable") from None
