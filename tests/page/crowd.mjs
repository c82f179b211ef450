// Requests that go through the gate, whose answers nobody needs.

import http from "node:http";

export class Crowd {
  #agent = new http.Agent({ keepAlive: true, maxSockets: Infinity });
  #timers = [];

  constructor(gate) {
    this.gate = gate;
  }

  /** Sends one; resolves when it is answered or cut off. */
  send(method, path, headers = {}, body = {}) {
    return new Promise((resolve) => {
      const request = http.request(`${this.gate}${path}`, { method, headers, agent: this.#agent }, (answer) =>
        answer.resume().on("close", resolve),
      );
      request.on("error", resolve);
      request.end(method === "POST" ? JSON.stringify(body) : undefined);
    });
  }

  /** So many at once. */
  burst(many, method, path, headers, body) {
    return Promise.all(Array.from({ length: many }, () => this.send(method, path, headers, body)));
  }

  /** So many a second, or as many as `rate` says at that second, until it is stopped. */
  keepSending(rate, one) {
    let [last, due, sent] = [performance.now(), 0, 0];
    const began = last;
    const tick = () => {
      const now = performance.now();
      due += ((now - last) / 1000) * (typeof rate === "function" ? rate((now - began) / 1000) : rate);
      for (last = now; due >= 1; due -= 1) one(sent++);
    };
    this.#timers.push(setInterval(tick, 10));
  }

  stop() {
    this.#timers.forEach(clearInterval);
    this.#agent.destroy();
  }
}
