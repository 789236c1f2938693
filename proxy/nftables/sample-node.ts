// A node for tests of the nftables mode: a fake kernel, a mode on it, and what the kernel's table means whatever numbers are in it. Not
// for programs.
import { FakeNftKernel } from '../../kernel/nft/fake.ts';
import { type Table, tableKey } from '../../kernel/nft/objects.ts';
import { ruleText } from '../../kernel/nft/rule-text.ts';
import type { Element, NftSet } from '../../kernel/nft/set.ts';
import { keyText } from '../../kernel/nft/value-text.ts';
import { type Family, IpAddress } from '../../net/address.ts';
import { Prefix } from '../../net/prefix.ts';
import type { SyncReport } from '../proxy-mode.ts';
import type { RuleContext } from '../rule-context.ts';
import type { ServicePort } from '../service-port.ts';
import { createNftablesMode, type NftablesMode, type NftablesModeOptions } from './nftables-mode.ts';
import { proxyTableId } from './proxy-table.ts';
import { idOf, token, upperMask, upperOf } from './token.ts';

/** Pods are 10.244.0.0/16, the node is 192.0.2.1; node ports on all its addresses. */
export function sampleContext(fields: Partial<RuleContext> = {}): RuleContext {
  const family = fields.family ?? 4;
  return {
    family,
    nodeIps: [IpAddress.parse(family === 4 ? '192.0.2.1' : '2001:db8::1')],
    nodePortIps: 'all',
    localhostNodePorts: false,
    localDetector: {
      kind: 'prefix',
      prefix: Prefix.parse(family === 4 ? '10.244.0.0/16' : 'fd00:10:244::/56'),
    },
    masqueradeAll: false,
    masqueradeMark: 0x4000,
    serviceNetworks: [],
    dropInvalid: false,
    ...fields,
  };
}

export interface SampleNode {
  readonly kernel: FakeNftKernel;
  mode: NftablesMode;
  /** Without keys: everything is looked at. */
  sync(
    ports: Iterable<ServicePort>,
    options?: { readonly changed?: readonly string[]; readonly context?: RuleContext },
  ): Promise<SyncReport>;
  /** A new process takes over. */
  restart(options?: Partial<NftablesModeOptions>): void;
  table(): Table;
}

export function sampleNode(
  options: Partial<NftablesModeOptions> & { readonly kernel?: FakeNftKernel } = {},
): SampleNode {
  const { kernel = new FakeNftKernel(), ...rest } = options;
  const family: Family = rest.family ?? 4;
  const open = (more: Partial<NftablesModeOptions>) =>
    createNftablesMode({
      family,
      driver: kernel.driver(),
      localhost: { isOn: () => true, switchOn: () => undefined },
      ...rest,
      ...more,
    });
  const node: SampleNode = {
    kernel,
    mode: open({}),
    sync: (ports, { changed, context = sampleContext({ family }) } = {}) =>
      node.mode.sync(
        {
          ports: new Map([...ports].map((port) => [port.key, port])),
          changed: changed === undefined ? 'all' : new Set(changed),
          context,
        },
        new AbortController().signal,
      ),
    restart(more = {}) {
      node.mode = open(more);
    },
    table() {
      const table = kernel.state.get(tableKey(proxyTableId(family)));
      if (table === undefined) throw new Error('there is no table');
      return table;
    },
  };
  return node;
}

/** What packets find in the table, without the numbers that only lead from one place to the next; sorted. */
export function tableMeaning(table: Table): readonly string[] {
  const set = (name: string): NftSet => {
    const found = table.sets.get(name);
    if (found === undefined) throw new Error(`there is no set "${name}"`);
    return found;
  };
  const classes = new Map([...set('classes').elements.values()].map((one) => [keyNumber(one), chainOf(one)]));
  const used = new Set<string>();
  const lists = (id: number): string =>
    [
      ['cluster', targets(set('endpoints'), id, used)],
      ['local', targets(set('local-endpoints'), id, used)],
      ['sticky', sticky(set('sticky-endpoints'), { addresses: set('sticky-addresses'), id, used })],
      [
        'sticky-local',
        sticky(set('sticky-local-endpoints'), { addresses: set('sticky-local-addresses'), id, used }),
      ],
    ]
      .filter(([, list]) => list !== '')
      .map(([name, list]) => ` ${name} [${list}]`)
      .join('');
  const lines: string[] = [];
  for (const name of ['services', 'node-ports', 'guarded'])
    for (const [key, element] of set(name).elements) {
      const value = dataNumber(element);
      const chain = classes.get((value & upperMask) >>> 0) ?? 'no class';
      lines.push(`${name} ${key} "${element.comment ?? ''}" -> ${chain}${lists(idOf(value))}`);
    }
  for (const name of ['cluster-ips', 'hairpin'])
    lines.push(...[...set(name).elements.keys()].map((key) => `${name} ${key}`));
  for (const name of [
    'endpoints',
    'local-endpoints',
    'sticky-endpoints',
    'sticky-local-endpoints',
    'sticky-addresses',
    'sticky-local-addresses',
  ])
    for (const key of set(name).elements.keys())
      if (!used.has(`${name} ${key}`)) lines.push(`orphan in ${name}: ${key}`);
  for (const name of table.chains.keys())
    lines.push(
      `chain ${name}: ${(table.rules.get(name) ?? []).map((rule) => ruleText(rule, table.family)).join('; ')}`,
    );
  return [...lines, ...[...classes.values()].map((chain) => `class ${chain}`)].sort();
}

function keyNumber({ key }: Element): number {
  const [number] = key === 'default' ? [] : key;
  return typeof number === 'number' ? number : -1;
}

function dataNumber({ data }: Element): number {
  const [number] = data === undefined || 'kind' in data ? [] : data;
  return typeof number === 'number' ? number : 0;
}

function chainOf({ data }: Element): string {
  return data !== undefined && 'kind' in data && 'chain' in data ? data.chain : 'nowhere';
}

function targets(set: NftSet, id: number, used: Set<string>): string {
  const found: string[] = [];
  for (const [key, element] of set.elements) {
    if (keyNumber(element) !== id) continue;
    used.add(`${set.name} ${key}`);
    found.push(targetOf(set, element));
  }
  return found.sort().join(', ');
}

function targetOf(set: NftSet, { data }: Element): string {
  return data === undefined || 'kind' in data || set.data === undefined || set.data === 'verdict'
    ? ''
    : keyText(set.data, data);
}

function sticky(
  set: NftSet,
  { addresses, id, used }: { readonly addresses: NftSet; readonly id: number; readonly used: Set<string> },
): string {
  const found: string[] = [];
  for (const [key, element] of set.elements) {
    if (keyNumber(element) !== id) continue;
    used.add(`${set.name} ${key}`);
    const value = dataNumber(element);
    for (const [place, address] of addresses.elements) {
      if (keyNumber(address) !== token(upperOf(value), id)) continue;
      used.add(`${addresses.name} ${place}`);
      found.push(targetOf(addresses, address));
    }
  }
  return found.sort().join(', ');
}
