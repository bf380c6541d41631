"""A missing extra is named with the command that installs it."""

import pytest

from streams.embedded.errors import EmbeddedError, extra_folder, load_extra


@pytest.mark.parametrize("load", [load_extra, extra_folder])
def test_a_package_that_is_not_installed_is_named(load: object) -> None:
    assert callable(load)

    with pytest.raises(EmbeddedError, match=r"'never_made'.*pip install 'pressline\[embedded\]'"):
        load("never_made")
