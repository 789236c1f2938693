import { expect, test } from '@jest/globals';
import { IpAddress } from '../net/address.ts';
import { createHealthCheckKeeper } from './health-check-keeper.ts';
import type { HealthCheckServers } from './health-check-servers.ts';
import type { RuleContext } from './rule-context.ts';
import type { HealthCheck } from './service-ports-of.ts';

function family(nodePortIps: RuleContext['nodePortIps']) {
  const healthChecks = new Map<string, HealthCheck>();
  let changed = new Set<string>();
  return {
    context: { nodePortIps },
    tracker: {
      healthChecks,
      healthChanged() {
        const taken = changed;
        changed = new Set();
        return taken;
      },
    },
    set(name: string, localEndpoints: number) {
      healthChecks.set(`ns/${name}`, { namespace: 'ns', name, nodePort: 30_100, localEndpoints });
      changed.add(`ns/${name}`);
    },
  };
}

function fakeServers() {
  const calls: string[] = [];
  const problems = new Map<string, string>();
  const servers: HealthCheckServers = {
    async sync(checks, addresses) {
      const each = [...checks.values()].map(({ name, localEndpoints }) => `${name}=${localEndpoints}`);
      calls.push(`${each.join(' ')} on ${addresses}`);
    },
    problems,
    status: [],
    close: async () => {},
  };
  return { servers, calls, problems };
}

test('servers are asked for only when something changed, with the larger count of both families', () => {
  const { servers, calls, problems } = fakeServers();
  const [four, six] = [family('all'), family([])];
  const keep = createHealthCheckKeeper(servers, () => [four, six]);
  keep();
  keep();
  four.set('a', 1);
  six.set('a', 2);
  six.set('b', 0);
  keep();
  keep();
  problems.set('ns/a', 'Cannot');
  keep();
  expect(calls).toEqual([' on any', 'a=2 b=0 on any', 'a=2 b=0 on any']);
});

test('they listen where node ports are accepted, and everywhere when that is nowhere', () => {
  const { servers, calls } = fakeServers();
  const addresses = [IpAddress.parse('192.0.2.1'), IpAddress.parse('2001:db8::1')] as const;
  let families = [family([addresses[0]]), family([addresses[1]])];
  const keep = createHealthCheckKeeper(servers, () => families);
  keep();
  families = [family([]), family([])];
  keep();
  expect(calls).toEqual([' on 192.0.2.1,2001:db8::1', ' on any']);
});
