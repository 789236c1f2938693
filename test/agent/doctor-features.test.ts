// The features that the doctor tries, on this kernel, whatever it can do: each is answered, the answers agree with each other, and nothing
// of the namespace that asks is touched.
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import type { FeatureAnswer } from '../../agent/doctor/features/feature.ts';
import { kernelFeatures } from '../../agent/doctor/features/kernel-features.ts';
import { probeFeatures } from '../../agent/doctor/features/probe-features.ts';
import { proxyModeFeatures } from '../../cli/doctor-proxy-modes.ts';
import { openIpvs } from '../../kernel/ipvs/driver.ts';
import { isNotSupported } from '../../kernel/kernel-error.ts';
import { proxyOptions } from '../../proxy/options-from-settings.ts';
import { proxySettings } from '../../proxy/settings.ts';
import { resolveSettings } from '../../runtime/settings/resolve-settings.ts';
import { run } from './cluster.ts';

const options = proxyOptions(resolveSettings(proxySettings, {}).settings);
const features = [...kernelFeatures({ ipvsScheduler: 'rr' }), ...proxyModeFeatures(options)];

/** All that probes could leave behind here. */
const surroundings = (): string =>
  [
    'ip link',
    'ip route show table all',
    'nft list ruleset',
    'sysctl net.ipv4.ip_forward net.ipv4.conf.all.route_localnet',
  ]
    .map((command) => run(command))
    .join('\n');

/** The other network namespaces that this process holds open, and the programs that it runs. Those of other tests come and go beside it. */
const held = (): readonly string[] => [
  ...readdirSync('/proc/self/fd')
    .flatMap((fd) => {
      try {
        return readlinkSync(`/proc/self/fd/${fd}`).match(/^net:.*/) ?? [];
      } catch {
        return [];
      }
    })
    .filter((namespace) => namespace !== readlinkSync('/proc/self/ns/net')),
  ...readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8').split(' ').filter(Boolean),
];

test('every feature is answered, and nothing is left', async () => {
  const before = surroundings();
  const heldBefore = held();
  const answers = await probeFeatures(features);
  expect(answers.map(({ name }) => name)).toEqual(features.map(({ name }) => name));
  for (const { state, why, remedy } of answers) {
    expect(state).not.toBe('unknown');
    if (state === 'no') expect(`${why} | ${remedy}`).toMatch(/^\S.* \| \S.*$/);
    else expect(`${why}${remedy}`).toBe('');
  }
  expect(surroundings()).toBe(before);
  expect(held()).toEqual(heldBefore);
  const states = new Map(answers.map((answer: FeatureAnswer) => [answer.name, answer.state]));
  // What every machine that runs these tests has.
  for (const name of ['veth', 'bridge', 'vxlan', 'nf-tables', 'agent-table', 'pod-tables', 'conntrack']) {
    expect([name, states.get(name)]).toEqual([name, 'yes']);
  }
  for (const name of ['proxy-nftables-ipv4', 'proxy-iptables-ipv4', 'iptables-recent']) {
    expect([name, states.get(name)]).toEqual([name, 'yes']);
  }
  expect(states.get('ipvs')).toBe(hasIpvs() ? 'yes' : 'no');
});

function hasIpvs(): boolean {
  try {
    openIpvs().close();
    return true;
  } catch (error) {
    if (isNotSupported(error)) return false;
    throw error;
  }
}
