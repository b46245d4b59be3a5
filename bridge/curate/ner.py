"""Names of people by a model, through Presidio: optional, slow, and never from the network.

Presidio's own defaults download a spaCy model when none is there, and fetch a list of domains to check addresses of
mail. Neither happens here: the model must be installed, and only Presidio's recogniser of named entities is asked.
"""

from __future__ import annotations

from collections.abc import Iterator

from bridge.curate.pii import Names
from bridge.errors import UsageError


def presidio_names(model: str = "en_core_web_sm", *, language: str = "en") -> Names:
    """What finds names of people with a spaCy model.

    Args:
        model: name of an installed spaCy model, or the path of one.
        language: the model's language.

    Raises:
        UsageError: Presidio or the model is not installed.
    """
    try:
        import spacy
        from presidio_analyzer import AnalyzerEngine, RecognizerRegistry
        from presidio_analyzer.nlp_engine import SpacyNlpEngine
        from presidio_analyzer.predefined_recognizers import SpacyRecognizer
    except ImportError:
        raise UsageError(
            "names: finding them needs Presidio, which is not installed", remedy="pip install 'annobridge[ner]'"
        ) from None
    try:
        loaded = spacy.load(model)
    except OSError:
        raise UsageError(
            f"names: the spaCy model {model!r:.80} is not installed, and none is ever downloaded",
            remedy="install the model as a package, or give the path of its folder",
        ) from None
    engine = SpacyNlpEngine(models=[{"lang_code": language, "model_name": model}])
    engine.nlp = {language: loaded}  # left to load it by itself, it would fetch what it does not find
    registry = RecognizerRegistry(supported_languages=[language])
    registry.add_recognizer(SpacyRecognizer(supported_language=language, supported_entities=["PERSON"]))
    analyzer = AnalyzerEngine(nlp_engine=engine, registry=registry, supported_languages=[language])

    def find(text: str) -> Iterator[tuple[int, int, float]]:
        for found in analyzer.analyze(text=text, language=language, entities=["PERSON"]):
            yield found.start, found.end, float(found.score)

    return find
