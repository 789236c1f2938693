import { expect, test } from '@jest/globals';
import type { ProxyPoint } from './proxy-measuring.ts';
import { proxyPlot } from './proxy-plot.ts';

const point = (fields: Partial<ProxyPoint>): ProxyPoint => ({
  what: 'load',
  series: 'ours',
  amount: { services: 1000, endpoints: 3 },
  milliseconds: 100,
  ...fields,
});

test('two panels, a line each for whoever was measured, times in words', () => {
  const svg = proxyPlot(
    [
      point({}),
      point({ what: 'change', milliseconds: 0.2 }),
      point({ what: 'change', series: 'nft', milliseconds: 30 }),
      point({ amount: { services: 100, endpoints: 1000 }, milliseconds: 1e7 }),
    ],
    { note: 'here' },
  );
  expect(svg.match(/<polyline/g)).toHaveLength(3);
  expect(svg).toContain('>100 µs<');
  expect(svg).toContain('>100 ms<');
  expect(svg).not.toContain('>1 s<');
  expect(svg).not.toContain('iptables');
});
