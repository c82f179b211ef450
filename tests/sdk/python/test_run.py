"""`tidegate run`: scripts with the official SDK, started as their users start them, with no base URL of their own."""

import subprocess
import sys

import pytest
from programs import BINARY, HANGS, Mock

SCRIPT = """
import openai
client = openai.OpenAI(api_key="sk-test-run")
for _ in range(3):
    answer = client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": "Hi"}])
print(answer.choices[0].message.content)
with client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": "Hi"}], stream=True) as stream:
    print(sum(1 for _ in stream) > 1)
"""

CRASH = "import openai; openai.OpenAI(api_key='sk-test-run').models.list(); raise SystemExit(9)"

IGNORES = "import openai; openai.OpenAI(api_key='sk-test-run', base_url='{}/v1').models.list()"


def run(upstream, script):
    """Runs a Python script under `tidegate run` before this upstream."""
    options = ["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--upstream", upstream]
    return subprocess.run(
        [BINARY, "run", *options, "--", sys.executable, "-c", script], capture_output=True, text=True, timeout=HANGS
    )


@pytest.fixture
def mock():
    with Mock() as mock:
        yield mock


def test_script_needs_no_change(mock):
    ended = run(mock.url, SCRIPT)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.endswith("\nTrue\n")
    assert "tidegate: 4 requests in" in ended.stderr and ": 4 answered" in ended.stderr
    assert mock.stats()["admitted"] == 4


def test_exit_code_of_the_script_is_kept(mock):
    ended = run(mock.url, CRASH)
    assert ended.returncode == 9, ended.stderr
    assert "tidegate: 1 request in" in ended.stderr


def test_script_that_ignores_the_variable_is_told(mock):
    ended = run(mock.url, IGNORES.format(mock.url))
    assert ended.returncode == 0, ended.stderr
    assert "no request came through the gate: the command does not use OPENAI_BASE_URL" in ended.stderr
