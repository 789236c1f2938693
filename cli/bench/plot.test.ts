import { expect, test } from '@jest/globals';
import { type Plot, plotSvg } from './plot.ts';

const plot: Plot = {
  title: 'Cost & size',
  description: 'how it grows',
  note: 'one machine',
  xLabel: 'services',
  xText: (x) => x.toLocaleString('en'),
  yText: (y) => `${y} ms`,
  panels: [
    {
      title: 'load',
      lines: [
        {
          name: 'ours',
          style: 0,
          points: [
            { x: 1000, y: 10 },
            { x: 10_000, y: 100 },
          ],
        },
        { name: 'theirs <1>', style: 1, points: [{ x: 1000, y: 1000 }] },
      ],
    },
    { title: 'change', lines: [{ name: 'ours', style: 0, points: [{ x: 1000, y: 0.5 }] }] },
  ],
};

test('whole decades on the one axis, the measured sizes on the other', () => {
  const svg = plotSvg(plot);
  const labels = [...svg.matchAll(/<text class="dim"[^>]*>([^<]*)</g)].map(([, text]) => text);
  expect(labels).toEqual([
    ...['0.1 ms', '1 ms', '10 ms', '100 ms', '1000 ms', '1,000', '10,000', 'services'],
    ...['1,000', '10,000', 'services'],
    'one machine',
  ]);
});

test('a factor of ten is the same way everywhere', () => {
  const [line = ''] = [...plotSvg(plot).matchAll(/<polyline class="line s0" points="([^"]*)"/g)].map(
    (one) => one[1],
  );
  const [first, second] = line.split(' ').map((point) => Number(point.split(',')[1]));
  // Four decades on 300 units.
  expect((first ?? 0) - (second ?? 0)).toBe(75);
});

test('a name stands in the legend once, and nothing of it is markup', () => {
  const svg = plotSvg(plot);
  expect(svg.match(/>ours</g)).toHaveLength(1);
  expect(svg).toContain('theirs &lt;1&gt;');
  expect(svg).toContain('Cost &amp; size');
});

test('nothing to plot is said', () => {
  expect(() => plotSvg({ ...plot, panels: [] })).toThrow(/nothing to plot/);
});
