// An upstream of Node: `node server.mjs KEEP_ALIVE_MS`. It says its port.
import http from "node:http";

const routes = {
  "GET /api/v3/models/": (_, response) => response.end('{"object": "list", "data": []}'),
  "GET /api/v3/models": (_, response) => response.writeHead(307, { location: "/api/v3/models/" }).end(),
  "POST /api/v3/chat/completions": async (request, response) => {
    let body = "";
    for await (const piece of request) body += piece;
    response.end(JSON.stringify({ id: "chatcmpl-1", object: "chat.completion", model: JSON.parse(body).model }));
  },
  // Refuses an upload without reading it.
  "POST /api/v3/files": (_, response) => {
    response.writeHead(413, { connection: "close" }).end('{"error": {"message": "too large"}}');
  },
};

const server = http.createServer((request, response) => {
  // Without its own Keep-Alive header, which would say when it closes.
  response.setHeader("connection", "keep-alive");
  const route = routes[`${request.method} ${request.url.split("?")[0]}`];
  if (route) return route(request, response);
  response.writeHead(404).end('{"error": {"message": "not here"}}');
});
server.keepAliveTimeout = Number(process.argv[2]);
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
