import { expect, test } from '@jest/globals';
import { timePlotSvg } from './time-plot.ts';

const plot = {
  title: 'Attempts',
  description: 'Attempts a second.',
  note: 'here <and> now',
  xLabel: 'seconds',
  panels: [
    {
      title: 'one & all',
      lines: [
        { name: 'ours', style: 0, isDashed: false, points: [0, 100, 0].map((y, i) => ({ x: i - 1, y })) },
        { name: 'theirs', style: 1, isDashed: true, points: [{ x: 0, y: 1000 }] },
      ],
    },
  ],
};

test('steps, with a place for zero and dashes for what was not measured', () => {
  const svg = timePlotSvg(plot);
  expect(svg).toContain('one &amp; all');
  expect(svg).toContain('here &lt;and&gt; now');
  for (const tick of ['0', '1', '10', '100', '1,000']) expect(svg).toContain(`>${tick}</text>`);
  expect(svg.match(/class="line s0"/g)).toHaveLength(2);
  // The line itself, and the legend.
  expect(svg.match(/stroke-dasharray/g)).toHaveLength(2);
  // Computed lines are below measured ones.
  expect(svg.indexOf('line s1')).toBeLessThan(svg.indexOf('line s0'));
});

test('nothing is an error', () => {
  expect(() => timePlotSvg({ ...plot, panels: [{ title: 'none', lines: [] }] })).toThrow(
    'There is nothing to plot',
  );
});
