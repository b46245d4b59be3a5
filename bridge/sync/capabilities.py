"""Whether a server can carry a campaign, said before anything is created there."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from bridge.errors import UsageError
from bridge.questions import Question, RankingQuestion, RatingQuestion, SpanQuestion, TextQuestion
from bridge.servers.protocol import Capabilities, Project


def check_capabilities(project: Project, capabilities: Capabilities) -> None:
    """Say before anything is created whether a server can carry this project.

    Raises:
        UsageError: names the title or the question, and what the server can do instead.
    """
    shortest, longest = capabilities.title_length
    if not shortest <= len(project.title) <= longest:
        raise UsageError(
            f"project: {project.title!r:.80} has {len(project.title)} characters; "
            f"this server takes {shortest} to {longest}",
            remedy="choose another project name in campaign.yaml (or --project)",
        )
    template = project.template
    longest = capabilities.guidelines_length
    if len(template.guidelines) > longest:
        raise UsageError(
            f"guidelines: {len(template.guidelines):,} characters; this server takes {longest:,}",
            remedy="shorten them, or link to a page that holds them",
        )
    names = template.field_names(project.repeats)
    marked: set[str] = set()
    for question in template.questions:
        where = f"question {question.name!r}"
        if question.type not in capabilities.question_kinds:
            raise UsageError(
                f"{where}: this server cannot ask a {question.type} question",
                remedy=f"it can ask {', '.join(sorted(capabilities.question_kinds))}",
            )
        fewest, most = capabilities.options.get(question.type, (0, sys.maxsize))
        count = _options(question, names)
        if not fewest <= count <= most:
            raise UsageError(
                f"{where}: it has {count} option{'' if count == 1 else 's'}; a {question.type} question of this server "
                f"has {fewest} to {most}",
                remedy="give it another option" if count < fewest else "divide it into two questions",
            )
        if len(question.description) > capabilities.description_length:
            raise UsageError(
                f"{where}: a description of {len(question.description):,} characters; this server takes "
                f"{capabilities.description_length:,}",
                remedy="move the rest of it into the guidelines",
            )
        if isinstance(question, SpanQuestion):
            if question.field in marked and capabilities.spans_per_field == 1:
                raise UsageError(
                    f"{where}: this server takes one span question a field, and {question.field!r} has one already",
                    remedy="put the labels of both into one span question",
                )
            marked.add(question.field)


def _options(question: Question, names: Sequence[str]) -> int:
    if isinstance(question, RatingQuestion):
        return question.max - question.min + 1
    if isinstance(question, RankingQuestion):
        return len(question.item_names(names))
    return 0 if isinstance(question, TextQuestion) else len(question.options)
