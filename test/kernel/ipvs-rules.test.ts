// The rules and sets of IPVS mode on the real kernel, which takes them without having IPVS: virtual servers and addresses are fakes.
import { describe, expect, test } from '@jest/globals';
import { openIpset } from '../../kernel/ipset/driver.ts';
import { openIptables } from '../../kernel/iptables/driver.ts';
import { variantFault } from '../../kernel/iptables/variants.ts';
import { FakeIpvsKernel } from '../../kernel/ipvs/fake.ts';
import { createFakeRouteDriver } from '../../kernel/route/fake.ts';
import type { Family } from '../../net/address.ts';
import { sampleContext } from '../../proxy/iptables/sample-context.ts';
import { removeIpvsRules } from '../../proxy/ipvs/clean-up-ipvs.ts';
import { defaultIpvsChoices } from '../../proxy/ipvs/ipvs-choices.ts';
import { createIpvsMode } from '../../proxy/ipvs/ipvs-mode.ts';
import { samplePort } from '../../proxy/sample-services.ts';
import type { ServicePort } from '../../proxy/service-port.ts';
import { refuseRoot, testNetns } from '../sandbox.ts';

refuseRoot();

const signal = new AbortController().signal;

function ports(family: Family): Map<string, ServicePort> {
  const six = family === 6;
  const endpoints = six ? ['[fd00:10::1]:80', '[fd00:10::2]:80'] : ['10.0.0.1:80', '10.0.0.2:80'];
  const all = [
    samplePort({ family, clusterEndpoints: endpoints }),
    samplePort({ family, service: 'none', clusterIp: six ? 'fd00:96::11' : '10.96.0.11', nodePort: 30001 }),
    samplePort({
      family,
      service: 'local',
      protocol: 'udp',
      clusterIp: six ? 'fd00:96::12' : '10.96.0.12',
      nodePort: 30002,
      loadBalancerIps: [six ? '2001:db8::7' : '192.0.2.7'],
      sourceRanges: [six ? '::/0' : '0.0.0.0/0', six ? '2001:db8:1::/48' : '198.51.100.0/24'],
      healthCheckNodePort: 30003,
      externalPolicy: 'Local',
      clusterEndpoints: endpoints,
      localEndpoints: endpoints.slice(1),
    }),
    samplePort({
      family,
      service: 'sctp',
      protocol: 'sctp',
      clusterIp: six ? 'fd00:96::13' : '10.96.0.13',
      nodePort: 30004,
      clusterEndpoints: endpoints,
    }),
  ];
  return new Map(all.map((port) => [port.key, port]));
}

const faults = { nft: await variantFault('nft'), legacy: await variantFault('legacy') };

describe.each(['nft', 'legacy'] as const)('iptables-%s', (variant) => {
  const fault = faults[variant];
  const check = fault === undefined ? test : test.skip;
  check.each([
    [4, 'prefix'],
    [4, 'none'],
    [6, 'prefix'],
    [6, 'bridge'],
  ] as const)(
    `takes all of it, and gives it back: IPv%d, %s${fault === undefined ? '' : ` (${fault})`}`,
    async (family, kind) => {
      using place = testNetns();
      const { netns } = place;
      const ipset = openIpset({ netns });
      try {
        const base = sampleContext({ family, localhostNodePorts: false });
        const context = {
          ...base,
          localDetector:
            kind === 'prefix' ? base.localDetector : kind === 'none' ? { kind } : { kind, link: 'cni0' },
        };
        const mode = () =>
          createIpvsMode({
            family,
            ipvs: ipvs.access(),
            ipset,
            access: openIptables({ family, netns, variant }),
            route,
            inBatches: variant === 'nft',
            randomFully: true,
            choices: defaultIpvsChoices,
            removeRules: async () => await removeIpvsRules({ family, netns }),
          });
        const ipvs = new FakeIpvsKernel();
        const route = createFakeRouteDriver();
        const all = ports(family);
        const input = { ports: all, changed: 'all', context } as const;
        const first = mode();
        const loaded = await first.sync(input, signal);
        expect(loaded).toMatchObject({ full: true, failed: new Map() });
        expect((await first.sync(input, signal)).changes).toBe(0);
        const again = mode();
        expect((await again.sync(input, signal)).changes).toBe(0);
        const local = [...all.values()][2];
        if (local !== undefined) all.delete(local.key);
        const removed = await again.sync(
          { ports: all, changed: new Set([local?.key ?? '']), context },
          signal,
        );
        expect(removed).toMatchObject({ full: false, failed: new Map() });
        expect((await again.sync(input, signal)).changes).toBe(0);
        expect((await again.cleanUp()).length).toBeGreaterThan(5);
        expect(ipset.headers()).toEqual([]);
        expect(await again.cleanUp()).toEqual([]);
        first.close();
        again.close();
      } finally {
        ipset.close();
      }
    },
  );
});
