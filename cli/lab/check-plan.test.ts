import { describe, expect, test } from '@jest/globals';
import { type PlannedCheck, planChecks } from './check-plan.ts';
import { dualState, sampleState } from './sample-lab.ts';

/** As "pod-1a>pod-1b tcp 10.244.1.2". */
function probesOf(checks: readonly PlannedCheck[], name: string): readonly string[] {
  const check = checks.find((candidate) => candidate.name === name);
  if (check === undefined) throw new RangeError(`There is no check "${name}"`);
  return check.probes.map(({ from, to, what }) => {
    const saw = 'saw' in what ? ` ${what.saw}` : '';
    return `${from.name}>${to.name} ${what.kind}${saw}`;
  });
}

describe('a lab of two nodes and three pods', () => {
  const checks = planChecks(sampleState());

  test('every property has its check', () => {
    expect(checks.map(({ name }) => name)).toEqual([
      'pods on one node: ICMP',
      'pods on one node: TCP, source kept',
      'pods on one node: UDP, source kept',
      'pods on one node: 1 MB there and back',
      'pods on one node: full MTU, unfragmented',
      'pods on one node: one byte over the MTU refused',
      'pods across nodes: ICMP',
      'pods across nodes: TCP, source kept',
      'pods across nodes: UDP, source kept',
      'pods across nodes: 1 MB there and back',
      'pods across nodes: full MTU, unfragmented',
      'pods across nodes: one byte over the MTU refused',
      'pod to its own node',
      'pod to another node',
      'node to pod',
      'pod to outside, source masqueraded',
      'outside cannot reach a pod unasked',
    ]);
  });

  test.each([
    ['pods on one node: ICMP', ['pod-1a>pod-1b icmp', 'pod-1b>pod-1a icmp']],
    [
      'pods across nodes: TCP, source kept',
      [
        'pod-1a>pod-2a tcp 10.244.1.2',
        'pod-1b>pod-2a tcp 10.244.1.3',
        'pod-2a>pod-1a tcp 10.244.2.2',
        'pod-2a>pod-1b tcp 10.244.2.2',
      ],
    ],
    ['pods across nodes: 1 MB there and back', ['pod-1a>pod-2a transfer', 'pod-2a>pod-1a transfer']],
    [
      'pod to another node',
      [
        'pod-1a>n2 tcp 192.0.2.11',
        'pod-1a>n2 icmp',
        'pod-1b>n2 tcp 192.0.2.11',
        'pod-1b>n2 icmp',
        'pod-2a>n1 tcp 192.0.2.12',
        'pod-2a>n1 icmp',
      ],
    ],
    [
      'outside cannot reach a pod unasked',
      ['pod-1a', 'pod-1b', 'pod-2a'].flatMap((pod) => [
        `outside>${pod} tcp-unanswered`,
        `outside>${pod} icmp-unanswered`,
      ]),
    ],
  ])('%s', (name, expected) => {
    expect(probesOf(checks, name)).toEqual(expected);
  });
});

test('what a lab cannot show is left out, and a lab without a wired pod shows nothing', () => {
  const state = sampleState();
  const one = { ...state, nodes: state.nodes.slice(0, 1), pods: state.pods.slice(0, 1) };
  expect(planChecks(one).map(({ name }) => name)).toEqual([
    'pod to its own node',
    'node to pod',
    'pod to outside, source masqueraded',
    'outside cannot reach a pod unasked',
  ]);
  const unwired = state.pods.map((pod) => ({ ...pod, addresses: [] }));
  expect(() => planChecks({ ...state, pods: unwired })).toThrow('Cannot check lab "default": it has no pods');
});

test('a lab of two families has each check twice, each with the addresses of its family', () => {
  const one = planChecks(sampleState()).map(({ name }) => name);
  const both = planChecks(dualState());
  expect(both.map(({ name }) => name)).toEqual([
    ...one.map((name) => `${name} (IPv4)`),
    ...one.map((name) => `${name} (IPv6)`),
  ]);
  expect(probesOf(both, 'pods on one node: TCP, source kept (IPv6)')).toEqual([
    'pod-1a>pod-1b tcp fd00:10:244:1::2',
    'pod-1b>pod-1a tcp fd00:10:244:1::3',
  ]);
  for (const { name, probes } of both)
    for (const { from, to } of probes)
      expect(`${name}: ${from.address.family} ${to.address.family}`).toBe(
        name.endsWith('(IPv4)') ? `${name}: 4 4` : `${name}: 6 6`,
      );
});
