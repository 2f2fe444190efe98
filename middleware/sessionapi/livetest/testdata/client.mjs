// A service of the plain http module of node: node client.mjs SOCKET TOKEN COOKIE
//
// It does what the test's first line of standard input says, a list of requests
// [method, path, body or null, headers], and prints one line of JSON for each answer:
// {"status", "headers", "body"}. The Set-Cookie lines of an answer go into the Cookie
// of the next request, as a service's visitor would send them.
import http from "node:http";
import readline from "node:readline";

const [socketPath, token, cookie] = process.argv.slice(2);
const jar = new Map();

function keep(line) {
  const pair = line.split(";")[0].trim();
  jar.set(pair.slice(0, pair.indexOf("=")), pair.slice(pair.indexOf("=") + 1));
}

if (cookie) keep(cookie);

function ask(method, path, body, headers) {
  return new Promise((resolve, reject) => {
    const own = {
      Authorization: `Bearer ${token}`,
      Cookie: [...jar].map(([name, value]) => `${name}=${value}`).join("; "),
      ...headers,
    };
    if (body !== null) {
      own["Content-Type"] = method === "PATCH" ? "application/merge-patch+json" : "application/json";
    }
    const request = http.request({ socketPath, method, path, headers: own }, (response) => {
      const parts = [];
      response.on("data", (part) => parts.push(part));
      response.on("end", () => {
        const text = Buffer.concat(parts).toString("utf8");
        const answer = { status: response.statusCode, headers: response.headers, body: text ? JSON.parse(text) : null };
        (answer.body?.set_cookie ?? []).forEach(keep);
        resolve(answer);
      });
    });
    request.on("error", reject);
    request.end(body === null ? undefined : JSON.stringify(body));
  });
}

// increment is a compare-and-set: again and again, until nobody else was faster.
async function increment(key) {
  for (;;) {
    const seen = await ask("GET", "/v1/session", null, {});
    const n = (seen.body.session[key] ?? 0) + 1;
    const set = await ask("PATCH", "/v1/session", { [key]: n }, { "If-Match": seen.headers.etag });
    if (set.status !== 412) return set;
  }
}

for await (const line of readline.createInterface({ input: process.stdin })) {
  const [method, path, body, headers] = JSON.parse(line);
  const answer = method === "increment" ? await increment(path) : await ask(method, path, body, headers);
  console.log(JSON.stringify({ ...answer, cookie: [...jar].map(([n, v]) => `${n}=${v}`).join("; ") }));
}
