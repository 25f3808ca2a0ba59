// Runs what tests of the Node client send, a line of JSON each, and answers in lines of JSON.

import { createInterface } from 'node:readline';

import * as impasto from '../../clients/node/dist/index.js';

const AsyncFunction = (async () => {}).constructor;

function packed(_, value) {
  if (value?.type === 'Buffer' && Array.isArray(value.data))
    return { $bytes: Buffer.from(value.data).toString('base64') };
  return value;
}

function unpacked(_, value) {
  return value?.$bytes === undefined ? value : Buffer.from(value.$bytes, 'base64');
}

function say(kind, value = null) {
  process.stdout.write(`${JSON.stringify({ kind, value }, packed)}\n`);
}

function told(error) {
  if (!(error instanceof Error)) return { name: String(error), message: String(error) };
  return { ...error, name: error.name, message: error.message, cause: undefined };
}

async function run(code, given) {
  const clients = [];
  const connect = (target, options) => {
    clients.push(new impasto.Client(target, options));
    return clients.at(-1);
  };
  const tools = { impasto, connect, say: (value) => say('said', value), told, ...given };
  try {
    const program = new AsyncFunction(...Object.keys(tools), code);
    say('returned', await program(...Object.values(tools)));
  } catch (error) {
    say('threw', told(error));
  } finally {
    for (const client of clients) client.close();
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const { code, given } = JSON.parse(line, unpacked);
  await run(code, given);
}
