// A photo app's back end: it has uploads painted.
//
//     node examples/backend.mjs --server 127.0.0.1:8500 --port 8080
//     curl --data-binary @photo.jpg 'http://127.0.0.1:8080/paint?style=starry-night' --output painted.jpg
//     curl http://127.0.0.1:8080/styles

import { once } from 'node:events';
import { createServer } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { parseArgs } from 'node:util';

import * as impasto from 'impasto-client';

const MAX_UPLOAD = 20 * 2 ** 20; // bytes

// What went wrong, as HTTP says it. The first that fits counts: an unknown style is an invalid request, too.
const STATUSES = [
  [impasto.StyleUnknown, 404],
  [impasto.MessageTooLarge, 413],
  [impasto.InvalidRequest, 400],
  [impasto.ServerBusy, 503],
  [impasto.ServerUnavailable, 503],
  [impasto.DeadlineExceeded, 504],
];

const { values } = parseArgs({ options: { server: { type: 'string' }, port: { type: 'string', default: '8080' } } });
// One client for the whole program: it serves any number of calls at a time.
const client = new impasto.Client(values.server, { token: process.env.IMPASTO_TOKEN });

async function paint(request, url, signal) {
  const length = request.headers['content-length'];
  if (length === undefined) throw new impasto.InvalidRequest('photo', 'comes without a Content-Length; send one');
  if (Number(length) > MAX_UPLOAD) {
    throw new impasto.MessageTooLarge(`is over ${MAX_UPLOAD} bytes`, MAX_UPLOAD);
  }
  const style = url.searchParams.get('style') ?? 'starry-night';
  const strength = Number(url.searchParams.get('strength') ?? 1);
  const { image, mediaType } = await client.stylize(await buffer(request), style, { strength, signal });
  return { type: mediaType, body: image };
}

async function styles(_request, _url, signal) {
  const found = await client.styles({ signal });
  return {
    type: 'application/json',
    body: JSON.stringify(found.map(({ id, title, artist }) => ({ id, title, artist }))),
  };
}

function addressed(request) {
  try {
    return new URL(request.url ?? '/', 'http://localhost');
  } catch {
    throw new impasto.InvalidRequest('path', `${request.url} is none; POST to /paint?style=..., or GET /styles`);
  }
}

const ROUTES = { 'POST /paint': paint, 'GET /styles': styles };

const server = createServer(async (request, response) => {
  // A person who leaves before the picture is done costs the server nothing more.
  const control = new AbortController();
  response.on('close', () => control.abort());
  try {
    const url = addressed(request);
    const route = ROUTES[`${request.method} ${url.pathname}`];
    if (!route) return void response.writeHead(404).end('POST a photo to /paint?style=..., or GET /styles\n');
    const { type, body } = await route(request, url, control.signal);
    response.writeHead(200, { 'content-type': type }).end(body);
  } catch (error) {
    if (control.signal.aborted) return;
    const [, status] = STATUSES.find(([kind]) => error instanceof kind) ?? [undefined, 500];
    if (status === 500) console.error(error); // for us, not for whoever called
    if (error.retryAfter) response.setHeader('retry-after', Math.ceil(error.retryAfter / 1000));
    response.writeHead(status).end(status === 500 ? 'something went wrong\n' : `${error.message}\n`);
  }
});

server.listen(Number(values.port), '127.0.0.1');
await once(server, 'listening');
console.log(`painting at http://127.0.0.1:${server.address().port}`);

process.once('SIGTERM', () => {
  server.close(() => client.close()); // what has been begun is finished
});
