import { expect, test } from '@jest/globals';
import { readBandwidth } from './bandwidth-options.ts';

test.each([
  [{}, undefined],
  [{ ingressRate: 0, ingressBurst: 0, egressRate: 0, egressBurst: 0 }, undefined],
  [
    { ingressRate: 1, ingressBurst: 2 },
    { ingress: { rate: 1, burst: 2 }, egress: undefined },
  ],
  [
    { EgressRate: 8e9, EgressBurst: 34359738359, IngressRate: 3, IngressBurst: 4294967295 },
    { ingress: { rate: 3, burst: 4294967295 }, egress: { rate: 8e9, burst: 34359738359 } },
  ],
  // Go's largest number, and what JavaScript can count to.
  [
    { ingressRate: 2 ** 64, ingressBurst: 2 ** 64 },
    { ingress: { rate: 9007199254740991, burst: 9007199254740991 }, egress: undefined },
  ],
])('%j: %j', (value, expected) => {
  expect(readBandwidth(value)).toEqual(expected);
});

test.each([
  [{ ingressRate: 1 }, '"b.ingressBurst" is 0: "ingressRate" needs it'],
  [{ ingressBurst: 1 }, '"b.ingressRate" is 0: "ingressBurst" needs it'],
  [{ egressRate: 1, egressBurst: 0 }, '"b.egressBurst" is 0'],
  [{ egressBurst: 1 }, '"b.egressRate" is 0'],
  [{ ingressRate: -1, ingressBurst: 1 }, '"b.ingressRate" is -1: want a whole number of 0 to 2^64'],
  [{ ingressRate: 1.5, ingressBurst: 1 }, '"b.ingressRate" is 1.5'],
  [{ ingressRate: 1e30, ingressBurst: 1 }, '"b.ingressRate" is 1e+30'],
  [{ ingressRate: '1M', ingressBurst: 1 }, '"b.ingressRate" is "1M": want a number'],
  ['x', '"b" is "x": want an object'],
])('%j is refused: %s', (value, message) => {
  expect(() => readBandwidth(value, 'b')).toThrow(
    expect.objectContaining({ code: 7, message: expect.stringContaining(message) }),
  );
});
