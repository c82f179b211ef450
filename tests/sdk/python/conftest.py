"""What every test needs: the stand-in upstream, the gate before it, and the two clients of the SDK."""

import openai
import pytest
from programs import Gate, Mock

KEY = "sk-test"


@pytest.fixture(scope="session")
def anyio_backend():
    """The event loop that the SDK itself is used with."""
    return "asyncio"


@pytest.fixture(scope="session")
def mock():
    """A stand-in upstream with the limits that Tidegate ships."""
    with Mock() as mock:
        yield mock


@pytest.fixture(scope="session")
def gate(mock):
    """A gate with the configuration that Tidegate ships."""
    with Gate(mock.url) as gate:
        yield gate


@pytest.fixture(scope="session")
def client(gate):
    """The official client, unmodified but for its base URL."""
    with openai.OpenAI(base_url=f"{gate.url}/v1", api_key=KEY, max_retries=0) as client:
        yield client


@pytest.fixture
async def aclient(gate):
    """The official asynchronous client, unmodified but for its base URL."""
    async with openai.AsyncOpenAI(base_url=f"{gate.url}/v1", api_key=KEY, max_retries=0) as client:
        yield client


@pytest.fixture
def gate_with(tmp_path):
    """Starts gates of a test's own: `gate_with(config, upstream, *options)`."""
    started = []

    def start(config, upstream, *options):
        file = tmp_path / f"tidegate-{len(started)}.toml"
        file.write_text(config)
        started.append(Gate(upstream, "--config", str(file), *options))
        return started[-1]

    yield start
    for gate in started:
        gate.stop()


@pytest.fixture
def client_of():
    """Clients that never try again, of a gate of the test's own: `client_of(gate, **options)`."""
    opened = []

    def open_client(gate, **options):
        opened.append(openai.OpenAI(**{"base_url": f"{gate.url}/v1", "api_key": KEY, "max_retries": 0, **options}))
        return opened[-1]

    yield open_client
    for client in opened:
        client.close()
