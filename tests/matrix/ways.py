"""The ways to send a batch: each is a context manager that gives the URL for the client to be pointed at."""

import socket
import subprocess
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from programs import START_DEADLINE, STOP_DEADLINE, Gate, eventually
from windows import LIMIT

POOL = """
extends = "none"

[queue]
max_waiting = {requests}
max_wait = "1h"

[pools.post]
requests = ["{limit}/{minute}ms"]
{shape}

[[routes]]
match = "POST /v1/threads"
pools = ["post"]
"""

# Shares of the minute: of a real one the 250 ms that Tidegate ships, of 6 s 25 ms. Where there is no burst, the margin is
# spread over the window: that would be 0.1 ms between two requests, less than a machine's hiccups. 2 % are 0.4 ms.
WINDOW_MARGIN, PACE_MARGIN = 0.25 / 60, 0.02

NGINX = """
daemon off;
master_process off;
pid nginx.pid;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    client_body_temp_path body; proxy_temp_path proxy;
    fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
    keepalive_timeout 1h; keepalive_requests 100000;
    proxy_read_timeout 1h; proxy_http_version 1.1; proxy_set_header Connection "";
    limit_req_zone $server_port zone=posts:1m rate={rate}r/m;
    upstream mock {{ server {mock}; keepalive 200; }}
    server {{
        listen 127.0.0.1:{port};
        location / {{ proxy_pass http://mock; }}
        location /v1/threads {{ limit_req zone=posts burst=100000; proxy_pass http://mock; }}
    }}
}}
"""


def pool(batch, seconds, shape=""):
    """A configuration of one pool, which the POSTs take from; its span is `seconds` long."""
    return POOL.format(requests=batch.requests, limit=LIMIT, minute=round(seconds * 1000), shape=shape)


@contextmanager
def direct(mock, _window, _batch):
    """Nothing in between."""
    yield mock.url


@contextmanager
def tidegate(mock, window, batch):
    """The gate, told the shape that fits the upstream's window."""
    smooth = window.burst is not None
    margin = batch.minute * (PACE_MARGIN if window.burst == 1 else WINDOW_MARGIN)
    shape = f'shape = "smooth"\nburst = {window.burst}' if smooth else 'shape = "window"'
    with TemporaryDirectory() as folder:
        config = Path(folder, "tidegate.toml")
        config.write_text(pool(batch, batch.minute, f'{shape}\nmargin = "{round(margin * 1000)}ms"'))
        with Gate(mock.url, "--config", str(config)) as gate:
            yield gate.url


@contextmanager
def nginx(share, mock, _window, batch):
    """nginx, delaying to `share` of the limit and refusing nothing itself; it takes whole requests a minute only."""
    rate, upstream, port = round(LIMIT * share * 60 / batch.minute), mock.url.removeprefix("http://"), free_port()
    with TemporaryDirectory() as folder:
        Path(folder, "nginx.conf").write_text(NGINX.format(rate=rate, mock=upstream, port=port))
        process = subprocess.Popen(["nginx", "-p", folder, "-c", "nginx.conf", "-e", "stderr"])
        try:
            eventually(lambda: listens(port), START_DEADLINE, "nginx listens")
            yield f"http://127.0.0.1:{port}"
        finally:
            process.kill()
            process.wait(STOP_DEADLINE)


def free_port():
    """A port that was free a moment ago: nginx cannot pick one itself."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


def listens(port):
    """Whether somebody listens on this port."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


WAYS = {
    "direct": ("direct", direct),
    "tidegate": ("tidegate", tidegate),
    "nginx-100": ("nginx limit_req 100 %", partial(nginx, 1.00)),
    "nginx-98": ("nginx limit_req 98 %", partial(nginx, 0.98)),
}
