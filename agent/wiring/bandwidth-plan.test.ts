import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { linkText } from '../../kernel/route/text.ts';
import { tcState } from '../../kernel/tc/objects.ts';
import { planTc } from '../../kernel/tc/plan.ts';
import { tcStepText } from '../../kernel/tc/text.ts';
import { isInterfaceName } from '../../net/names.ts';
import type { BandwidthLimits } from './bandwidth-limits.ts';
import { bandwidthPlan, limiterName, type Shaping } from './bandwidth-plan.ts';

const attachment = { network: 'pods', containerId: 'c1', ifname: 'eth0' };
const ifb = limiterName(attachment);

function shown({ limiter, tc }: Shaping): readonly string[] {
  const steps = planTc(tc, tcState({})).map(tcStepText);
  return limiter === undefined ? steps : [linkText(limiter), ...steps];
}

const largest = { rate: 10_000_000, burst: 34359738359 };

test.each<readonly [string, BandwidthLimits, readonly string[]]>([
  ['no limits', {}, []],
  [
    'to the pod: on the host end, for 25 ms of waiting',
    { ingress: { rate: 8_000_000, burst: 800_000 } },
    ['tc qdisc add dev veth1 root handle 1: tbf rate 1000000bps burst 100000b limit 125000b'],
  ],
  [
    'from the pod: on an ifb device, and what comes in is led there',
    { egress: { rate: 8_000_000, burst: 800_000 } },
    [
      `${ifb} txqueuelen 0 mtu 1450 alias "netloom" up type ifb`,
      `tc qdisc add dev ${ifb} root handle 1: tbf rate 1000000bps burst 100000b limit 125000b`,
      'tc qdisc add dev veth1 ingress',
      `tc filter add dev veth1 parent ffff: protocol all pref 1 u32 match u32 0 0 action mirred egress redirect dev ${ifb}`,
    ],
  ],
  [
    'a burst of "as much as fits": so many bytes as the rate gives in 4.29 s',
    { ingress: largest },
    ['tc qdisc add dev veth1 root handle 1: tbf rate 1250000bps burst 5368709b limit 5399959b'],
  ],
  [
    'the smallest limits: a byte a second, and room for a frame',
    { ingress: { rate: 1, burst: 1 } },
    ['tc qdisc add dev veth1 root handle 1: tbf rate 1bps burst 1464b limit 1464b'],
  ],
  [
    'a petabit a second: no number beyond what the kernel takes',
    { ingress: { rate: 1e15, burst: 1e15 } },
    ['tc qdisc add dev veth1 root handle 1: tbf rate 125000000000000bps burst 4294967295b limit 4294967295b'],
  ],
])('%s', (_, limits, text) => {
  expect(shown(bandwidthPlan(attachment, { hostLink: 'veth1', mtu: 1450, limits }))).toEqual(text);
});

test('whatever the limits, every number is a whole one that the kernel takes', () => {
  const limit = fc.record({ rate: fc.integer({ min: 1, max: 2 ** 53 - 1 }), burst: fc.integer({ min: 1 }) });
  const mtu = fc.integer({ min: 68, max: 65535 });
  fc.assert(
    fc.property(limit, mtu, (ingress, bytes) => {
      const { tc } = bandwidthPlan(attachment, { hostLink: 'veth1', mtu: bytes, limits: { ingress } });
      for (const qdisc of tc.qdiscs.values()) {
        if (qdisc.kind !== 'tbf') continue;
        for (const number of [qdisc.rate, qdisc.burst, qdisc.limit])
          expect(Number.isSafeInteger(number)).toBe(true);
        expect(qdisc.burst).toBeGreaterThan(bytes);
        expect(qdisc.burst).toBeLessThan(2 ** 32);
        expect(qdisc.limit).toBeLessThan(2 ** 32);
        expect(qdisc.limit).toBeGreaterThanOrEqual(qdisc.burst);
      }
    }),
  );
});

test('the name of the device is a good one, and another for another attachment', () => {
  const others = ['network', 'containerId', 'ifname'].map((part) =>
    limiterName({ ...attachment, [part]: 'x' }),
  );
  expect(new Set([ifb, ...others]).size).toBe(4);
  for (const name of [ifb, ...others]) expect(isInterfaceName(name)).toBe(true);
  expect(ifb).toMatch(/^ifb[0-9a-f]{12}$/);
});
