/** What a client shows a server, and what it asks to see: tokens and certificates. */

import { readFileSync } from 'node:fs';
import { BlockList, isIP } from 'node:net';

import { credentials, type ChannelCredentials } from '@grpc/grpc-js';

import { shown } from './checking.js';
import { InvalidRequest } from './errors.js';
import type { ClientOptions, Pem } from './options.js';

const TOKEN = /^[A-Za-z0-9._~+/=-]+$/; // RFC 6750, 2.1
const PEM = '-----BEGIN ';

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4');
LOOPBACK.addAddress('::1', 'ipv6');

/** Return gRPC's credentials for a connection, or throw InvalidRequest. */
export function channelCredentials(options: ClientOptions): ChannelCredentials {
  const [ca, certificate, key] = [
    pem('ca', options.ca),
    pem('certificate', options.certificate),
    pem('key', options.key),
  ];
  if (!certificate !== !key) {
    const [given, missing] = certificate ? ['certificate', 'key'] : ['key', 'certificate'];
    throw new InvalidRequest(given ?? '', `is given without ${missing}; give both, or neither`);
  }
  if (!usesTls(options)) return credentials.createInsecure();
  try {
    return credentials.createSsl(ca ?? null, key ?? null, certificate ?? null);
  } catch (error) {
    const field = certificate ? 'certificate' : 'ca';
    throw Object.assign(new InvalidRequest(field, `cannot be used: ${(error as Error).message}`), { cause: error });
  }
}

/** Return what each call says of who calls, or throw InvalidRequest where it would go out in plain text. */
export function authorization(target: string, options: ClientOptions): string | undefined {
  const { token } = options;
  if (token === undefined) return undefined;
  if (typeof token !== 'string' || !TOKEN.test(token)) {
    throw new InvalidRequest('token', 'has characters that no token has; give it as `impasto-server token` printed it');
  }
  if (!(usesTls(options) || options.insecure || staysHere(target))) {
    throw new InvalidRequest(
      'token',
      `would go to ${target} in plain text, for everyone on the way to read; ask for TLS with tls or ca, or give ` +
        'insecure if nobody else is on the way',
    );
  }
  return `Bearer ${token}`;
}

function usesTls({ tls, ca, certificate, key }: ClientOptions): boolean {
  return Boolean(tls || ca || certificate || key);
}

function pem(name: string, given: Pem | undefined): Buffer | undefined {
  if (given === undefined) return undefined;
  const [where, content] = typeof given === 'string' && given.includes(PEM) ? ['', given] : read(name, given);
  if (!content.includes(PEM)) {
    throw new InvalidRequest(
      name,
      `${where || 'what was given'} is no PEM file; such a file has a line ${PEM}...-----`,
    );
  }
  return Buffer.from(content);
}

function read(name: string, given: Pem): [string, Buffer] {
  if (given instanceof Uint8Array) return ['', Buffer.from(given)];
  if (typeof given !== 'string' && !(given instanceof URL)) {
    throw new InvalidRequest(name, `${shown(given)} is no file; give the path of a PEM file, or its content`);
  }
  try {
    return [String(given), readFileSync(given)];
  } catch (error) {
    throw new InvalidRequest(name, `${String(given)} cannot be read: ${(error as NodeJS.ErrnoException).code}`);
  }
}

/** Return whether what is sent to a gRPC target leaves this machine under no circumstances. */
export function staysHere(target: string): boolean {
  const [, scheme = '', rest = ''] = /^([a-z][a-z0-9+.-]*):(.*)$/s.exec(target) ?? [];
  if (scheme === 'unix' || scheme === 'unix-abstract') return true;
  if (scheme === 'ipv4' || scheme === 'ipv6') return rest.replace(/^\/+/, '').split(',').every(isLoopback);
  if (scheme === 'dns') return isLoopback(rest.slice(rest.lastIndexOf('/') + 1));
  return !target.includes('://') && isLoopback(target);
}

/** Tell of `host`, `host:port` or `[IPv6]:port`. */
function isLoopback(address: string): boolean {
  const bracketed = /^\[(.*)\](:\d+)?$/.exec(address);
  const host = bracketed?.[1] ?? (address.split(':').length === 2 ? address.slice(0, address.indexOf(':')) : address);
  const family = isIP(host);
  return family ? LOOPBACK.check(host, family === 4 ? 'ipv4' : 'ipv6') : host === 'localhost';
}
