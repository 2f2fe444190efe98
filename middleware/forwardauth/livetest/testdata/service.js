// A service in another language, which knows who its visitor is by headers alone. It
// greets curl, answers others with what it was sent, as JSON, and prints its port.
"use strict";
const http = require("http");

const server = http.createServer((request, response) => {
  const headers = [];
  for (let i = 0; i < request.rawHeaders.length; i += 2) {
    headers.push([request.rawHeaders[i], request.rawHeaders[i + 1]]);
  }
  if (request.headers["x-want-cookie"]) {
    response.setHeader("Set-Cookie", "service=1; Path=/");
  }
  if ((request.headers["user-agent"] || "").startsWith("curl/")) {
    const groups = request.headers["x-groups"];
    response.end("hello " + request.headers["remote-user"] + (groups ? " of " + groups : "") + "\n");
    return;
  }
  response.setHeader("Content-Type", "application/json");
  response.end(JSON.stringify({method: request.method, url: request.url, headers: headers}) + "\n");
});
server.listen(0, "127.0.0.1", () => console.log(JSON.stringify({port: server.address().port})));
process.stdin.resume();
process.stdin.on("end", () => process.exit(0));
