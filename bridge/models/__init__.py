"""Asking models: requests and replies, and the client of OpenAI-compatible endpoints.

Nothing is imported here, so that a part that only makes requests does not load what sends them.
"""
