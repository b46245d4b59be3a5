"""Releases: a training set with its card, made once, whole, and never changed."""

from bridge.release.compare import Changes
from bridge.release.write import ReleaseResult, release

__all__ = ["Changes", "ReleaseResult", "release"]
