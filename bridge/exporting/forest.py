"""What belongs together by any chain of links (union-find), such as rows that share a record or a prompt."""

from __future__ import annotations

from collections.abc import Iterable


class Forest:
    """Names in groups that grow together. Each group is known by one of its names, its root.

    >>> forest = Forest()
    >>> forest.join(["a", "b"]), forest.join(["c", "d"]), forest.join(["d", "b"])
    ('a', 'c', 'a')
    >>> forest.root("c"), forest.root("e")
    ('a', 'e')
    """

    def __init__(self) -> None:
        self._parents: dict[str, str] = {}

    def root(self, name: str) -> str:
        """The root of a name's group; of a name that was never joined, itself."""
        parents = self._parents
        parents.setdefault(name, name)
        while parents[name] != name:
            parents[name] = parents[parents[name]]
            name = parents[name]
        return name

    def join(self, names: Iterable[str]) -> str:
        """Make one group of those of all these names, and return its root."""
        roots = sorted({self.root(name) for name in names})
        for other in roots[1:]:
            self._parents[other] = roots[0]
        return roots[0]
