"""annobridge: carry model-written records to annotators and bring their judgement back as training data."""

__version__ = "0.1.0"
