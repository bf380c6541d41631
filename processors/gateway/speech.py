"""How one question is put to one provider: in which format, whole or as a stream."""

from dataclasses import dataclass

from processors.gateway.formats import FORMATS
from processors.gateway.formats.embeddings import EMBEDDING_FORMATS
from processors.gateway.wire import WireFormat
from processors.model import ModelRequest
from schemas.catalogue import ModelKind, ModelRules, ProviderRules


@dataclass(frozen=True, slots=True, kw_only=True)
class Speech:
    """How a provider is spoken to.

    Attributes:
        provider: its name in the catalogue, for error texts.
        spoken: the format of request and answer.
        stream: whether the answer comes as a stream.
    """

    provider: str
    spoken: WireFormat
    stream: bool


def speech(request: ModelRequest, model: ModelRules, provider: ProviderRules) -> Speech:
    """Return how that request is put to that model of that provider."""
    if model.kind is ModelKind.EMBEDDING:
        spoken = EMBEDDING_FORMATS[provider.format](len(request.messages))
        return Speech(provider=provider.name, spoken=spoken, stream=False)
    return Speech(provider=provider.name, spoken=FORMATS[provider.format], stream=provider.stream)
