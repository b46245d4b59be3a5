"""Reading a project that somebody made by hand: all of it, and nothing of it is changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from bridge.adopting import argilla_settings, label_tasks
from bridge.adopting.label_config import read_config
from bridge.adopting.names import Names
from bridge.adopting.parts import Found, Shape, plain_html
from bridge.errors import Conflict, InputError, NotFound, UnexpectedReply
from bridge.servers import argilla_dataset, label_studio
from bridge.servers.argilla import SCANS
from bridge.servers.argilla_workspace import Workspace
from bridge.servers.label_studio import LabelStudio
from bridge.servers.label_studio_tasks import ANSWERS, pages
from bridge.servers.replies import expect, reading

Tick = Callable[[int, int], None]
"""Called with how many records are read, and of how many."""


@dataclass
class Original:
    """A whole project: what it is called, where people work on it, what it asks, and all that it holds."""

    id: str
    title: str
    url: str
    shape: Shape
    workspace: str = ""
    found: list[Found] = field(default_factory=list)


class Source(Protocol):
    """A server, to be read."""

    def original(self, project: str, names: Names, tick: Tick) -> Original:
        """Read a project.

        Args:
            project: its id, or else its name.
            names: gives out the names of fields and questions.

        Raises:
            NotFound: there is none.
            Conflict: several have that name, or annobridge made it.
            InputError: it has no records, or nothing of it fits a template.
        """
        ...

    def close(self) -> None:
        """Let go of connections."""
        ...


class LabelStudioSource(LabelStudio):
    """A Label Studio server; of its verbs only those that read are used."""

    @reading
    def original(self, project: str, names: Names, tick: Tick) -> Original:
        """See :class:`Source`."""
        chosen = self._chosen(project)
        where = f"{self._http.origin}: project {project!r:.100}"
        _refuse_ours(where, label_studio.our_mark(chosen) is not None)
        self._id = str(chosen["id"])
        layout = read_config(str(chosen.get("label_config") or "<View/>"), names)
        shape = layout.shape
        shape.title = str(chosen.get("title") or f"Project {self._id}")
        shape.annotators = int(chosen.get("maximum_annotations") or 1)
        shape.guide(plain_html(str(chosen.get("expert_instruction") or "")), shape.guidelines)
        _refuse_unshowable(where, shape)
        original = Original(self._id, shape.title, self._url(), shape)
        parameters = {**ANSWERS, "include": f"{ANSWERS['include']},meta,predictions,annotations.ground_truth"}
        for tasks, left in pages(self._http, self._id, [], parameters):
            original.found += [label_tasks.found_in(task, layout, self._id, self._person) for task in tasks]
            tick(len(original.found), len(original.found) + left)
        return _not_empty(where, original)

    def _chosen(self, project: str) -> Mapping[str, Any]:
        if project.isascii() and project.isdigit():
            try:
                found: Mapping[str, Any] = self._http.request(
                    "GET", f"/api/projects/{project}/", what="find the project"
                )
            except NotFound:
                pass
            else:
                return found
        named = [one for one in self._projects() if one.get("title") == project]
        return self._whole(_only(f"{self._http.origin}: ", "project", project, [str(one["id"]) for one in named]))

    def _whole(self, id_: str) -> Mapping[str, Any]:
        whole: Mapping[str, Any] = self._http.request("GET", f"/api/projects/{id_}/", what="read the project")
        return whole


class ArgillaSource(Workspace):
    """An Argilla server; only what reads is used of it."""

    @reading
    def original(self, project: str, names: Names, tick: Tick) -> Original:
        """See :class:`Source`."""
        chosen = self._chosen(project)
        where = f"{self._http.origin}: dataset {project!r:.100}"
        _refuse_ours(where, argilla_dataset.our_mark(chosen) is not None)
        dataset = str(chosen["id"])
        fields, questions, vectors = (
            expect(self._request("GET", f"/datasets/{dataset}/{part}", what=f"list the {part}"), "items", list)
            for part in ("fields", "questions", "vectors-settings")
        )
        settings = argilla_settings.read_settings(chosen, fields, questions, names)
        shape = settings.shape
        shape.title = str(chosen["name"])
        for vector in vectors:
            shape.leave("setting", str(vector["name"]), "vectors are not read")
        _refuse_unshowable(where, shape)
        original = Original(dataset, shape.title, f"{self._http.origin}/dataset/{dataset}", shape, self._workspace)
        for _ in range(SCANS):
            original.found, total = [], 0
            for records, total in self._pages(dataset, ("responses", "suggestions")):
                original.found += [
                    argilla_settings.found_in(record, settings, dataset, self._person) for record in records
                ]
                tick(len(original.found), total)
            if len({found.id for found in original.found}) == len(original.found) == total:
                return _not_empty(where, original)
        raise UnexpectedReply(
            f"{where}: the list of its records shifts while it is read ({SCANS} times in a row)",
            remedy="run the command again when nobody deletes records",
        )

    def _chosen(self, project: str) -> Mapping[str, Any]:
        if self._workspace:
            self._find_workspace()
        workspaces = expect(self._request("GET", "/me/workspaces", what="list the workspaces"), "items", list)
        names = {str(workspace["id"]): str(workspace["name"]) for workspace in workspaces}
        listed = expect(self._request("GET", "/me/datasets", what="list the datasets"), "items", list)
        mine = [one for one in listed if not self._workspace_id or str(one["workspace_id"]) == self._workspace_id]
        by_id = [one for one in mine if str(one["id"]) == project]
        found = by_id or [one for one in mine if one["name"] == project]
        inside = f"the workspace {self._workspace!r} has " if self._workspace else ""
        ids = {str(one["id"]): names.get(str(one["workspace_id"]), "") for one in found}
        only = _only(f"{self._http.origin}: {inside}", "dataset", project, list(ids), list(ids.values()))
        chosen: Mapping[str, Any] = next(one for one in found if str(one["id"]) == only)
        self._workspace, self._workspace_id = ids[only], str(chosen["workspace_id"])
        return chosen


def _only(where: str, kind: str, name: str, ids: Sequence[str], workspaces: Sequence[str] = ()) -> str:
    """The only one of these ids.

    Raises:
        NotFound, Conflict: there is none, or more than one.
    """
    if not ids:
        raise NotFound(
            f"{where}no {kind} {name!r:.100} that this key can see",
            remedy=f"check the name, or give the {kind}'s id, which stands in its address",
        )
    if len(ids) > 1:
        places = f" (workspaces {', '.join(workspaces):.200})" if workspaces else ""
        raise Conflict(
            f"{where}{len(ids)} {kind}s are called {name!r:.100}{places}",
            remedy=f"name {'its workspace with --workspace' if workspaces else 'it by its id'}: {', '.join(ids):.300}",
        )
    return ids[0]


def _refuse_ours(where: str, ours: bool) -> None:
    if ours:
        raise Conflict(
            f"{where} was made by annobridge, so there is nothing to adopt",
            remedy="run `annobridge pull` in its campaign's folder; if that is lost, make campaign.yaml anew with "
            "`annobridge init`, the same project name, template and records",
        )


def _refuse_unshowable(where: str, shape: Shape) -> None:
    for what, parts in (("field", shape.fields), ("question", shape.questions)):
        if parts:
            continue
        reasons = [f"{left.name!r:.40}: {left.reason}" for left in shape.left if left.kind == what]
        why = "; ".join(reasons)[:400] or f"it has no {what}s"
        kinds = "text and no conversation" if what == "field" else "question of a kind that templates have"
        raise InputError(
            f"{where} has no {kinds} ({why})", remedy="annobridge is for texts that people judge; nothing was written"
        )


def _not_empty(where: str, original: Original) -> Original:
    if not original.found:
        raise InputError(f"{where} has no records", remedy="put records into it, then adopt it; nothing was written")
    return original
