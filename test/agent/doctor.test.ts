// A node with a healthy pod is broken in each way that the doctor knows: each is found, mended, and the pod stays as it is.
import { existsSync, mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { FactSources } from '../../agent/doctor/gather-facts.ts';
import { runDoctor } from '../../agent/doctor/run-doctor.ts';
import { rangeOf } from '../../agent/ipam/address-range.ts';
import { readNamespaces } from '../../agent/ipam/life-survey.ts';
import { attachmentFileName, hostLinkName } from '../../agent/wiring/attachment.ts';
import { AttachmentRecords } from '../../agent/wiring/attachment-record.ts';
import { limiterName } from '../../agent/wiring/bandwidth-plan.ts';
import type { PodFirewall } from '../../agent/wiring/pod-firewall.ts';
import type { PodRules } from '../../agent/wiring/pod-rules.ts';
import { openPodFirewall } from '../../agent/wiring/rules/open-pod-firewall.ts';
import type { AddRequest } from '../../agent/wiring/wire-request.ts';
import { createWiring, type Wiring } from '../../agent/wiring/wiring.ts';
import { writeSysctl } from '../../kernel/sysctl.ts';
import { Prefix } from '../../net/prefix.ts';
import { type TestNetns, testNetns } from '../sandbox.ts';
import { run, until } from './cluster.ts';

const subnet = Prefix.parse('10.244.1.0/24');
const hourAgo = Date.now() / 1000 - 3600;

let root: string;
let host: TestNetns;
let healthy: TestNetns;
let wiring: Wiring;
let sources: FactSources;
const attachmentOf = (containerId: string) => ({ network: 'cbr0', containerId, ifname: 'eth0' });

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'netloom-doctor-'));
  host = testNetns();
  healthy = testNetns();
  run(`ip -n ${host.name} link set lo up`);
  wiring = createWiring({ netns: host.netns });
  for (const directory of ['run', 'cni', 'queue']) mkdirSync(join(root, directory));
  writeFileSync(
    join(root, 'subnet.env'),
    'FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=10.244.1.1/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n',
  );
  sources = {
    runDirectory: join(root, 'run'),
    ipamDirectory: join(root, 'networks'),
    subnetFile: join(root, 'subnet.env'),
    bridge: 'cni0',
    masquerade: 'nftables',
    records: new AttachmentRecords({ runDirectory: join(root, 'run') }),
    networks: ['cbr0'],
    queueDirectory: join(root, 'queue'),
    conflists: { directory: join(root, 'cni'), own: '10-netloom.conflist' },
    hasProxy: true,
    netns: host.netns,
    // The sandbox has a pid namespace of its own; all that there is to see of this node can be seen in it.
    signs: { namespaces: () => ({ ...readNamespaces(), isComplete: true }) },
  };
  await wiring.add(addRequest('healthy', { netns: healthy, hostPort: 8080 }));
});

afterEach(async () => {
  await wiring.close();
  healthy[Symbol.dispose]();
  host[Symbol.dispose]();
  rmSync(root, { recursive: true, force: true });
});

function addRequest(
  containerId: string,
  { netns, hostPort }: { readonly netns: TestNetns; readonly hostPort: number },
): AddRequest {
  return {
    attachment: attachmentOf(containerId),
    runDirectory: sources.runDirectory,
    netns: netns.netns.path,
    bridge: { name: 'cni0', madeBy: 'wiring', promiscuous: false, isGateway: true, forceAddress: false },
    port: { hairpin: true, isolated: false, vlan: undefined, vlanTrunk: [], preserveDefaultVlan: false },
    mtu: 1450,
    mac: undefined,
    ipam: { directory: sources.ipamDirectory, sets: [[rangeOf(subnet)]], requested: [] },
    routes: [],
    isDefaultGateway: true,
    enableDad: false,
    firewall: {
      backend: 'nftables',
      ports: [{ protocol: 'tcp', hostPort, containerPort: 80 }],
      portMasquerade: 'needed',
      masquerade: true,
      spoofCheck: false,
    },
    bandwidth: { egress: { rate: 1_000_000, burst: 1_000_000 } },
  };
}

/** All that the healthy pod has, on the node and in its own namespace. */
const healthyState = (): string =>
  [
    run(`ip -n ${healthy.name} -4 address show eth0`),
    run(`ip -n ${host.name} link show ${hostLinkName(attachmentOf('healthy'))}`),
    run(`ip -n ${host.name} link show ${limiterName(attachmentOf('healthy'))}`),
    JSON.stringify(sources.records.read(attachmentOf('healthy'))),
    String(existsSync(join(sources.ipamDirectory, 'cbr0', '10.244.1.2'))),
    ruleset().includes('8080') ? 'published' : 'not published',
  ]
    .join('\n')
    // A link comes up a moment after it was made.
    .replace(/<.*?>| state \S+/g, '');
const ruleset = () => run(`ip netns exec ${host.name} nft list ruleset`);
const links = () => run(`ip -n ${host.name} -o link show`);

/** A file that was written an hour ago. */
function oldFile(path: string, content = ''): string {
  mkdirSync(join(path, '..'), { recursive: true });
  writeFileSync(path, content);
  utimesSync(path, hourAgo, hourAgo);
  return path;
}

const told = async (options = { fix: false }) =>
  (await runDoctor(sources, options)).findings.map(({ check, object }) => `${check} ${object}`);

/** A pod whose namespace went without a DEL: its links are gone, its address, limiter and rules are not. */
async function deadPod(containerId: string): Promise<void> {
  const pod = testNetns();
  await wiring.add(addRequest(containerId, { netns: pod, hostPort: 8081 }));
  const link = hostLinkName(attachmentOf(containerId));
  expect(links()).toContain(link);
  pod[Symbol.dispose]();
  await until(
    () => !links().includes(link),
    () => `${link} stays`,
  );
}

async function withFirewall(action: (firewall: PodFirewall) => Promise<void>): Promise<void> {
  const firewall = openPodFirewall({ netns: host.netns });
  await action(firewall);
  firewall.close();
}

function rulesOf(containerId: string, hostPort: number): PodRules {
  const attachment = attachmentOf(containerId);
  const recorded = sources.records.read(attachment)?.rules;
  return (
    recorded ?? {
      attachment,
      backend: 'nftables',
      addresses: [Prefix.parse('10.244.1.99/24')],
      ports: [{ protocol: 'tcp', hostPort, containerPort: 80 }],
      portMasquerade: 'needed',
      masquerade: false,
    }
  );
}

interface Fault {
  /** What is found, by check and object. */
  readonly found: () => string;
  readonly make: () => void | Promise<void>;
  /** Mends what --fix leaves alone. */
  readonly byHand?: () => void;
  readonly gone?: () => void;
}

const inNetwork = (name: string) => join(sources.ipamDirectory, 'cbr0', name);
const faults: Readonly<Record<string, Fault>> = {
  'a pod that died with its namespace': {
    found: () => 'dead-attachment cbr0 eth0',
    make: () => deadPod('dead'),
    gone() {
      expect(existsSync(inNetwork('10.244.1.3'))).toBe(false);
      expect(sources.records.all().records).toHaveLength(1);
      expect(links()).not.toContain(limiterName(attachmentOf('dead')));
      expect(ruleset()).not.toContain('8081');
    },
  },
  'a pod of before the reboot': {
    found: () => 'dead-attachment cbr0 eth0',
    async make() {
      await deadPod('dead');
      run(`ip -n ${host.name} link delete ${limiterName(attachmentOf('dead'))}`);
      const record = sources.records.read(attachmentOf('dead'));
      if (record?.rules === undefined) throw new Error('Cannot find the record');
      await withFirewall((firewall) => firewall.remove(rulesOf('dead', 8081)));
      sources.records.write({ ...record, bootId: 'another', hostLink: undefined });
    },
    gone: () => expect(existsSync(inNetwork('10.244.1.3'))).toBe(false),
  },
  "an address of host-local's time": {
    found: () => 'leaked-address cbr0 10.244.1.77',
    make: () => void oldFile(inNetwork('10.244.1.77'), 'ghost\r\neth0'),
    gone: () => expect(existsSync(inNetwork('10.244.1.77'))).toBe(false),
  },
  'an address file that a power cut emptied': {
    found: () => 'ownerless-address cbr0 10.244.1.78',
    make: () => void oldFile(inNetwork('10.244.1.78')),
    gone: () => expect(existsSync(inNetwork('10.244.1.78'))).toBe(false),
  },
  "the host's end of an unknown pod": {
    found: () => 'orphan-veth veth0123456789a',
    make: () => void run(`ip -n ${host.name} link add veth0123456789a type veth peer name other`),
    gone: () => expect(links()).not.toContain('veth0123456789a'),
  },
  'rules of an unknown pod': {
    found: () => `stray-rules rules of attachment ${attachmentFileName(attachmentOf('ghost'))}`,
    make: () => withFirewall((firewall) => firewall.add(rulesOf('ghost', 8099))),
    gone: () => expect(ruleset()).not.toContain('8099'),
  },
  'a limiter of an unknown pod': {
    found: () => 'orphan-limiter ifb0123456789ab',
    make() {
      run(`ip -n ${host.name} link add ifb0123456789ab type ifb`);
      run(`ip -n ${host.name} link set ifb0123456789ab alias netloom`);
    },
    gone: () => expect(links()).not.toContain('ifb0123456789ab'),
  },
  'a spoilt record': {
    found: () => `spoilt-record ${join(sources.records.directory, 'x.json')}`,
    make: () => writeFileSync(join(sources.records.directory, 'x.json'), '{"attachment":'),
  },
  'a record that was never finished': {
    found: () => `temporary-file ${join(sources.records.directory, '.x.json.123.tmp')}`,
    make: () => void oldFile(join(sources.records.directory, '.x.json.123.tmp')),
  },
  'an address that was never finished': {
    found: () => `temporary-file ${inNetwork('.netloom.tmp')}`,
    make: () => void oldFile(inNetwork('.netloom.tmp')),
  },
  'a lock of a killed process': {
    found: () => `stale-lock ${join(root, 'run/locks/abc')}`,
    make: () => void oldFile(join(root, 'run/locks/abc')),
  },
  'a DEL that was put aside': {
    found: () => `queued-del ${join(root, 'queue/1.bad')}`,
    make: () => void oldFile(join(root, 'queue/1.bad')),
  },
  'a DEL that nobody does': {
    found: () => `queued-del ${join(root, 'queue/1')}`,
    make: () => void oldFile(join(root, 'queue/1')),
    byHand: () => rmSync(join(root, 'queue/1')),
  },
  'a configuration before ours': {
    found: () => `other-conflist ${join(root, 'cni/05-other.conf')}`,
    make() {
      writeFileSync(join(root, 'cni/10-netloom.conflist'), '{}');
      writeFileSync(join(root, 'cni/05-other.conf'), '{}');
    },
    byHand: () => rmSync(join(root, 'cni/05-other.conf')),
  },
  'a policy that drops': {
    found: () => 'forward-policy iptables FORWARD',
    make: () => void run(`ip netns exec ${host.name} iptables -P FORWARD DROP`),
    byHand() {
      for (const flag of ['-s', '-d']) {
        run(`ip netns exec ${host.name} iptables -A FORWARD ${flag} 10.244.0.0/16 -j ACCEPT`);
      }
    },
  },
  'a policy of the other iptables': {
    found: () => 'forward-policy iptables-legacy FORWARD',
    make: () => void run(`ip netns exec ${host.name} iptables-legacy -P FORWARD DROP`),
    byHand: () => void run(`ip netns exec ${host.name} iptables-legacy -P FORWARD ACCEPT`),
  },
  'a firewall in nftables that drops': {
    found: () => 'forward-drop inet fw forward',
    make() {
      run(`ip netns exec ${host.name} nft add table inet fw`);
      run(
        `ip netns exec ${host.name} nft add chain inet fw forward { type filter hook forward priority 0 ; policy drop ; }`,
      );
      run(`ip netns exec ${host.name} nft add rule inet fw forward ct state established,related accept`);
    },
    byHand: () => void run(`ip netns exec ${host.name} nft add rule inet fw forward iifname cni0 accept`),
  },
  'a route of others into the pods’ network': {
    found: () => 'route-conflict 10.244.7.0/24 by lo',
    make: () => void run(`ip -n ${host.name} route add 10.244.7.0/24 dev lo`),
    byHand: () => void run(`ip -n ${host.name} route delete 10.244.7.0/24 dev lo`),
  },
  'a tunnel in an underlay that has become smaller': {
    found: () => 'mtu flannel.9',
    make() {
      run(`ip -n ${host.name} link add under0 type veth peer name under1`);
      run(`ip -n ${host.name} link add flannel.9 mtu 1450 type vxlan id 9 dstport 8472 dev under0`);
      run(`ip -n ${host.name} link set flannel.9 alias netloom`);
      run(`ip -n ${host.name} link set under0 mtu 1480`);
    },
    byHand: () => void run(`ip -n ${host.name} link set under0 mtu 1500`),
  },
  'bridged packets that the firewall does not see': {
    found: () => 'bridged-answers net.bridge.bridge-nf-call-iptables',
    make: () => writeSysctl('net/bridge/bridge-nf-call-iptables', '0', { netns: host.netns }),
  },
  'no forwarding': {
    found: () => 'forwarding-off net.ipv4.ip_forward',
    make: () => writeSysctl('net/ipv4/ip_forward', '0', { netns: host.netns }),
  },
};

test('a healthy node', async () => {
  expect(await told()).toEqual([]);
});

describe.each(Object.entries(faults))('%s', (_, { found, make, byHand, gone }) => {
  test('is found and mended, and the healthy pod stays', async () => {
    const before = healthyState();
    expect(before).toContain('\npublished');
    await make();
    expect(await told()).toEqual([found()]);
    const after = await runDoctor(sources, { fix: true });
    expect(after.failed).toEqual([]);
    expect(after.mended.map(({ check, object }) => `${check} ${object}`)).toEqual(
      byHand === undefined ? [found()] : [],
    );
    if (byHand !== undefined) {
      expect(await told()).toEqual([found()]);
      byHand();
    }
    expect(await told()).toEqual([]);
    gone?.();
    expect(healthyState()).toBe(before);
  });
});

test('all at once', async () => {
  const before = healthyState();
  const some = Object.entries(faults).filter(([name]) => name !== 'a pod of before the reboot');
  for (const [, { make }] of some) await make();
  expect((await told()).toSorted()).toEqual(some.map(([, { found }]) => found()).toSorted());
  const { failed } = await runDoctor(sources, { fix: true });
  expect(failed).toEqual([]);
  for (const [, { byHand }] of some) byHand?.();
  expect(await told()).toEqual([]);
  expect(healthyState()).toBe(before);
});

test('what lives by an address alone is left, and what cannot be told is said', async () => {
  using other = testNetns();
  run(`ip -n ${other.name} link set lo up`);
  run(`ip -n ${other.name} address add 10.244.1.90/24 dev lo`);
  oldFile(inNetwork('10.244.1.90'), 'lives\r\neth0');
  writeFileSync(inNetwork('10.244.1.91'), 'young\r\neth0');
  mkdirSync(join(sources.ipamDirectory, 'theirs'));
  oldFile(join(sources.ipamDirectory, 'theirs', '10.9.0.2'), 'stranger\r\neth0');
  expect(await told({ fix: true })).toEqual(['unknown-pod cbr0 10.244.1.91']);
  expect(existsSync(join(sources.ipamDirectory, 'theirs', '10.9.0.2'))).toBe(true);
});

test('a pod whose record was lost keeps its links', async () => {
  rmSync(inNetwork('10.244.1.2'));
  rmSync(sources.records.directory, { recursive: true });
  const expected = [
    `orphan-veth ${hostLinkName(attachmentOf('healthy'))}`,
    `orphan-limiter ${limiterName(attachmentOf('healthy'))}`,
  ].toSorted();
  await until(
    () => /state UP/.test(run(`ip -n ${host.name} link show ${hostLinkName(attachmentOf('healthy'))}`)),
    () => 'the link stays down',
  );
  expect((await told({ fix: true })).toSorted()).toEqual(expected);
  expect(links()).toContain(hostLinkName(attachmentOf('healthy')));
  expect(links()).toContain(limiterName(attachmentOf('healthy')));
});

test('what cannot be mended is told', async () => {
  mkdirSync(join(root, 'queue/2.bad'));
  utimesSync(join(root, 'queue/2.bad'), hourAgo, hourAgo);
  const { failed, findings } = await runDoctor(sources, { fix: true });
  expect(failed.map(({ finding, why }) => `${finding.object} ${why}`)).toEqual([
    expect.stringMatching(/2\.bad .*directory/),
  ]);
  expect(findings).toHaveLength(1);
});
