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
      const request = http.request(`${this.gate}${path}`, { method, headers, agent: this.#agent }, (answer) => answer.resume().on("close", resolve));
      request.on("error", resolve);
      request.end(method === "POST" ? JSON.stringify(body) : undefined);
    });
  }

  /** So many at once. */
  burst(many, method, path, headers, body) {
    return Promise.all(Array.from({ length: many }, () => this.send(method, path, headers, body)));
  }

  /** So many a second, until it is stopped. */
  keepSending(rate, one) {
    let sent = 0;
    const began = performance.now();
    this.#timers.push(setInterval(() => {
      while (sent < ((performance.now() - began) / 1000) * rate) one(sent++);
    }, 10));
  }

  stop() {
    this.#timers.forEach(clearInterval);
    this.#agent.destroy();
  }
}
