// What is wrong with a call is told before it is made, in plain words.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { Client, InvalidRequest, Painting } from 'impasto-client';

const photo = Buffer.from('a photo');
const client = new Client('127.0.0.1:1'); // where nobody listens: nothing here gets that far

async function refusal(call) {
  const error = await call().then(
    () => assert.fail('it was not refused'),
    (refused) => refused,
  );
  assert.ok(error instanceof InvalidRequest, error);
  assert.equal(error.code, 'INVALID_ARGUMENT');
  return error.message;
}

const REFUSALS = [
  ['a path for a photo', ['photo.jpg', 'ink'], /^photo: 'photo.jpg' is no picture; give the bytes of a JPEG/],
  ['no photo', [undefined, 'ink'], /^photo: undefined is no picture/],
  ['an empty photo', [Buffer.alloc(0), 'ink'], /^photo: is empty/],
  ['no style', [photo], /^style: undefined is no style; give an id such as 'starry-night'/],
  ['an empty style', [photo, ''], /^style: '' is no style/],
  ['a bare painting', [photo, photo], /^style: 7 bytes is no style; .*new Painting\(bytes\)/],
  ['an empty blend', [photo, {}], /^style: the blend is empty/],
  ['a weight that is none', [photo, { ink: 'much' }], /^style: 'much' is no weight for 'ink'; give 0 or more/],
  ['a negative weight', [photo, { ink: -1 }], /^style: -1 is no weight for 'ink'/],
  ['no paintings', [photo, []], /^style: there are no paintings/],
  ['what is no painting', [photo, [photo]], /^style: 7 bytes is no painting; give new Painting\(bytes\)/],
  ['an empty painting', [photo, new Painting(Buffer.alloc(0))], /^style: painting 1 is empty/],
  ['paintings without weight', [photo, new Painting(photo, 0)], /^style: the paintings' weights are all 0/],
  ['options that are none', [photo, 'ink', 0.5], /^options: 0.5 is none; give an object such as { strength/],
  ['a misspelt option', [photo, 'ink', { working_size: 9 }], /^options: 'working_size' is unknown; .*workingSize/],
  ['a strength above 1', [photo, 'ink', { strength: 1.1 }], /^strength: 1.1 is out of range; give 0 to 1/],
  ['a strength that is no number', [photo, 'ink', { strength: NaN }], /^strength: NaN is out of range/],
  ['a strength in words', [photo, 'ink', { strength: '1' }], /^strength: '1' is no number; give 0 to 1/],
  ['half a pixel', [photo, 'ink', { width: 0.5 }], /^width: 0.5 px is out of range/],
  ['a pixel and a half', [photo, 'ink', { height: 1.5 }], /^height: 1.5 is no whole number/],
  ['no working size', [photo, 'ink', { workingSize: 0 }], /^workingSize: 0 px is out of range/],
  ['an unknown format', [photo, 'ink', { format: 'gif' }], /^format: 'gif' is unknown; give one of jpeg, png, webp/],
  ['a format of objects', [photo, 'ink', { format: 'constructor' }], /^format: 'constructor' is unknown/],
  ['a quality of 0', [photo, 'ink', { quality: 0 }], /^quality: 0 is out of range; give 1 to 100/],
  ['an unknown policy', [photo, 'ink', { metadata: 'some' }], /^metadata: 'some' is unknown; give one of none, with/],
  ['a mask that is no PNG', [photo, 'ink', { mask: photo }], /^mask: is no PNG file; save it as a grey PNG/],
  ['a mask of nothing', [photo, 'ink', { mask: {} }], /^mask: undefined is no picture; give the bytes of a PNG file/],
  ['a timeout of 0', [photo, 'ink', { timeout: 0 }], /^timeout: 0 is out of range; give milliseconds, above 0/],
  ['how to optimise a style', [photo, 'ink', { optimization: {} }], /^optimization: is for paintings/],
  [
    'an unknown option of a painting',
    [photo, new Painting(photo), { optimization: { stepz: 1 } }],
    /^optimization: 'stepz' is unknown; give some of steps/,
  ],
  [
    'an unknown optimiser',
    [photo, new Painting(photo), { optimization: { optimizer: 'sgd' } }],
    /^optimization.optimizer: 'sgd' is unknown; give one of auto, lbfgs, adam/,
  ],
  [
    'a request id with a blank',
    [photo, new Painting(photo), { requestId: 'my job' }],
    /^requestId: 'my job' is none; give 1 to 64 letters/,
  ],
];

describe('stylize', () => {
  for (const [what, given, why] of REFUSALS) {
    it(`refuses ${what}`, async () => assert.match(await refusal(() => client.stylize(...given)), why));
  }
});

describe('createJob', () => {
  it('refuses a trained style', async () => {
    assert.match(await refusal(() => client.createJob(photo, 'ink')), /^paintings: a job is painted from paintings/);
  });

  it('refuses a priority out of range', async () => {
    const call = () => client.createJob(photo, new Painting(photo), { priority: 101 });
    assert.match(await refusal(call), /^priority: 101 is out of range; give -100 to 100/);
  });
});
