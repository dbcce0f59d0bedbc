"""The demo with everything it leaves running. That it runs from the wheel alone is shown in tests/test_wheel.py."""

import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest


@pytest.mark.feature("I12.3")
def test_demo_does_the_main_job_and_leaves_it_running_until_it_is_interrupted(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "irmahub", "demo", "--data", tmp_path / "data"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert process.stdout is not None
    lines = []
    try:
        for line in process.stdout:
            lines.append(line)
            if line.startswith("Ctrl-C"):
                break
        told = "".join(lines)
        assert process.poll() is None, told
        numbers = [int(number) for number in re.findall(r"^✓ +(\d+)\. .* \d+\.\d s$", told, re.MULTILINE)]
        assert numbers == list(range(1, 16))
        assert len(re.findall("with the password", told)) == 1
        console, gateway, scheme = (re.search(rf"^{name} +(\S+)$", told, re.MULTILINE)[1] for name in ("Console", "Gateway", "Scheme"))  # type: ignore[index]
        assert httpx.get(console, follow_redirects=True).status_code == 200
        assert httpx.get(f"{gateway}health").text == "OK"
        assert b"zeedam/PublicKeys/0.xml" in httpx.get(f"{scheme}index").content
    finally:
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=60)
    assert process.returncode == 0, rest
    for address in (console, gateway):
        with pytest.raises(httpx.ConnectError):
            httpx.get(address)


def test_demo_takes_no_folder_that_holds_something(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("x")
    run = subprocess.run([sys.executable, "-m", "irmahub", "demo", "--data", tmp_path], capture_output=True, text=True)
    assert run.returncode == 2
    assert "is not empty" in run.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
