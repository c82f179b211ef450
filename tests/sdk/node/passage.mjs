// How a test tells that an answer came through the gate, and under which pools.

import assert from "node:assert/strict";

export function assertThroughGate({ headers }, ...pools) {
  assert.equal(headers.get("x-tidegate-source"), "upstream");
  assert.equal(headers.get("x-tidegate-attempts"), "1");
  assert.ok(headers.get("x-tidegate-route"));
  assert.match(headers.get("x-tidegate-wait-ms"), /^\d+$/);
  assert.match(headers.get("server-timing"), /\btidegate;dur=[\d.]+/);
  const named = (headers.get("x-tidegate-pools") ?? "").split(/[,\s]+/).filter(Boolean);
  assert.deepEqual(named.sort(), pools.sort());
}
