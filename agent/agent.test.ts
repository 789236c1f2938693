// The loop with a kernel of fakes and a lease directory: what it makes, that it then rests, what it heals, and what it says when
// something is missing.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { openFakeNftDriver } from '../kernel/nft/fake.ts';
import { createFakeRouteDriver, type FakeKernelOptions, type FakeRouteDriver } from '../kernel/route/fake.ts';
import { routeStepText } from '../kernel/route/text.ts';
import { FakeTunnel } from '../kernel/tun/fake-tunnel.ts';
import { FakeWireguard } from '../kernel/wireguard/fake.ts';
import { realClock } from '../runtime/clock.ts';
import { createLog } from '../runtime/log.ts';
import { DirectoryLeaseStore } from '../store/directory/directory-lease-store.ts';
import { type Agent, createAgent } from './agent.ts';
import { openCarrier } from './carrier/open-carrier.ts';
import { createMacKeeper } from './device-macs.ts';
import { createLeaseHolder } from './lease-holder.ts';
import { openMadeRecord } from './made-record.ts';
import { createNftFirewall } from './nft-firewall.ts';
import type { Sysctls } from './node-sysctls.ts';
import { sampleMachine } from './sample-cluster.ts';
import { type AgentStatus, agentStatus } from './status.ts';

let directory: string;
let close: (() => Promise<void>)[];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'netloom-agent-'));
  mkdirSync(join(directory, 'store'));
  writeFileSync(
    join(directory, 'store', 'config'),
    JSON.stringify({ Network: '10.244.0.0/16', Backend: { Type: 'vxlan' } }),
  );
  close = [];
});
afterEach(async () => {
  for (const one of close.reverse()) await one();
  rmSync(directory, { recursive: true, force: true });
});

/** Sysctls of a kernel where every key has a value. */
function fakeSysctls(): Sysctls & { readonly values: Map<string, string> } {
  const values = new Map<string, string>();
  return { values, read: (key) => values.get(key) ?? '', write: (key, value) => void values.set(key, value) };
}

interface Started {
  readonly agent: Agent;
  readonly route: FakeRouteDriver;
  readonly sysctls: ReturnType<typeof fakeSysctls>;
  readonly wireguard: FakeWireguard;
  /** As a notification of the kernel does. */
  readonly notify: () => void;
}

function start(route: FakeRouteDriver, log = createLog({ level: 'silent' })): Started {
  const node = 'node-1';
  const store = new DirectoryLeaseStore({ directory: join(directory, 'store') });
  const sysctls = fakeSysctls();
  const wireguard = new FakeWireguard((link) => route.read().links.get(link)?.detail.kind === 'wireguard');
  let notify = (): void => {};
  const agent = createAgent({
    node,
    choices: {
      bridge: 'cni0',
      subnetFile: join(directory, 'subnet.env'),
      masquerade: 'nftables',
      masqueradeChoices: { exclude: [], randomFully: true, forward: true },
    },
    underlaySettings: {
      interfaces: [],
      patterns: [],
      canReach: undefined,
      publicIp: undefined,
      publicIp6: undefined,
    },
    store,
    route: { read: () => route.read(), apply: (steps) => route.apply(steps) },
    firewall: createNftFirewall(openFakeNftDriver()),
    sysctls,
    ...openCarrier({
      stateDirectory: directory,
      kernel: { openWireguard: () => wireguard, tunnel: new FakeTunnel() },
      now: Date.now,
    }),
    macs: createMacKeeper({ node, path: join(directory, 'macs.json') }),
    made: openMadeRecord(directory),
    holder: createLeaseHolder({
      store,
      node,
      renewInterval: 60_000,
      clock: realClock,
      previous: () => undefined,
    }),
    watchKernel: (onChange) => {
      notify = () => onChange('kernel');
      return () => {};
    },
    syncInterval: 60_000,
    clock: realClock,
    log: log.component('agent'),
  });
  agent.start();
  close.push(async () => {
    await agent.stop();
    await store.close();
  });
  return { agent, route, sysctls, wireguard, notify: () => notify() };
}

async function until(agent: Agent, hoped: (status: AgentStatus) => boolean): Promise<AgentStatus> {
  for (let i = 0; i < 2000; i++) {
    const status = agentStatus(agent.state);
    if (hoped(status)) return status;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  throw new Error(`Gave up waiting: ${JSON.stringify(agentStatus(agent.state))}`);
}

function machine(options: FakeKernelOptions = {}): FakeRouteDriver {
  return createFakeRouteDriver(sampleMachine(), options);
}

test('makes the node, then rests; a second agent on it has nothing to do', async () => {
  const first = start(machine());
  const status = await until(first.agent, ({ ready }) => ready);
  expect(status.steps).toMatchObject({ 'link-add': 2, 'address-add': 2, sysctl: 3, file: 1 });
  const report = await first.agent.runNow();
  expect(report.result).toEqual({ kind: 'success' });
  expect(agentStatus(first.agent.state)).toMatchObject({ steps: status.steps, repaired: {} });
  await close.pop()?.();
  const made = first.route.applied.length;
  const second = start(first.route);
  const again = await until(second.agent, ({ ready }) => ready);
  expect(first.route.applied.slice(made).map(routeStepText)).toEqual([]);
  expect(again.lease).toMatchObject({ vtepMac: status.lease?.vtepMac });
});

test('what is changed is put back and counted by kind', async () => {
  const { agent, route, sysctls, notify } = start(machine());
  await until(agent, ({ ready }) => ready);
  const bridge = route.read().links.get('cni0');
  if (bridge === undefined) throw new Error('Cannot find the bridge');
  route.apply([{ kind: 'link-delete', link: bridge }]);
  notify();
  const status = await until(agent, ({ repaired }) => repaired['link'] === 1);
  expect(status.repaired).toMatchObject({ link: 1, address: 1 });
  sysctls.values.set('net/ipv4/ip_forward', '0');
  rmSync(join(directory, 'subnet.env'));
  await until(agent, ({ repaired }) => repaired['sysctl'] === 1 && repaired['file'] === 1);
  expect(sysctls.values.get('net/ipv4/ip_forward')).toBe('1');
});

test('an object that fails is reported and tried again, the rest is made', async () => {
  const route = machine();
  const mend = route.fail((step) => step.kind === 'address-add' && step.address.link === 'cni0', 'ENOMEM');
  const { agent } = start(route);
  const status = await until(agent, ({ problems }) => problems.length > 0);
  expect(status.ready).toBe(false);
  expect(status.problems[0]?.object).toMatch(/^address cni0 10\.244\.\d+\.1\/24$/);
  expect(status.problems[0]?.message).toContain('ENOMEM');
  expect(route.read().links.has('flannel.1')).toBe(true);
  mend();
  expect((await until(agent, ({ ready }) => ready)).problems).toEqual([]);
});

test('a kernel without vxlan: the error says so by name', async () => {
  const { agent } = start(machine({ missingKinds: ['vxlan'] }));
  const status = await until(agent, ({ problems }) => problems.length > 0);
  expect(status.blockers.join()).toMatch(/this kernel has no .*vxlan/i);
});

test('without a configuration: not ready, and ready when it comes', async () => {
  rmSync(join(directory, 'store', 'config'));
  const { agent, route } = start(machine());
  const status = await until(agent, ({ blockers }) => blockers.join().includes('config'));
  expect(status.ready).toBe(false);
  expect(route.applied).toEqual([]);
  writeFileSync(
    join(directory, 'store', 'config'),
    JSON.stringify({ Network: '10.244.0.0/16', Backend: { Type: 'host-gw' } }),
  );
  await until(agent, ({ ready }) => ready);
  expect(route.read().links.has('flannel.1')).toBe(false);
});

test('what is wrong in the store is logged once, and its end too', async () => {
  const lines: { readonly msg: string; readonly object?: string }[] = [];
  const destination = { write: (line: string) => void lines.push(JSON.parse(line)) };
  const { agent } = start(machine(), createLog({ level: 'info', format: 'json', destination }));
  await until(agent, ({ ready }) => ready);
  const path = join(directory, 'store', 'subnets', '10.244.200.0-24.json');
  writeFileSync(path, '{"PublicIP":"192.');
  await until(agent, ({ problems }) => problems.length > 0);
  writeFileSync(join(directory, 'store', 'subnets', '10.244.201.0-24.json'), '{}');
  await until(agent, ({ problems }) => problems.length > 1);
  rmSync(path);
  await until(agent, ({ problems }) => problems.length === 1);
  const about = lines.filter(({ object }) => object === path).map(({ msg }) => msg);
  expect(about).toEqual([expect.stringContaining('half-written'), 'no problem any more']);
});
