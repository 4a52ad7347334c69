"""What sslyze finds, which tries everything that a TLS client can."""

import subprocess
from pathlib import Path

import pytest

from ..support.authority import Authority
from ..support.daemon import Daemon, clean_environment

pytestmark = [pytest.mark.peer("sslyze"), pytest.mark.deadline(120)]


@pytest.mark.parametrize("profile", ["intermediate", "modern"])
def test_guideline_is_kept(profile: str, tmp_path: Path) -> None:
    """A server with one of the profiles is as Mozilla's guideline has it."""
    authority = Authority()
    key, certificate = authority.issue("127.0.0.1").write(tmp_path, "server")
    listen = f"ssl:0:privateKey={key}:certKey={certificate}:interface=127.0.0.1"
    options = ("--listen", listen, "--tls-profile", profile)
    with Daemon(tmp_path, *options, listeners=1) as daemon:
        ended = subprocess.run(
            [
                "sslyze",
                f"--mozilla_config={profile}",
                f"--certinfo_ca_file={authority.write(tmp_path)}",
                f"127.0.0.1:{daemon.ports['ssl']}",
            ],
            capture_output=True,
            env=clean_environment(),
            text=True,
            timeout=100,
            check=False,
        )
    assert 0 == ended.returncode, ended.stdout + ended.stderr
    assert "Traceback" not in daemon.log
