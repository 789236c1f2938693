import { beforeEach, expect, test } from '@jest/globals';
import { FakeNftKernel } from '../../../kernel/nft/fake.ts';
import { rulesetText } from '../../../kernel/nft/text.ts';
import { Mac } from '../../../net/mac.ts';
import { Prefix } from '../../../net/prefix.ts';
import { attachmentFileName } from '../attachment.ts';
import type { PodFirewall } from '../pod-firewall.ts';
import type { PodRules } from '../pod-rules.ts';
import { podTables } from './nft-elements.ts';
import { createNftPodFirewall } from './nft-pod-firewall.ts';
import { frameTable, podTable } from './nft-tables.ts';
import { portHolder } from './port-taken.ts';
import type { RouteLocalnet } from './route-localnet.ts';
import { samplePod, samplePort } from './sample-pods.ts';

let kernel: FakeNftKernel;
let on: Set<string>;
let localnet: RouteLocalnet;
let firewall: PodFirewall;

beforeEach(() => {
  kernel = new FakeNftKernel();
  on = new Set();
  localnet = {
    isOn: (link) => on.has(link),
    switch(link, wanted) {
      if (wanted) on.add(link);
      else on.delete(link);
    },
  };
  firewall = createNftPodFirewall({ driver: kernel.driver(), localnet });
});

const web = samplePod('web', { ports: [samplePort('8080:80/tcp')] });
const dns = samplePod('dns', {
  addresses: [Prefix.parse('10.244.1.6/24')],
  ports: ['53:53/udp', '192.0.2.1=8080:80/tcp'].map(samplePort),
  masquerade: true,
  spoofCheck: { hostLink: 'veth1', mac: Mac.parse('02:00:00:00:00:06') },
});
const rival = samplePod('rival', {
  addresses: [Prefix.parse('10.244.1.7/24')],
  ports: ['9090:90/tcp', '8080:80/tcp'].map(samplePort),
});

const held = () => rulesetText(kernel.state);
const wanted = (rules: readonly PodRules[]) => rulesetText(podTables(rules));
const failure = async (action: Promise<unknown>): Promise<unknown> => {
  try {
    await action;
  } catch (error) {
    return error;
  }
  throw new Error('Nothing was thrown');
};

test('pods one by one come to the same as all at once', async () => {
  await firewall.add(web);
  await firewall.add(dns);
  expect(held()).toBe(wanted([web, dns]));
  expect(on).toEqual(new Set(['cni0']));
  expect(await firewall.check(web)).toEqual([]);
  expect(await firewall.check(dns)).toEqual([]);
  await firewall.remove(web);
  expect(await firewall.ensure([dns])).not.toEqual([]);
  expect(held()).toBe(wanted([dns]));
});

test('again with the same rules changes nothing, with others it changes them', async () => {
  await firewall.add(web);
  const { generation } = kernel;
  await firewall.add(web);
  expect(kernel.generation).toBe(generation);
  const moved = { ...web, ports: [samplePort('8080:81/tcp')] };
  await firewall.add(moved);
  expect(await firewall.check(moved)).toEqual([]);
});

test('a pod that wants nothing makes no table', async () => {
  await firewall.add(samplePod('bare'));
  await firewall.remove(web);
  expect(await firewall.ensure([])).toEqual([]);
  expect(held()).toBe('');
});

test('a port is refused with the name of who has it, and nothing of the pod stays', async () => {
  await firewall.add(web);
  const before = held();
  const error = await failure(firewall.add(rival));
  const holder = attachmentFileName(web.attachment);
  expect(error).toMatchObject({ code: 11, message: `hostPort 8080/tcp is taken by attachment ${holder}` });
  expect(portHolder(error)).toBe(holder);
  expect(held()).toBe(before);
});

test('a port that is published twice by one pod is a mistake', async () => {
  const twice = { ...web, ports: ['8080:80/tcp', '0.0.0.0=8080:81/tcp'].map(samplePort) };
  expect(await failure(firewall.add(twice))).toMatchObject({
    message: 'Cannot publish hostPort 8080/tcp twice: to 80 and to 81',
  });
  expect(held()).toBe('');
});

test("removing takes what is the attachment's, not what became another's", async () => {
  await firewall.add(web);
  kernel.apply([{ kind: 'table-delete', table: podTable }]);
  await firewall.remove(web);
  await firewall.add(rival);
  const before = held();
  await firewall.remove(web);
  expect(held()).toBe(before);
  await firewall.remove(rival);
  await firewall.remove(rival);
  expect(await firewall.ensure([])).toEqual([
    'set net/ipv4/conf/cni0/route_localnet = 0',
    'delete table inet netloom-cni',
  ]);
  expect(on.size).toBe(0);
});

test('what was lost is reported and restored', async () => {
  await firewall.add(web);
  await firewall.add(dns);
  expect(firewall.changed()).toBe(false);
  kernel.apply([
    { kind: 'table-delete', table: podTable },
    { kind: 'table-delete', table: frameTable },
  ]);
  on.clear();
  expect(firewall.changed()).toBe(true);
  expect(await firewall.check(dns)).toEqual([
    'table "inet netloom-cni" is missing',
    'table "bridge netloom-cni" is missing',
    expect.stringMatching(/^"ports4" of table "inet netloom-cni" lacks udp \. 53 /),
    expect.stringMatching(/"answered4".* lacks/),
    expect.stringMatching(/"address-ports4".* lacks/),
    expect.stringMatching(/"answered4".* lacks/),
    expect.stringMatching(/"sources4".* lacks/),
    expect.stringMatching(/"checked".* lacks/),
    expect.stringMatching(/"macs".* lacks/),
    expect.stringMatching(/"subnets4".* lacks/),
    expect.stringMatching(/"localnet".* lacks/),
    'route_localnet of link "cni0" is off',
  ]);
  // A new pod comes before anybody healed the others.
  await firewall.add(rival);
  expect(await firewall.check(rival)).toEqual([]);
  await firewall.remove(rival);
  await firewall.ensure([web, dns]);
  expect(held()).toBe(wanted([web, dns]));
  expect(firewall.changed()).toBe(false);
  expect(await firewall.ensure([web, dns])).toEqual([]);
});

test("rules that somebody changed are reported, and what is nobody's is removed", async () => {
  await firewall.add(web);
  const [table] = podTables([web]).values();
  const guard = table?.chains.get('guard');
  if (guard === undefined) throw new Error('no guard');
  kernel.apply([{ kind: 'chain-flush', table: podTable, chain: guard }]);
  expect(await firewall.check(web)).toEqual([
    expect.stringMatching(
      /^table "inet netloom-cni" was changed: want add rule inet netloom-cni guard: iifname/,
    ),
  ]);
  await firewall.add(dns);
  await firewall.ensure([web]);
  expect(held()).toBe(wanted([web]));
});

test('who has a port keeps it, whatever the order of the records', async () => {
  await firewall.add(web);
  await firewall.ensure([rival, web]);
  expect(await firewall.check(web)).toEqual([]);
  expect(await firewall.check(rival)).toContainEqual(expect.stringMatching(/^"ports4" .* has tcp \. 8080/));
});

test('changes by others are told from our own', async () => {
  expect(firewall.changed()).toBe(false);
  await firewall.add(web);
  expect(firewall.changed()).toBe(false);
  kernel.apply([{ kind: 'table-add', table: { family: 'ip', name: 'foreign' } }]);
  expect(firewall.changed()).toBe(true);
  await firewall.add(dns);
  expect(firewall.changed()).toBe(true);
  await firewall.ensure([web, dns]);
  expect(firewall.changed()).toBe(false);
});

test('a sysctl that cannot be set takes the pod back', async () => {
  const readOnly = () => {
    throw new Error('read-only');
  };
  const refused = createNftPodFirewall({
    driver: kernel.driver(),
    localnet: { isOn: () => false, switch: readOnly },
  });
  await expect(refused.add(web)).rejects.toThrow('read-only');
  expect(await firewall.check(web)).not.toEqual([]);
  expect(kernel.state.get('inet netloom-cni')?.sets.get('ports4')?.elements.size).toBe(0);
});
