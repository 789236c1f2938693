import { describe, expect, test } from '@jest/globals';
import { ProgramError } from '../../../kernel/exec.ts';
import { KernelError } from '../../../kernel/kernel-error.ts';
import { Netns } from '../../../kernel/netns.ts';
import type { Feature, Use } from './feature.ts';
import { featureFindings } from './feature-findings.ts';
import { kernelFeatures } from './kernel-features.ts';
import { probeFeatures } from './probe-features.ts';

const ipvs: Use = { kind: 'proxy-mode', name: 'ipvs' };

function feature(probe: Feature['probe'], more: Partial<Feature> = {}): Feature {
  return { name: 'one', group: 'Other', title: 'one thing', uses: [ipvs], probe, ...more };
}

const refused = (errno: number) => (): never => {
  throw new KernelError({ operation: 'add link', object: 'probe', errno });
};

/** No namespace is made: whoever may not make one runs the unit tests. */
const makeNetns = () => Netns.current();

async function answerOf(one: Feature, options: Parameters<typeof probeFeatures>[1] = {}) {
  const [answer] = await probeFeatures([one], { makeNetns, stateOf: () => 'available', ...options });
  return `${answer?.state}: ${answer?.remedy}`;
}

describe('an answer', () => {
  test.each<readonly [string, Feature, string]>([
    ['it is there', feature(() => {}), 'yes: '],
    [
      'a module is there to be loaded',
      feature(refused(95), { modules: ['ip_vs'] }),
      'no: modprobe ip_vs, and name it in /etc/modules-load.d',
    ],
    ['nothing brings it', feature(refused(95), { remedy: 'do without' }), 'no: do without'],
    ['it is not permitted', feature(refused(1)), 'unknown: run it as root, outside of a container'],
    [
      'the program is not there',
      feature(
        () => {
          throw new ProgramError('Cannot run', { program: 'x', exitCode: 127, stderr: '' });
        },
        { package: 'iptables', modules: ['x'] },
      ),
      'no: install package iptables',
    ],
  ])('%s', async (_, one, expected) => {
    expect(await answerOf(one)).toBe(expected);
  });

  test.each([
    ['absent', 'no: take a kernel with module ip_vs: this one has none'],
    ['unknown', 'no: modprobe ip_vs, if this kernel has it'],
    ['loaded', 'no: take a kernel that can do it'],
  ] as const)('a module that is %s', async (state, expected) => {
    expect(await answerOf(feature(refused(95), { modules: ['ip_vs'] }), { stateOf: () => state })).toBe(
      expected,
    );
  });

  test('what takes too long is given up', async () => {
    const waiting = feature(
      ({ signal }) =>
        new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
    );
    expect(await answerOf(waiting, { timeout: 10 })).toBe('unknown: look again when the node is less busy');
  });

  test('no namespace can be made', async () => {
    const denied = { makeNetns: refused(1) };
    expect(
      await answerOf(
        feature(() => {}),
        denied,
      ),
    ).toBe('unknown: run it as root');
  });
});

test('answers come in the order of the features, whichever is ready first', async () => {
  const slow = (ms: number, name: string) =>
    feature(() => new Promise<void>((resolve) => setTimeout(resolve, ms)), { name });
  const answers = await probeFeatures([slow(30, 'a'), slow(1, 'b'), slow(10, 'c')], { makeNetns });
  expect(answers.map(({ name }) => name)).toEqual(['a', 'b', 'c']);
});

test('only what the node is set to use is missed', async () => {
  const answers = await probeFeatures(
    [
      feature(refused(95)),
      feature(refused(95), { name: 'two', uses: [{ kind: 'some', name: 'few' }] }),
      feature(refused(1), { name: 'three', uses: [{ kind: 'node' }] }),
    ],
    { makeNetns, stateOf: () => 'absent' },
  );
  const setup = { backend: 'vxlan', masquerade: 'nftables', proxyMode: 'nftables' };
  const told = (mode: string) =>
    featureFindings(answers, { ...setup, proxyMode: mode }).map(
      ({ severity, object }) => `${severity} ${object}`,
    );
  expect(told('nftables')).toEqual(['warning three']);
  expect(told('ipvs')).toEqual(['error one', 'warning three']);
});

test('every feature has a name of its own', () => {
  const names = kernelFeatures({ ipvsScheduler: 'rr' }).map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
});
