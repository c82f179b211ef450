// What has come of the requests of each route since the start.

import { fill } from "./rows.js";
import { count, span } from "./words.js";

const [table, none] = ["routes", "no-routes"].map((id) => document.getElementById(id));

export function showRoutes(routes) {
  const busiest = [...routes].sort((one, other) => other.requests - one.requests);
  fill(table, busiest.map(row));
  table.hidden = routes.length === 0;
  none.hidden = routes.length > 0;
}

function row({ route, requests, classes, failed, refused, common_failure: failure, wait_ms: wait }) {
  const of = (name) => count(classes[name] ?? 0);
  return [
    route,
    count(requests),
    of("2xx"),
    of("4xx"),
    of("5xx"),
    count(failed),
    count(refused),
    failure ?? "–",
    wait.p95 > 0 ? span(wait.p95) : "–",
  ];
}
