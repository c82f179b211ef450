"""Clients that post in a loop, each on one connection that it never opens anew."""

import http.client
import threading
import time


class Crowd:
    def __init__(self, port, size, pause=0.0):
        self.port, self.pause = port, pause
        self.ended, self.lock = threading.Event(), threading.Lock()
        self.answers, self.failed, self.closed = 0, [], 0
        self.threads = [threading.Thread(target=self.client) for _ in range(size)]
        for thread in self.threads:
            thread.start()

    def client(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        connection.connect()
        # A connection that is closed is not opened anew without being counted.
        connection.auto_open = 0
        while not self.ended.is_set():
            try:
                connection.request("POST", "/v1/threads", b"{}", {"content-type": "application/json"})
                answer = connection.getresponse()
                answer.read()
                failed = [] if answer.status == 200 else [answer.status]
            except (OSError, http.client.HTTPException) as error:
                failed = [repr(error)]
            with self.lock:
                self.failed += failed
                self.answers += not failed
                if connection.sock is None and not self.ended.is_set():
                    self.closed += 1
            if connection.sock is None:
                connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
                connection.connect()
                connection.auto_open = 0
            time.sleep(self.pause)

    def end(self):
        self.ended.set()
        for thread in self.threads:
            thread.join()
