"""What a labelling configuration of Label Studio is read into: what its page shows, and what it asks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from xml.etree.ElementTree import Element

from bridge.adopting.parts import Shape


@dataclass
class Object:
    """Something that the page shows of a task: from which piece of its data, and as which field."""

    tag: str
    names: list[str]
    variable: str
    field: str
    kind: str
    role_key: str = "author"
    text_key: str = "text"


@dataclass
class Control:
    """Something that the page asks: its name, and as which question; ``values`` is what stored values are called now.

    ``reason`` says why it is no question of a template, where it is none.
    """

    name: str
    tag: str
    question: str = ""
    body: dict[str, Any] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)
    reason: str = ""


@dataclass
class Layout:
    """A labelling configuration: what becomes of it, and how its tasks and results are read."""

    shape: Shape = field(default_factory=Shape)
    objects: list[Object] = field(default_factory=list)
    controls: dict[str, Control] = field(default_factory=dict)


@dataclass
class Placed:
    """An object or control in its place: what stands above it, and when it is shown."""

    element: Element
    attributes: dict[str, str]
    headers: list[str]
    conditions: list[dict[str, str]]
    repeated: bool

    @property
    def tag(self) -> str:
        """The tag in lower case."""
        return tag_of(self.element)

    @property
    def name(self) -> str:
        """The name that results refer to; empty where there is none."""
        return self.attributes.get("name", "")

    def has(self, attribute: str) -> bool:
        """Whether an attribute says yes."""
        return self.attributes.get(attribute, "").lower() in ("true", "1")


def tag_of(element: Element) -> str:
    """The tag in lower case, as the page takes it."""
    return element.tag.lower()


def attributes_of(element: Element) -> dict[str, str]:
    """The attributes by names in lower case, as the page takes them."""
    return {name.lower(): value for name, value in element.attrib.items()}


def article(tag: str) -> str:
    """A tag in a sentence.

    >>> article("Image")
    'an Image'
    """
    return f"{'an' if tag[:1] in 'AEIOUaeiou' else 'a'} {tag:.40}"
