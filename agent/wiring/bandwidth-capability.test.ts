import { describe, expect, test } from '@jest/globals';
import { type BandwidthCapability, bandwidthLimits } from './bandwidth-capability.ts';

describe('bandwidthLimits', () => {
  test.each<readonly [string, BandwidthCapability, unknown]>([
    ['nothing', {}, undefined],
    [
      'zeros and null',
      { ingressRate: 0, ingressBurst: 0, egressRate: null, egressBurst: undefined },
      undefined,
    ],
    ['one direction', { ingressRate: 8, ingressBurst: 16 }, { ingress: { rate: 8, burst: 16 } }],
    [
      'both',
      { ingressRate: 1000, ingressBurst: 2000, egressRate: 3000, egressBurst: 4000 },
      { ingress: { rate: 1000, burst: 2000 }, egress: { rate: 3000, burst: 4000 } },
    ],
    [
      'what containerd says for "as much as fits"',
      { ingressRate: 10_000_000, ingressBurst: 4294967295, egressRate: 0, egressBurst: 0 },
      { ingress: { rate: 10_000_000, burst: 4294967295 } },
    ],
    [
      'what CRI-O says for it',
      { egressRate: 10_000_000, egressBurst: 34359738359 },
      { egress: { rate: 10_000_000, burst: 34359738359 } },
    ],
  ])('takes %s', (_, capability, limits) => {
    expect(bandwidthLimits(capability)).toEqual(limits);
  });

  test.each<readonly [BandwidthCapability, string, string]>([
    [
      { ingressRate: 8 },
      'RangeError',
      'Cannot use bandwidth "ingressRate" 8: "ingressBurst" is missing or 0',
    ],
    [
      { egressBurst: 9, egressRate: 0 },
      'RangeError',
      'Cannot use bandwidth "egressBurst" 9: "egressRate" is missing or 0',
    ],
    [
      { egressRate: -1, egressBurst: 8 },
      'RangeError',
      'Cannot use bandwidth "egressRate" -1: it is negative',
    ],
    [
      { ingressRate: 8, ingressBurst: 0.5 },
      'SyntaxError',
      'Cannot use bandwidth "ingressBurst" 0.5: want a whole number of bits',
    ],
    [
      { ingressRate: '8M', ingressBurst: 8 },
      'SyntaxError',
      'Cannot use bandwidth "ingressRate" "8M": want a whole number of bits',
    ],
  ])('refuses %j', (capability, name, message) => {
    expect(() => bandwidthLimits(capability)).toThrow(expect.objectContaining({ name, message }));
  });
});
