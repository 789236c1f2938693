// Rules of pods on the real kernel, the same questions to both backends: who reaches a published port, and as whom.
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { attachmentFileName } from '../../agent/wiring/attachment.ts';
import type { PodFirewall } from '../../agent/wiring/pod-firewall.ts';
import { type PodRules, ruleBackends } from '../../agent/wiring/pod-rules.ts';
import { openPodFirewall } from '../../agent/wiring/rules/open-pod-firewall.ts';
import { portHolder } from '../../agent/wiring/rules/port-taken.ts';
import { samplePod, samplePort } from '../../agent/wiring/rules/sample-pods.ts';
import { execute } from '../../kernel/exec.ts';
import { hasLegacyTables } from '../../kernel/iptables/legacy-tables.ts';
import { isNotFound } from '../../kernel/kernel-error.ts';
import { readSysctl, writeSysctl } from '../../kernel/sysctl.ts';
import { Mac } from '../../net/mac.ts';
import { Prefix } from '../../net/prefix.ts';
import { refuseRoot, testNetns } from '../sandbox.ts';
import { addresses, makePodRulesNode, type Place, type PodRulesNode } from './pod-rules-node.ts';

refuseRoot();

let lab: PodRulesNode;
let firewall: PodFirewall;

beforeAll(async () => {
  lab = await makePodRulesNode();
  firewall = openPodFirewall({ netns: lab.netns.node });
  lab.serve('web', { port: 80, name: 'web' });
  lab.serve('peer', { port: 80, name: 'peer' });
  lab.serve('outside', { port: 8080, name: 'stranger' });
  lab.serve('outside', { port: 443, name: 'outside' });
  lab.serve('node', { port: 2222, name: 'node' });
});

afterAll(async () => {
  firewall.close();
  await lab[Symbol.asyncDispose]();
});

afterEach(async () => {
  await firewall.ensure([]);
});

/** With it, frames between pods pass the rules for packets, also those that need no router. */
const bridgeNetfilter = ['off', 'on'] as const;

async function setBridgeNetfilter(state: (typeof bridgeNetfilter)[number]): Promise<void> {
  for (const family of ['iptables', 'ip6tables']) {
    const key = `net/bridge/bridge-nf-call-${family}`;
    try {
      writeSysctl(key, state === 'on' ? '1' : '0', { netns: lab.netns.node });
    } catch (error) {
      // Without the module it is off.
      if (!isNotFound(error)) throw error;
    }
  }
}

async function macOf(place: Place): Promise<string> {
  const text = await lab.run(place, 'ip', '-o', 'link', 'show', 'eth0');
  return /link\/ether (\S+)/.exec(text)?.[1] ?? '';
}

/** The others find it again at once. */
async function setMac(mac: string): Promise<void> {
  await lab.run('peer', 'ip', 'link', 'set', 'eth0', 'address', mac);
  await lab.run('node', 'ip', 'neigh', 'flush', 'dev', 'cni0');
}

const own = { web: [`${addresses.web}/24`, `${addresses.web6}/64`], peer: [`${addresses.peer}/24`] } as const;

describe.each(ruleBackends)('%s', (backend) => {
  const pod = (name: keyof typeof own, rules: Partial<PodRules> = {}): PodRules =>
    samplePod(name, { backend, addresses: own[name].map((text) => Prefix.parse(text)), ...rules });
  const web = pod('web', { ports: ['8080:80/tcp', '5000:5000/sctp', '5353:53/udp'].map(samplePort) });
  const seen = (place: Place, to: string, port = 8080) => lab.connect(place, { to, port });

  test.each(bridgeNetfilter)(
    'a published port is reached from everywhere, and answered; br_netfilter %s',
    async (state) => {
      await setBridgeNetfilter(state);
      await firewall.add(web);
      const answers = {
        outside: await seen('outside', addresses.node),
        'outside, second address': await seen('outside', addresses.alias),
        'outside, IPv6': await seen('outside', addresses.node6),
        neighbour: await seen('peer', addresses.node),
        'neighbour, bridge': await seen('peer', addresses.gateway),
        'neighbour, IPv6': await seen('peer', addresses.node6),
        itself: await seen('web', addresses.node),
        'itself, IPv6': await seen('web', addresses.node6),
        'node, 127.0.0.1': await seen('node', '127.0.0.1'),
        'node, its address': await seen('node', addresses.node),
        'node, IPv6': await seen('node', addresses.node6),
        'node, ::1': await seen('node', '::1'),
        'a stranger at the same port': await seen('peer', addresses.stranger),
      };
      expect(answers).toEqual({
        outside: `web ${addresses.outside}`,
        'outside, second address': `web ${addresses.outside}`,
        'outside, IPv6': `web ${addresses.outside6}`,
        neighbour: `web ${addresses.gateway}`,
        'neighbour, bridge': `web ${addresses.gateway}`,
        'neighbour, IPv6': `web ${addresses.gateway6}`,
        itself: `web ${addresses.gateway}`,
        'itself, IPv6': `web ${addresses.gateway6}`,
        'node, 127.0.0.1': `web ${addresses.gateway}`,
        'node, its address': `web ${addresses.node}`,
        'node, IPv6': `web ${addresses.node6}`,
        'node, ::1': '',
        'a stranger at the same port': `stranger ${addresses.peer}`,
      });
      await firewall.remove(web);
      expect(await seen('outside', addresses.node)).toBe('');
      expect(await seen('node', '127.0.0.1')).toBe('');
      await firewall.remove(web);
    },
  );

  test("a port of one address is that address's, and goes before one of all", async () => {
    const one = pod('peer', {
      ports: [`${addresses.alias}=8080:80/tcp`, '127.0.0.1=9090:80/tcp'].map(samplePort),
    });
    await firewall.add(one);
    expect(await seen('outside', addresses.alias)).toBe(`peer ${addresses.outside}`);
    expect(await seen('outside', addresses.node)).toBe('');
    expect(await seen('node', '127.0.0.1', 9090)).toBe(`peer ${addresses.gateway}`);
    expect(await seen('outside', addresses.node, 9090)).toBe('');
    await firewall.add(web);
    expect(await seen('outside', addresses.alias)).toBe(`peer ${addresses.outside}`);
    expect(await seen('outside', addresses.node)).toBe(`web ${addresses.outside}`);
    expect(await firewall.check(one)).toEqual([]);
    expect(await firewall.ensure([web, one])).toEqual([]);
  });

  test('all connections or none are shown as the node, when asked for', async () => {
    await firewall.add({ ...web, portMasquerade: 'all' });
    expect(await seen('outside', addresses.node)).toBe(`web ${addresses.gateway}`);
    await firewall.remove({ ...web, portMasquerade: 'all' });
    await firewall.add({ ...web, portMasquerade: 'none' });
    await setBridgeNetfilter('off');
    expect(await seen('outside', addresses.node)).toBe(`web ${addresses.outside}`);
    // Answered directly, past the node: the reason for masquerading.
    expect(await seen('peer', addresses.node)).toBe('');
  });

  test('what a pod sends out of its subnet has the address of the node', async () => {
    expect(await seen('peer', addresses.outside, 443)).toBe(`outside ${addresses.peer}`);
    const hidden = pod('peer', { masquerade: true });
    await firewall.add(hidden);
    expect(await seen('peer', addresses.outside, 443)).toBe(`outside ${addresses.node}`);
    expect(await seen('peer', addresses.web, 80)).toBe(`web ${addresses.peer}`);
    expect(await seen('web', addresses.outside, 443)).toBe(`outside ${addresses.web}`);
    await firewall.remove(hidden);
    expect(await seen('peer', addresses.outside, 443)).toBe(`outside ${addresses.peer}`);
  });

  test('a port that another has is refused with its name, and nothing stays', async () => {
    await firewall.add(web);
    const rival = pod('peer', { ports: ['7070:80/tcp', '8080:80/tcp'].map(samplePort) });
    const error: unknown = await firewall.add(rival).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).toMatchObject({
      code: 11,
      message: `hostPort 8080/tcp is taken by attachment ${attachmentFileName(web.attachment)}`,
    });
    expect(portHolder(error)).toBe(attachmentFileName(web.attachment));
    expect(await seen('outside', addresses.node, 7070)).toBe('');
    expect(await seen('outside', addresses.node)).toBe(`web ${addresses.outside}`);
    expect(await firewall.ensure([rival, web])).not.toEqual([]);
    expect(await seen('outside', addresses.node)).toBe(`web ${addresses.outside}`);
    expect(await seen('outside', addresses.node, 7070)).toBe(`peer ${addresses.outside}`);
  });

  test('after somebody flushed everything it is missed, restored, and can be removed', async () => {
    const all = [{ ...web, masquerade: true }, pod('peer', { ports: [samplePort('7070:80/tcp')] })];
    for (const one of all) await firewall.add(one);
    expect(firewall.changed()).toBe(false);
    expect(await firewall.ensure(all)).toEqual([]);
    await lab.run('node', 'nft', 'flush', 'ruleset');
    expect(firewall.changed()).toBe(true);
    for (const one of all) {
      expect(await firewall.check(one)).not.toEqual([]);
      await firewall.remove(one);
    }
    expect(await firewall.ensure(all)).not.toEqual([]);
    expect(firewall.changed()).toBe(false);
    for (const one of all) expect(await firewall.check(one)).toEqual([]);
    expect(await firewall.ensure(all)).toEqual([]);
    expect(await seen('peer', addresses.node)).toBe(`web ${addresses.gateway}`);
    expect(await seen('outside', addresses.node, 7070)).toBe(`peer ${addresses.outside}`);
  });

  test('nothing of it stays, and rules of others do', async () => {
    const foreign = '*nat\n-A PREROUTING -p tcp --dport 1 -j ACCEPT\nCOMMIT\n';
    if (backend === 'iptables') await lab.run('node', 'bash', '-c', `iptables-restore -n <<<'${foreign}'`);
    await firewall.add(web);
    expect(readSysctl('net/ipv4/conf/cni0/route_localnet', { netns: lab.netns.node })).toBe('1');
    await firewall.remove(web);
    expect(await firewall.ensure([])).not.toEqual([]);
    expect(await firewall.ensure([])).toEqual([]);
    expect(readSysctl('net/ipv4/conf/cni0/route_localnet', { netns: lab.netns.node })).toBe('0');
    const left = await lab.run('node', 'nft', 'list', 'ruleset');
    expect(left.toLowerCase()).not.toContain('netloom');
    if (backend === 'iptables') expect(left).toContain('tcp dport 1 ');
  });

  test('127.0.0.1 of the node stays closed to neighbours', async () => {
    await firewall.add(web);
    // A neighbour that sends to 127.0.0.1 as to any address.
    await lab.run('peer', 'ip', 'addr', 'del', '127.0.0.1/8', 'dev', 'lo');
    await lab.run('peer', 'sysctl', '-qw', 'net.ipv4.conf.eth0.route_localnet=1');
    await lab.run(
      'peer',
      'ip',
      'route',
      'add',
      '127.0.0.0/8',
      'via',
      addresses.gateway,
      'src',
      addresses.peer,
    );
    try {
      expect(await seen('peer', '127.0.0.1', 2222)).toBe('');
      expect(await seen('node', '127.0.0.1', 2222)).toBe('node 127.0.0.1');
      // That it is the guard which keeps it closed:
      await (backend === 'nftables'
        ? lab.run('node', 'nft', 'flush', 'chain', 'inet', 'netloom-cni', 'guard')
        : lab.run('node', 'iptables', '-t', 'raw', '-F', 'NETLOOM-LOCALNET'));
      expect(await seen('peer', '127.0.0.1', 2222)).toBe(`node ${addresses.peer}`);
      expect(await firewall.check(web)).toHaveLength(1);
      expect(await firewall.ensure([web])).toHaveLength(1);
      expect(await seen('peer', '127.0.0.1', 2222)).toBe('');
    } finally {
      await lab.run('peer', 'ip', 'route', 'del', '127.0.0.0/8');
      await lab.run('peer', 'ip', 'addr', 'add', '127.0.0.1/8', 'dev', 'lo');
    }
  });

  test('frames with a forged source are dropped', async () => {
    const mac = Mac.parse(await macOf('peer'));
    const checked = pod('peer', { spoofCheck: { hostLink: 'veth-peer', mac } });
    await firewall.add(checked);
    expect(await firewall.check(checked)).toEqual([]);
    expect(await seen('peer', addresses.gateway, 2222)).toBe(`node ${addresses.peer}`);
    await setMac('02:00:00:00:00:99');
    try {
      expect(await seen('peer', addresses.gateway, 2222)).toBe('');
      await firewall.remove(checked);
      expect(await seen('peer', addresses.gateway, 2222)).toBe(`node ${addresses.peer}`);
    } finally {
      await setMac(String(mac));
      await lab.run('peer', 'ip', 'route', 'replace', 'default', 'via', addresses.gateway);
    }
  });
});

test('the tables read as nft prints them, and nft takes them back', async () => {
  const pod = samplePod('web', {
    ports: ['8080:80/tcp', '192.0.2.1=5000:5000/sctp'].map(samplePort),
    masquerade: true,
  });
  await firewall.add(pod);
  const listed = await lab.run('node', 'nft', 'list', 'ruleset');
  expect(listed).toContain('ct original proto-dst @answered4 masquerade');
  await lab.run(
    'node',
    'bash',
    '-c',
    'nft list ruleset >/run/listed && nft flush ruleset && nft -f /run/listed',
  );
  expect(await firewall.check(pod)).toEqual([]);
  expect(await firewall.ensure([pod])).toEqual([]);
});

test('a node that needs nothing has nothing made, by either', async () => {
  using fresh = testNetns();
  const { netns } = fresh;
  const own = openPodFirewall({ netns });
  const idle = samplePod('idle', { backend: 'iptables' });
  await own.add(idle);
  await own.remove(idle);
  expect(await own.ensure([idle])).toEqual([]);
  expect((await execute(['nft', 'list', 'ruleset'], { netns })).stdout).toBe('');
  expect(hasLegacyTables({ netns })).toBe(false);
  own.close();
});

test('what an earlier process left in iptables is found', async () => {
  const pod = samplePod('web', { backend: 'iptables', ports: [samplePort('8080:80/tcp')] });
  await firewall.add(pod);
  const later = openPodFirewall({ netns: lab.netns.node });
  expect(await later.ensure([])).not.toEqual([]);
  expect(await later.ensure([])).toEqual([]);
  later.close();
  expect(await firewall.check(pod)).not.toEqual([]);
});
