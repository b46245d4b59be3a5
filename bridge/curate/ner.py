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
        from presidio_analyzer import AnalyzerEngine, RecognizerRegistry
        from presidio_analyzer.nlp_engine import NlpEngineProvider
        from presidio_analyzer.predefined_recognizers import SpacyRecognizer
        from spacy.util import get_installed_models
    except ImportError:
        raise UsageError(
            "names: finding them needs Presidio, which is not installed", remedy="pip install 'annobridge[ner]'"
        ) from None
    from pathlib import Path

    if model not in get_installed_models() and not Path(model).is_dir():
        raise UsageError(
            f"names: the spaCy model {model!r:.80} is not installed, and none is ever downloaded",
            remedy="install the model as a package, or give the path of its folder",
        )
    engine = NlpEngineProvider(
        nlp_configuration={"nlp_engine_name": "spacy", "models": [{"lang_code": language, "model_name": model}]}
    ).create_engine()
    registry = RecognizerRegistry(supported_languages=[language])
    registry.add_recognizer(SpacyRecognizer(supported_language=language, supported_entities=["PERSON"]))
    analyzer = AnalyzerEngine(nlp_engine=engine, registry=registry, supported_languages=[language])

    def find(text: str) -> Iterator[tuple[int, int, float]]:
        for found in analyzer.analyze(text=text, language=language, entities=["PERSON"]):
            yield found.start, found.end, float(found.score)

    return find
