// Calls of the plugin made by chance: environments and configurations that are right, slightly wrong, hostile, or bytes. The same
// number makes the same case.
import type { PluginInput } from '../../cni/request.ts';

/** A source of chance: mulberry32, which needs one multiplication a step and has no state but its number. */
export interface Chance {
  /** 0 to `end` - 1. */
  below(end: number): number;
  pick<T>(list: readonly [T, ...T[]]): T;
}

export function chanceOf(seed: number): Chance {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
  const below = (end: number) => next() % end;
  return { below, pick: (list) => list[below(list.length)] ?? list[0] };
}

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

const result = {
  interfaces: [{ name: 'cni0' }, { name: 'eth0', sandbox: '/run/netns/x', mtu: 1450 }],
  ips: [
    { address: '10.1.0.9/24', gateway: '10.1.0.1', interface: 1 },
    { address: 'fd00::9/64', version: '6' },
  ],
  routes: [{ dst: '0.0.0.0/0', gw: '10.1.0.1', table: 0 }],
  dns: { nameservers: ['10.0.0.10'] },
};
const range = { subnet: '10.7.0.0/24', rangeStart: '10.7.0.5', rangeEnd: '10.7.0.9', gateway: '10.7.0.1' };

/** All right as they are; together they have every key that is read. Short, as most of the time goes into reading them. */
const good: readonly [string, ...string[]] = [
  { type: 'netloom-cni', runDirectory: '/run/netloom', stateDirectory: '/var/lib/netloom', mtu: 1400 },
  {
    bridge: 'br1',
    isDefaultGateway: true,
    forceAddress: true,
    hairpinMode: true,
    vlanTrunk: [{ minID: 5, maxID: 9 }],
  },
  { vlan: 5, promiscMode: true, portIsolation: true, enabledad: true, preserveDefaultVlan: false, ipam: {} },
  {
    type: 'bridge',
    isGateway: true,
    ipMasq: true,
    macspoofchk: true,
    ipam: { type: 'host-local', subnet: '10.1.0.0/24' },
  },
  {
    ipam: {
      type: 'host-local',
      dataDir: '/ipam',
      ranges: [[range], [{ subnet: 'fd00::/64', gateway: 'fd00::1' }]],
    },
  },
  {
    ipam: {
      type: 'netloom',
      resolvConf: '/etc/resolv.conf',
      routes: [{ dst: '0.0.0.0/0' }, { dst: 'fd00::/8', gw: 'fd00::1', scope: 253, table: 0, mtu: 1400 }],
    },
  },
  { runtimeConfig: { portMappings: [{ hostPort: 8080, containerPort: 80, protocol: 'tcp', hostIP: '' }] } },
  {
    snat: false,
    runtimeConfig: { portMappings: [{ HostPort: 5, ContainerPort: 6, Protocol: 'UDP', HostIP: '::1' }] },
  },
  { masqAll: true, backend: 'iptables', ingressRate: 5, ingressBurst: 5, mac: '02:00:00:00:00:04' },
  {
    runtimeConfig: { bandwidth: { ingressRate: 9, ingressBurst: 4294967295, EgressRate: 8, egressBurst: 8 } },
  },
  { runtimeConfig: { dns: { Servers: ['10.0.0.10'], searches: ['a'] }, aliases: { cbr0: ['web'] } } },
  { runtimeConfig: { ips: ['10.7.0.7/24'], mac: '02:00:00:00:00:07', ipRanges: [[range]] } },
  {
    args: { cni: { ips: ['10.1.0.8'], mac: '02:00:00:00:00:08', labels: [] } },
    dns: { domain: 'a', search: ['b'] },
  },
  { prevResult: result },
  {
    type: 'flannel',
    subnetFile: '/run/flannel/subnet.env',
    delegate: { hairpinMode: true, isDefaultGateway: true },
  },
  {
    type: 'flannel',
    dataDir: '/f',
    delegate: { type: 'bridge', mtu: 1300 },
    ipam: { routes: [{ dst: '10.96.0.0/12' }] },
  },
  { type: 'loopback', prevResult: { ip4: { ip: '10.0.0.9/24', routes: [{ dst: '0.0.0.0/0' }] }, dns: {} } },
  { 'cni.dev/valid-attachments': [{ containerID: 'abc', ifname: 'eth0' }], 'cni.dev/attachments': null },
].map((config) => JSON.stringify({ cniVersion: '1.1.0', name: 'cbr0', ...config })) as [string, ...string[]];

/** What breaks programs: of every type, and text that means something to paths, shells, nft, printf and JSON. */
const hostile: readonly [Json, ...Json[]] = [
  null,
  true,
  false,
  0,
  -1,
  1,
  4095,
  65535,
  65536,
  2 ** 31,
  2 ** 53,
  1e308,
  -1e308,
  0.5,
  '',
  '0',
  'a',
  'eth0',
  '..',
  '../../etc/passwd',
  '/',
  '/..',
  '/a/../b',
  '/tmp/x',
  'x/y',
  '\0',
  '/run/\0',
  'a\nb',
  'a\r\nb',
  ' ',
  '$(reboot)',
  '`reboot`',
  '; flush ruleset',
  '" accept; comment "',
  '{ type nat }',
  'tcp dport 22 drop',
  '%d%s%n',
  '\\u0000',
  '__proto__',
  'constructor',
  'é',
  '\u00a0',
  '\u2028',
  '\ud800',
  '\u{1f4a5}',
  'x'.repeat(16),
  'x'.repeat(300),
  '/x'.repeat(2100),
  '10.0.0.0/8',
  '10.1.0.0/31',
  '10.1.0.1/24',
  '10.0.0.1',
  '010.0.0.1',
  '0.0.0.0',
  '127.0.0.1',
  '255.255.255.255',
  '::',
  '::1',
  'fe80::1%eth0',
  '::ffff:10.0.0.1',
  'fd00::/8',
  'ff:ff:ff:ff:ff:ff',
  '02:00:00:00:00:01',
  '0.2.0',
  '0.4.0',
  '1.0.0',
  '9.9.9',
  'host-local',
  'dhcp',
  'tcp',
  'iptables',
  'flannel',
  [],
  {},
  [[]],
  [null],
  { '': '' },
  ['x', 1, null, {}],
];

const keys: readonly [string, ...string[]] = [
  '__proto__',
  'constructor',
  'toString',
  'hasOwnProperty',
  '',
  '\0',
  'name',
  'type',
  'ipam',
  'delegate',
  'bridge',
  'runtimeConfig',
  'prevResult',
  'subnet',
  'ranges',
  'hostPort',
  'conditionsV4',
  'disableContainerInterface',
  'cni.dev/attachments',
];

const commands = ['ADD', 'ADD', 'ADD', 'ADD', 'DEL', 'DEL', 'CHECK', 'GC', 'STATUS', 'VERSION'] as const;

const names = ['CNI_CONTAINERID', 'CNI_NETNS', 'CNI_IFNAME', 'CNI_ARGS', 'CNI_COMMAND', 'CNI_PATH'] as const;

const args = [
  '',
  'IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=web-0;K8S_POD_UID=1',
  'IP=10.88.0.9;MAC=02:00:00:00:00:09',
  'K8S_POD_NAMESPACE=../x;K8S_POD_NAME=y\nz',
  'IP=10.0.0.1,fd00::1/64',
  'X=1',
  'IP',
  ';;;',
] as const;

export function fuzzCase(chance: Chance): PluginInput {
  return { env: environment(chance), stdin: standardInput(chance) };
}

function environment(chance: Chance): Record<string, string> {
  const env: Record<string, string> = {
    CNI_COMMAND: chance.pick(commands),
    CNI_CONTAINERID: 'abc',
    CNI_NETNS: '/run/netns/x',
    CNI_IFNAME: 'eth0',
    CNI_ARGS: chance.pick(args),
  };
  while (chance.below(4) === 0) {
    const name = chance.pick(names);
    const value = chance.pick(hostile);
    if (chance.below(8) === 0) delete env[name];
    else env[name] = typeof value === 'string' ? value : spoilText(env[name] ?? '', chance);
  }
  return env;
}

function standardInput(chance: Chance): string {
  const way = chance.below(8);
  if (way === 0) return bytes(chance);
  const text = chance.pick(good);
  if (way === 1) return text.slice(0, chance.below(text.length));
  if (way === 2) return spoilText(text, chance);
  const config = JSON.parse(text) as Json;
  for (let count = chance.below(5); count > 0; count--) mutate(config, chance);
  const written = JSON.stringify(config);
  return chance.below(16) === 0 ? withSecondKey(written, chance) : written;
}

function bytes(chance: Chance): string {
  return Buffer.from(Array.from({ length: chance.below(64) }, () => chance.below(256))).toString('utf8');
}

/** A character taken out, put in or changed. */
function spoilText(text: string, chance: Chance): string {
  const at = chance.below(text.length + 1);
  const character = String.fromCharCode(chance.below(chance.below(4) === 0 ? 0x10000 : 0x80));
  return text.slice(0, at) + (chance.below(3) === 0 ? '' : character) + text.slice(at + chance.below(2));
}

/** A key a second time, in another case or the same, as only text can have it. */
function withSecondKey(text: string, chance: Chance): string {
  const key = chance.pick(['name', 'NAME', 'Ipam', 'MTU', 'Bridge', 'cniversion', 'RUNTIMECONFIG']);
  return `{${JSON.stringify(key)}:${JSON.stringify(chance.pick(hostile))},${text.slice(1)}`;
}

type Place = { readonly parent: Json[] | { [key: string]: Json }; readonly key: string };

/** Somewhere within: deeper ones as likely as those on top. */
function anyPlace(root: Json, chance: Chance): Place | undefined {
  let place: Place | undefined;
  let value: Json | undefined = root;
  while (typeof value === 'object' && value !== null) {
    const found: readonly string[] = Object.keys(value);
    const key: string | undefined = found[chance.below(found.length + 1)];
    if (key === undefined) return place;
    place = { parent: value, key };
    value = (value as Readonly<Record<string, Json>>)[key];
    if (chance.below(3) === 0) return place;
  }
  return place;
}

function mutate(root: Json, chance: Chance): void {
  const place = anyPlace(root, chance);
  if (place === undefined) return;
  const { parent, key } = place;
  const old = (parent as Record<string, Json>)[key] ?? null;
  const set = (name: string, value: Json) =>
    Object.defineProperty(parent, name, { value, enumerable: true, configurable: true, writable: true });
  switch (chance.below(10)) {
    case 0:
      if (!Array.isArray(parent)) delete parent[key];
      break;
    case 1:
      if (!Array.isArray(parent)) {
        delete parent[key];
        set(chance.below(2) === 0 ? key.toUpperCase() : key.toLowerCase(), old);
      }
      break;
    case 2:
      if (!Array.isArray(parent)) set(chance.pick(keys), structuredCopy(chance.pick(hostile)));
      break;
    case 3:
      if (typeof old === 'string') set(key, spoilText(old, chance));
      break;
    case 4:
      if (typeof old === 'number') set(key, chance.pick([-old, old + 1, old * 2 ** 32, old / 3]));
      break;
    case 5:
      if (Array.isArray(old)) old.push(structuredCopy(old[0] ?? chance.pick(hostile)));
      break;
    case 6:
      // Four of them in each other are still written: JSON.stringify has no more stack than for some 4,000.
      set(key, nested(chance.below(chance.below(64) === 0 ? 900 : 70), chance));
      break;
    default:
      set(key, structuredCopy(chance.pick(hostile)));
  }
}

function nested(depth: number, chance: Chance): Json {
  let value: Json = chance.pick(hostile);
  for (let i = 0; i < depth; i++) value = chance.below(2) === 0 ? [value] : { a: value };
  return value;
}

/** The lists above stay as they are. */
function structuredCopy(value: Json): Json {
  return typeof value === 'object' && value !== null ? (JSON.parse(JSON.stringify(value)) as Json) : value;
}
