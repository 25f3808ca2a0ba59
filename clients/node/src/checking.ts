/** What can be told to be wrong without the server. */

import { InvalidRequest } from './errors.js';

const LARGEST = 2 ** 31 - 1; // that the messages can say

/** Name what somebody gave, briefly. */
export function shown(value: unknown): string {
  if (value instanceof Uint8Array) return `${value.length} bytes`;
  if (value === null || value === undefined) return String(value);
  if (typeof value === 'object') return `a ${value.constructor?.name ?? 'object'}`;
  if (typeof value === 'function') return 'a function';
  return typeof value === 'string' ? `'${value.slice(0, 100)}'` : String(value);
}

/** Refuse what is no object of options, or has one that is unknown. */
export function known(what: string, options: unknown, names: readonly string[]): void {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw new InvalidRequest(what, `${shown(options)} is none; give an object such as { ${names[0]}: ... }`);
  }
  for (const name of Object.keys(options)) {
    if (!names.includes(name)) {
      throw new InvalidRequest(what, `'${name}' is unknown; give some of ${names.join(', ')}`);
    }
  }
}

/** Return a number of a range, or refuse it. */
export function number(field: string, value: unknown, low: number, high: number, unit = ''): number {
  if (typeof value !== 'number')
    throw new InvalidRequest(field, `${shown(value)} is no number; give ${low} to ${high}`);
  if (!(value >= low && value <= high)) {
    throw new InvalidRequest(field, `${value}${unit} is out of range; give ${low} to ${high}`);
  }
  return value;
}

/** Return a whole number of a range, or refuse it. */
export function whole(field: string, value: unknown, low: number, high = LARGEST, unit = ''): number {
  const checked = number(field, value, low, high, unit);
  if (!Number.isInteger(checked)) throw new InvalidRequest(field, `${checked} is no whole number; give ${low} or more`);
  return checked;
}

/** Return what a name stands for, or refuse it. */
export function choice<Value>(field: string, value: unknown, choices: Readonly<Record<string, Value>>): Value {
  if (typeof value !== 'string' || !Object.hasOwn(choices, value)) {
    throw new InvalidRequest(field, `${shown(value)} is unknown; give one of ${Object.keys(choices).join(', ')}`);
  }
  return choices[value] as Value;
}

/** Return the bytes of a file, or refuse them. */
export function bytes(field: string, value: unknown, wanted = 'a JPEG, PNG, WebP, AVIF or HEIC file'): Uint8Array {
  if (!(value instanceof Uint8Array)) {
    const hint = typeof value === 'string' ? ', as readFile without an encoding returns them' : '';
    throw new InvalidRequest(field, `${shown(value)} is no picture; give the bytes of ${wanted}${hint}`);
  }
  if (!value.length) throw new InvalidRequest(field, `is empty; give the bytes of ${wanted}`);
  return value;
}

/** Return a time, or refuse it where it is no positive, finite number; undefined is without limit. */
export function milliseconds(field: string, value: unknown): number | undefined {
  if (value === undefined) return undefined;
  if (typeof value !== 'number' || !(value > 0) || value === Infinity) {
    throw new InvalidRequest(field, `${shown(value)} is out of range; give milliseconds, above 0`);
  }
  return value;
}
