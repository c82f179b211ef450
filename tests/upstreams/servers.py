"""Starts the servers on free ports, and ends them by their process."""

import contextlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
# How long each keeps an idle connection: about as long as the clients pause.
IDLE_MS = 20

NGINX = """
daemon off; worker_processes 1; pid nginx.pid; error_log stderr warn;
events {{ worker_connections 512; }}
http {{
  access_log off; keepalive_timeout {idle}ms; client_max_body_size 1m; client_body_temp_path body; proxy_temp_path proxy;
  fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;
  server {{
    listen 127.0.0.1:{port};
    location / {{ proxy_pass http://127.0.0.1:{node}; proxy_http_version 1.1; proxy_set_header Connection ""; }}
  }}
}}
"""

HAPROXY = """
global
  maxconn 512
defaults
  mode http
  timeout connect 5s
  timeout client 30s
  timeout server 30s
  timeout http-keep-alive {idle}ms
frontend gate
  bind 127.0.0.1:{port}
  http-request deny deny_status 413 if {{ path_end /files }}
  default_backend node
backend node
  server node 127.0.0.1:{node}
"""


def free_port():
    """A port that was free a moment ago: these servers cannot pick one themselves."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def process(*command, **options):
    """A process, until the end of the block."""
    child = subprocess.Popen(command, **options)
    try:
        yield child
    finally:
        child.terminate()
        child.wait(30)


def listens(port, child):
    while child.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.02)
    raise RuntimeError(f"{child.args} has ended: {child.returncode}")


@contextlib.contextmanager
def node(idle_ms):
    with process("node", str(HERE / "server.mjs"), str(idle_ms), stdout=subprocess.PIPE, text=True) as child:
        yield int(child.stdout.readline())
        child.stdout.close()


@contextlib.contextmanager
def uvicorn():
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "app:app", "--port", str(port), "--timeout-keep-alive", "0", "--log-level", "error"]
    with process(*command, cwd=HERE) as child:
        listens(port, child)
        yield port


@contextlib.contextmanager
def before_node(config, *command):
    """A server that is before Node."""
    folder = tempfile.mkdtemp()
    try:
        with node(60_000) as behind:
            port = free_port()
            Path(folder, "server.conf").write_text(config.format(port=port, node=behind, idle=IDLE_MS))
            with process(*command, cwd=folder) as child:
                listens(port, child)
                yield port
    finally:
        shutil.rmtree(folder)


def nginx():
    return before_node(NGINX, "nginx", "-p", ".", "-c", "server.conf", "-e", "stderr")


def haproxy():
    return before_node(HAPROXY, "haproxy", "-f", "server.conf", "-q")


SERVERS = {"uvicorn": uvicorn, "node": lambda: node(IDLE_MS), "nginx": nginx, "haproxy": haproxy}
