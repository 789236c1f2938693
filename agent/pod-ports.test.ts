import { describe, expect, test } from '@jest/globals';
import { createFakeRouteDriver } from '../kernel/route/fake.ts';
import { routeState } from '../kernel/route/objects.ts';
import type { RouteStep } from '../kernel/route/step.ts';
import { routeStepText } from '../kernel/route/text.ts';
import { podPortSteps, strayPodLinks } from './pod-ports.ts';
import { hostLinkName } from './wiring/attachment.ts';

const bridge = 'cni0';

/** A node with two bridges and the pods' veths, as the wiring makes them. */
function node() {
  const driver = createFakeRouteDriver();
  const run = (...steps: readonly RouteStep[]) => {
    for (const { error } of driver.apply(steps)) if (error !== undefined) throw error;
  };
  const addBridge = (name: string): RouteStep => ({
    kind: 'link-add',
    link: { name, detail: { kind: 'bridge' }, up: true },
  });
  const addPod = (name: string, master: string): RouteStep => ({
    kind: 'link-add',
    link: { name, detail: { kind: 'veth', peer: { name: `${name}p` } }, master, up: true },
  });
  run(
    addBridge(bridge),
    addBridge('other0'),
    addPod('veth1', bridge),
    addPod('veth2', bridge),
    addPod('veth3', 'other0'),
  );
  const plan = (...hostLinks: readonly string[]) => podPortSteps(driver.read(), { bridge, hostLinks });
  return { run, plan, addBridge };
}

function texts(steps: readonly RouteStep[]): readonly string[] {
  return steps.map(routeStepText);
}

describe('podPortSteps', () => {
  test('does nothing to ports that are in order, to other bridges’ ports and to what is not there', () => {
    expect(node().plan('veth1', 'veth2', 'veth3', 'nosuch', bridge)).toEqual([]);
  });

  test('makes ports again of what a deleted bridge left behind', () => {
    const { run, plan, addBridge } = node();
    run({ kind: 'link-delete', link: { name: bridge, detail: { kind: 'bridge' } } });
    expect(plan('veth1', 'veth2')).toEqual([]);
    run(addBridge(bridge));
    const steps = plan('veth1', 'veth3');
    expect(texts(steps)).toEqual(['ip link set veth1 master cni0', 'bridge link set dev veth1 hairpin on']);
    run(...steps);
    expect(plan('veth1', 'veth3')).toEqual([]);
  });

  test('sets a port up that is down, and leaves its options', () => {
    const { run, plan } = node();
    const link = { name: 'veth1', detail: { kind: 'veth' }, up: false } as const;
    run({ kind: 'link-set', link, was: { ...link, up: true } });
    expect(texts(plan('veth1'))).toEqual(['ip link set veth1 up']);
  });
});

describe('strayPodLinks', () => {
  const pod = hostLinkName({ network: 'cbr0', containerId: 'one', ifname: 'eth0' });
  test.each([
    ['a port that is up', { name: pod, master: bridge, up: true }, false],
    ['no port', { name: pod, master: '', up: true }, true],
    ['down', { name: pod, master: bridge, up: false }, true],
    ['not of our naming', { name: 'veth1', master: '', up: false }, false],
  ] as const)('%s', (_what, link, stray) => {
    expect(strayPodLinks(routeState({ links: [{ ...link, detail: { kind: 'veth' } }] }))).toEqual(
      stray ? [link.name] : [],
    );
  });
});
