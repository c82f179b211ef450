// What has come of the requests of each client since the start.

import { fill } from "./rows.js";
import { count, span } from "./words.js";

const [table, none] = ["clients", "no-clients"].map((id) => document.getElementById(id));

export function showClients(clients) {
  fill(table, clients.map(row));
  table.hidden = clients.length === 0;
  none.hidden = clients.length > 0;
}

function row({ client, name, requests, classes, refused, left, retried, coalesced, wait_ms: wait }) {
  const failed = (classes["4xx"] ?? 0) + (classes["5xx"] ?? 0);
  const numbers = [requests, failed, refused, retried, coalesced, left].map(count);
  return [name ?? client, ...numbers, wait.p95 > 0 ? span(wait.p95) : "–"];
}
