// A token goes out in plain text only to where nobody else can read it, and by no proxy.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { it } from 'node:test';

import { staysHere } from '../dist/access.js';
import { channelOptions } from '../dist/channel.js';
import { VERSION } from '../dist/version.js';

const HERE = [
  '127.0.0.1:8500',
  'localhost:8500',
  'localhost',
  '[::1]:8500',
  'dns:///localhost:8500',
  'dns:localhost:8500',
  'ipv4:127.0.0.1:1,127.0.0.2:2',
  'ipv6:[::1]:8500',
  'unix:/run/impasto.sock',
];
const ELSEWHERE = [
  'painter:8500',
  '10.0.0.1:8500',
  'localhost.example:8500',
  'dns:///painter:8500',
  'dns://127.0.0.1/painter:8500',
  'ipv4:127.0.0.1:1,10.0.0.1:2',
  'xds:///localhost',
  '[2001:db8::1]:8500',
];

const proxied = (target) => channelOptions(target)['grpc.enable_http_proxy'] === 1;

for (const target of HERE) it(`${target} is this machine`, () => assert.ok(staysHere(target) && !proxied(target)));
for (const target of ELSEWHERE) it(`${target} may be another`, () => assert.ok(!staysHere(target) && proxied(target)));

it('says its version as the package does', async () => {
  const { version } = JSON.parse(await readFile(new URL('../package.json', import.meta.url), 'utf8'));
  assert.equal(VERSION, version);
});

it('can be required, where Node lets modules be', (test) => {
  if (!process.features.require_module) return test.skip('this Node cannot');
  assert.equal(typeof createRequire(import.meta.url)('impasto-client').Client, 'function');
});
