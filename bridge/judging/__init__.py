"""Models as judges: rubrics, scores as suggestions, and how far these can be trusted.

Nothing is imported here, so that a part that only reads scores does not load what asks for them.
"""
