// A service in JavaScript that shares the visitors of a Python application without its
// secret, its pickles and its locks: node basket.mjs SOCKET TOKEN-FILE
//
// Who the visitor is it knows by the header that nginx adds; what is in the session, it
// asks gobeaker's API on the Unix socket. It prints {"port": ...} and ends with its input.
import { readFileSync } from "node:fs";
import http from "node:http";

const [socketPath, tokenFile] = process.argv.slice(2);
const token = readFileSync(tokenFile, "utf8").trim();

/** Asks for something about the session of the visitor whose Cookie header this is. */
function ask(method, cookie, body) {
  return new Promise((resolve, reject) => {
    const request = http.request({
      socketPath, path: "/v1/session", method,
      headers: { Authorization: `Bearer ${token}`, Cookie: cookie ?? "", "Content-Type": "application/merge-patch+json" },
    }, async (response) => {
      let text = "";
      for await (const part of response) text += part;
      resolve({ status: response.statusCode, ...JSON.parse(text) });
    });
    request.on("error", reject);
    request.end(body && JSON.stringify(body));
  });
}

const html = (text) => String(text).replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);

const page = (user, session) => `<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark"><link rel="icon" href="data:,"><title>Basket</title></head>
<body><h1>This is JavaScript</h1>
<dl><dt>user</dt><dd>${html(user)}</dd><dt>counter</dt><dd>${html(session.counter ?? 0)}</dd><dt>note</dt><dd>${html(session.note ?? "-")}</dd></dl>
<form method="post" action="/count"><button>Add 1 to the counter</button></form>
<form method="post" action="/note"><label>A note <input name="note" required></label> <button>Leave a note</button></form>
<form method="post" action="/logout"><button>Log out</button></form></body></html>
`;

async function post(request, path) {
  const cookie = request.headers.cookie;
  let text = "";
  for await (const part of request) text += part;
  switch (path) {
    case "/note": return ask("PATCH", cookie, { note: new URLSearchParams(text).get("note") });
    case "/count": {
      const { session } = await ask("GET", cookie);
      return ask("PATCH", cookie, { counter: (session?.counter ?? 0) + 1 });
    }
    case "/logout": return ask("DELETE", cookie);
  }
  return { status: 404 };
}

const server = http.createServer(async (request, response) => {
  const headers = { "Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-store" };
  const from = request.headers["sec-fetch-site"] ?? "same-origin";
  try {
    if (request.method === "POST" && from !== "same-origin") {
      response.writeHead(403, headers).end("This comes from another site.");
    } else if (request.method === "POST") {
      const done = await post(request, request.url);
      if (done.set_cookie?.length) headers["Set-Cookie"] = done.set_cookie;
      if (done.status === 200) headers.Location = "/";
      response.writeHead(done.status === 200 ? 303 : done.status, headers).end();
    } else {
      const { status, session } = await ask("GET", request.headers.cookie);
      response.writeHead(status, headers).end(status === 200 ? page(request.headers["remote-user"], session) : "The session cannot be read now.");
    }
  } catch {
    response.writeHead(502, headers).end("gobeaker does not answer.");
  }
});
server.listen(0, "127.0.0.1", () => console.log(JSON.stringify({ port: server.address().port })));
process.stdin.resume().on("end", () => process.exit(0));
