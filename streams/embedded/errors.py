"""The one error of the embedded services, and the loading of what their extra installs."""

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any


class EmbeddedError(Exception):
    """An embedded service cannot run here; the message says what was seen, expected and what to do."""


def load_extra(module: str) -> Any:
    """Import a module that only the extra `embedded` installs.

    Args:
        module: its import name.

    Raises:
        EmbeddedError: it, or something it needs, is not installed.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise _not_installed(error.name or module) from error


def extra_folder(module: str) -> Path:
    """Return the folder of an extra's package without importing it, which is slow or warns for some.

    Raises:
        EmbeddedError: the package is not installed.
    """
    spec = find_spec(module)
    if spec is None or spec.origin is None:
        raise _not_installed(module)
    return Path(spec.origin).parent


def _not_installed(module: str) -> EmbeddedError:
    return EmbeddedError(
        f"the Python package {module!r} is not installed, and the embedded services need it: run pip install "
        "'pressline[embedded]', or set PRESSLINE_BROKERS and PRESSLINE_DATABASE_URL to use your own"
    )
