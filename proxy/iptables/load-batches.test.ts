import { describe, expect, test } from '@jest/globals';
import { samplePort } from '../sample-services.ts';
import { fixedRules } from './fixed-rules.ts';
import { loadBatches } from './load-batches.ts';
import { planFull } from './plan-full.ts';
import type { RuleStep } from './rule-step.ts';
import { sampleContext } from './sample-context.ts';
import { portRules } from './service-rules.ts';

const context = sampleContext();

function load(count: number): readonly RuleStep[] {
  const ports = Array.from({ length: count }, (_, i) =>
    samplePort({
      service: `s${i}`,
      clusterIp: `10.96.${i >> 8}.${i & 255}`,
      nodePort: 20000 + i,
      clusterEndpoints: ['10.0.0.1:80', '10.0.0.2:80'],
    }),
  );
  const rules = new Map(ports.map((port) => [port.key, portRules(port, { context, comments: true })]));
  return planFull({ fixed: fixedRules(context, { randomFully: true }), ports: rules }, new Map());
}

/** Chains of table nat that a step makes, and those that its lines lead to. */
function natChains(step: RuleStep) {
  if (step.table !== 'nat') return { made: [], used: [] };
  const lines = step.kind === 'chain-write' ? step.lines : step.kind === 'line-insert' ? [step.line] : [];
  return {
    made: step.kind === 'chain-write' ? [step.chain] : [],
    used: lines.flatMap((line) => /-j (KUBE-\S+)/.exec(line)?.[1] ?? []),
  };
}

describe('loadBatches', () => {
  test('a small plan is one batch, none is none', () => {
    const steps = load(10);
    expect(loadBatches(steps)).toEqual([steps]);
    expect(loadBatches([])).toEqual([]);
  });

  test('a large load: nothing leads to what is not there yet', () => {
    const steps = load(1000);
    const batches = loadBatches(steps);
    expect(batches.length).toBeGreaterThan(4);
    expect(batches.flat()).toHaveLength(steps.length);
    const there = new Set<string>();
    for (const batch of batches) {
      expect(batch.filter(({ port }) => port !== undefined).length).toBeLessThan(1010);
      for (const step of batch) for (const chain of natChains(step).made) there.add(chain);
      for (const step of batch) for (const chain of natChains(step).used) expect(there.has(chain)).toBe(true);
    }
    const owners = batches.map((batch) => new Set(batch.flatMap(({ port }) => port ?? [])));
    expect(owners.reduce((sum, { size }) => sum + size, 0)).toBe(1000);
  });

  test('a large removal: chains are emptied, then go, the ones that lead to others first', () => {
    const steps = load(600)
      .filter((step) => step.table === 'nat' && step.kind === 'chain-write')
      .map((step): RuleStep => ({ kind: 'chain-delete', table: 'nat', chain: step.chain }));
    const batches = loadBatches(steps);
    const gone = batches.flat().flatMap((step) => (step.kind === 'chain-delete' ? [step.chain] : []));
    expect(gone).toHaveLength(steps.length);
    expect(batches[0]?.map(({ kind, chain }) => `${kind} ${chain}`)).toContain('chain-write KUBE-SERVICES');
    expect(gone.slice(-5)).toContain('KUBE-MARK-MASQ');
    const first = (kind: string) => gone.findIndex((chain) => chain.startsWith(`KUBE-${kind}-`));
    expect([first('EXT'), first('SVC'), first('SEP')]).toEqual(
      [first('EXT'), first('SVC'), first('SEP')].sort((a, b) => a - b),
    );
  });
});
