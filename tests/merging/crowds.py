"""Crowds whose truth, skill and manners are known."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from bridge.annotations import Annotation
from bridge.templates import TaskTemplate, load_template

Answering = Callable[[np.random.Generator, int, float], Any]
"""How somebody answers, given chance, the true answer and how far along the campaign is (0 to 1)."""

LABELS = ["correct", "partially_correct", "incorrect"]


def skilled(skill: float, labels: int = 3) -> Answering:
    """The truth with a probability of ``skill``, else any of the labels."""
    return lambda rng, truth, _: LABELS[truth if rng.random() < skill else int(rng.random() * labels)]


def rating(noise: float, bias: float = 0.0) -> Answering:
    """A grade from 1 to 5, true but for noise and bias."""
    return lambda rng, truth, _: min(5, max(1, round(1 + 2 * truth + bias + rng.normal(0, noise))))


def until(half: Answering, then: Answering) -> Answering:
    """Answers one way in the first half of the campaign, and another way in the second."""
    return lambda rng, truth, along: (half if along < 0.5 else then)(rng, truth, along)


def crowd(
    people: Mapping[str, Answering],
    *,
    records: int = 300,
    each: int = 3,
    seed: int = 0,
    question: str = "label",
    shares: tuple[float, ...] = (0.4, 0.3, 0.3),
    seconds: Mapping[str, float] | None = None,
    pace: float = 0.0,
) -> tuple[list[Annotation], TaskTemplate]:
    """Answers of ``each`` people, drawn by lot, to every record; one record a minute.

    Args:
        people: name to way of answering.
        records: how many.
        each: answers to each record.
        seed: of all chance.
        question: name of the template and of its first question.
        shares: how frequent each truth is.
        seconds: name to usual time for a record; by default 20 s, more or less so for different people.
        pace: by how much people differ in that (standard deviation of the logarithm).
    """
    rng = np.random.default_rng(seed)
    names = sorted(people)
    usual = {who: float(20 * np.exp(rng.normal(0, pace))) for who in names} | dict(seconds or {})
    truths = rng.choice(len(shares), size=records, p=shares)
    asked = np.sort(rng.random((records, len(names))).argsort(axis=1)[:, :each], axis=1)
    slower = np.exp(rng.normal(0, 0.5, (records, each)))
    given = []
    for number, (truth, places) in enumerate(zip(truths.tolist(), asked.tolist(), strict=True)):
        time = f"2026-01-{1 + number // 1440:02}T{number // 60 % 24:02}:{number % 60:02}:00.000000Z"
        for place, factor in zip(places, slower[number].tolist(), strict=True):
            who = names[place]
            answers = {question: people[who](rng, truth, number / records)}
            given.append(
                Annotation(f"r{number:04}", who, answers=answers, updated_at=time, lead_time_s=usual[who] * factor)
            )
    return given, load_template(question)
