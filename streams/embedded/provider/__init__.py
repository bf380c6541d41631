"""A simulated model provider: its own process, real HTTP, the providers' wire formats, labelled."""

from streams.embedded.provider.config import ConfigError, ProviderConfig, load_config
from streams.embedded.provider.server import ProviderServer, run_provider, serve

__all__ = ["ConfigError", "ProviderConfig", "ProviderServer", "load_config", "run_provider", "serve"]
