import { describe, expect, test } from '@jest/globals';
import { createMetrics } from './metrics.ts';

describe('createMetrics', () => {
  test('says what was counted, in the text format', async () => {
    const metrics = createMetrics({ labels: { node: 'n1' } });
    const steps = metrics.counter({ name: 'steps_total', help: 'Steps applied', labels: ['kind'] });
    steps.inc({ kind: 'route' }, 2);
    const peers = metrics.gauge({ name: 'peers', help: 'Peers programmed' });
    peers.set(3);
    const pass = metrics.histogram({ name: 'pass_seconds', help: 'Seconds of a pass', buckets: [0.01, 0.1] });
    pass.observe(0.05);
    expect(await metrics.text()).toBe(
      `# HELP netloom_steps_total Steps applied
# TYPE netloom_steps_total counter
netloom_steps_total{kind="route",node="n1"} 2

# HELP netloom_peers Peers programmed
# TYPE netloom_peers gauge
netloom_peers{node="n1"} 3

# HELP netloom_pass_seconds Seconds of a pass
# TYPE netloom_pass_seconds histogram
netloom_pass_seconds_bucket{le="0.01",node="n1"} 0
netloom_pass_seconds_bucket{le="0.1",node="n1"} 1
netloom_pass_seconds_bucket{le="+Inf",node="n1"} 1
netloom_pass_seconds_sum{node="n1"} 0.05
netloom_pass_seconds_count{node="n1"} 1
`,
    );
    expect(metrics.contentType).toBe('text/plain; version=0.0.4; charset=utf-8');
  });

  test('a gauge with collect is asked for each scrape', async () => {
    const metrics = createMetrics();
    let leases = 0;
    metrics.gauge({ name: 'leases', help: 'Leases known', collect: (gauge) => gauge.set(++leases) });
    expect(await metrics.text()).toContain('netloom_leases 1\n');
    expect(await metrics.text()).toContain('netloom_leases 2\n');
  });

  test('a counter with collect is brought up to date for each scrape', async () => {
    const metrics = createMetrics();
    metrics.counter({ name: 'reads_total', help: 'Reads', collect: (counter) => counter.inc(2) });
    expect(await metrics.text()).toContain('netloom_reads_total 2\n');
    expect(await metrics.text()).toContain('netloom_reads_total 4\n');
  });

  test('a name that others have fixed has their prefix', async () => {
    const metrics = createMetrics();
    metrics.gauge({ prefix: 'kubeproxy_', name: 'x', help: 'X' }).set(1);
    metrics.gauge({ prefix: '', name: 'x', help: 'X' }).set(2);
    expect((await metrics.text()).match(/^[^#\n].*$/gm)).toEqual(['kubeproxy_x 1', 'x 2']);
  });

  test('registries do not know each other, but one refuses a name twice', () => {
    const metrics = createMetrics();
    const declaration = { name: 'peers', help: 'Peers' };
    metrics.gauge(declaration);
    expect(() => createMetrics().gauge(declaration)).not.toThrow();
    expect(() => metrics.gauge(declaration)).toThrow('netloom_peers has already been registered');
  });

  test('a counter is named like one', () => {
    expect(() => createMetrics().counter({ name: 'steps', help: '' })).toThrow(
      'Cannot declare counter "steps": its name must end in "_total"',
    );
  });

  test('process metrics come only when asked for', async () => {
    expect(await createMetrics().text()).not.toContain('process');
    expect(await createMetrics({ process: true }).text()).toMatch(
      /^netloom_process_resident_memory_bytes \d+$/m,
    );
  });
});
