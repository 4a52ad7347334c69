"""What the live tests share."""

from collections.abc import Iterator

import pytest

from ..support.daemon import Daemon


@pytest.fixture(scope="module", params=["fast", "stock"])
def transport(request: pytest.FixtureRequest) -> Iterator[str]:
    """Each test of a module that uses this runs once on either kind of transport."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Daemon, "transport", request.param)
        yield request.param
