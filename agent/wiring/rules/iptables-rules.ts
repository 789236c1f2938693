// The rules of pods as iptables lines in chains of our own. Pure. Lines are spelt as iptables-save prints them (nft and legacy agree),
// so that what is wanted and what is there compare as text; comments carry attachmentFileName.
import type { IptablesTable } from '../../../kernel/iptables/save-text.ts';
import type { Family } from '../../../net/address.ts';
import { Prefix } from '../../../net/prefix.ts';
import { attachmentFileName } from '../attachment.ts';
import type { PodRules } from '../pod-rules.ts';
import { multicast } from './nft-tables.ts';
import { localnetLink, type PublishedPort, publishedPorts } from './published-port.ts';

export const portChain = 'NETLOOM-HOSTPORT';
export const masqueradeChain = 'NETLOOM-POD-MASQ';
export const guardChain = 'NETLOOM-LOCALNET';

export type OwnTable = 'nat' | 'raw';

/** One chain of ours, the lines that lead to it from built-in ones, and its own lines. */
export interface PodChain {
  readonly table: OwnTable;
  readonly chain: string;
  readonly jumps: readonly string[];
  /** Before all others, in any order among themselves; so are `rest`. */
  readonly first: readonly string[];
  readonly rest: readonly string[];
}

/** A line that one attachment needs. */
export interface PodLine {
  readonly table: OwnTable;
  readonly chain: string;
  readonly place: 'first' | 'rest';
  readonly line: string;
  /** False: other pods may need it, too. */
  readonly own: boolean;
  readonly port?: PublishedPort | undefined;
}

const loopback = Prefix.parse('127.0.0.0/8');

export function podLines(family: Family, rules: PodRules): readonly PodLine[] {
  const comment = `-m comment --comment ${attachmentFileName(rules.attachment)}`;
  const lines: PodLine[] = [];
  const put = (chain: string, place: PodLine['place'], line: string, port?: PublishedPort) => {
    lines.push({ table: 'nat', chain, place, line: `-A ${chain} ${line}`, own: true, port });
  };
  for (const port of publishedPorts(rules).filter((one) => one.family === family)) {
    put(
      portChain,
      port.hostIp === undefined ? 'rest' : 'first',
      `${dnatMatch(port)} ${comment} -j DNAT --to-destination ${podEnd(port)}`,
      port,
    );
    for (const source of hiddenSources(rules, port))
      put(masqueradeChain, 'rest', `${source}${answeredMatch(port)} ${comment} -j MASQUERADE`);
  }
  if (rules.masquerade) {
    for (const prefix of rules.addresses.filter((one) => one.family === family))
      put(
        masqueradeChain,
        'rest',
        `-s ${Prefix.host(prefix.address)} ! -d ${prefix.network()} ${comment} -j MASQUERADE`,
      );
  }
  const link = family === 4 ? localnetLink(rules) : undefined;
  if (link !== undefined)
    lines.push({ table: 'raw', chain: guardChain, place: 'rest', line: guardLine(link), own: false });
  return unique(lines);
}

function unique(lines: readonly PodLine[]): readonly PodLine[] {
  return [...new Map(lines.map((one) => [`${one.table} ${one.line}`, one])).values()];
}

function dnatMatch({ protocol, hostPort, hostIp }: PublishedPort): string {
  const to = hostIp === undefined ? '' : `-d ${Prefix.host(hostIp)} `;
  return `${to}-p ${protocol} -m ${protocol} --dport ${hostPort}`;
}

/** A Service of another port that leads to the same pod is told by the port that was asked for. */
function answeredMatch({ protocol, hostPort, containerPort, pod }: PublishedPort): string {
  return `-d ${Prefix.host(pod.address)} -p ${protocol} -m conntrack --ctstate DNAT --ctorigdstport ${hostPort} -m ${protocol} --dport ${containerPort}`;
}

/** Sources that could not be answered by way of the node, as beginnings of lines. */
function hiddenSources({ portMasquerade }: PodRules, { family, pod }: PublishedPort): readonly string[] {
  if (portMasquerade === 'none') return [];
  if (portMasquerade === 'all') return [''];
  return [`-s ${pod.network()} `, ...(family === 4 ? [`-s ${loopback} `] : [])];
}

function podEnd({ family, pod, containerPort }: PublishedPort): string {
  return family === 4 ? `${pod.address}:${containerPort}` : `[${pod.address}]:${containerPort}`;
}

/** Also the note of which links have the sysctl from us. */
function guardLine(link: string): string {
  return `-A ${guardChain} -d ${loopback} ! -i lo -m comment --comment ${link} -j DROP`;
}

/** The links that guard lines name. */
export function guardedLinks(raw: IptablesTable | undefined): readonly string[] {
  return linesOf(raw, guardChain)
    .map((line) => /--comment (\S+) -j DROP$/.exec(plain(line))?.[1])
    .filter((link) => link !== undefined);
}

/** All chains of ours for a family; those without lines are not wanted. */
export function podChains(family: Family, rules: readonly PodRules[]): readonly PodChain[] {
  const taken = new Set<string>();
  const lines = rules
    .flatMap((one) => podLines(family, one))
    .filter((one) => {
      // Of two that want one port the first has it.
      const key = one.port === undefined ? plain(one.line) : portOf(one.line);
      if (taken.has(key)) return false;
      taken.add(key);
      return true;
    });
  return emptyChains(family).map((chain) => {
    const mine = lines.filter((one) => one.table === chain.table && one.chain === chain.chain);
    if (mine.length === 0) return { ...chain, jumps: [], first: [] };
    const at = (place: PodLine['place']) => mine.filter((one) => one.place === place).map(({ line }) => line);
    return { ...chain, first: [...chain.first, ...at('first')], rest: at('rest') };
  });
}

/** What each chain has whatever pods there are. Jumps are appended: Services go first (CVE-2019-9946). */
export function emptyChains(family: Family): readonly PodChain[] {
  // Only what is meant for the node (CVE-2025-67499). ::1 cannot be the source of a packet on a link.
  const local = `${family === 4 ? '' : '! -d ::1/128 '}-m addrtype --dst-type LOCAL`;
  const ports = `-m comment --comment "netloom published ports" -j ${portChain}`;
  const nat: readonly PodChain[] = [
    {
      table: 'nat',
      chain: portChain,
      jumps: [`-A PREROUTING ${local} ${ports}`, `-A OUTPUT ${local} ${ports}`],
      first: [],
      rest: [],
    },
    {
      table: 'nat',
      chain: masqueradeChain,
      jumps: [`-A POSTROUTING -m comment --comment "netloom pods" -j ${masqueradeChain}`],
      first: [`-A ${masqueradeChain} -d ${multicast[family]} -j RETURN`],
      rest: [],
    },
  ];
  if (family === 6) return nat;
  const guard = `-A PREROUTING -m comment --comment "netloom guard of 127.0.0.1" -j ${guardChain}`;
  return [...nat, { table: 'raw', chain: guardChain, jumps: [guard], first: [], rest: [] }];
}

export function linesOf(table: IptablesTable | undefined, chain: string): readonly string[] {
  return table?.rules.filter((line) => line.startsWith(`-A ${chain} `)) ?? [];
}

/** iptables-save quotes where it likes to; nothing of ours needs quotes to be told apart. */
export function plain(line: string): string {
  return line.replaceAll('"', '');
}

/** Whose line it is. */
export function holderOf(line: string): string | undefined {
  return /--comment ([0-9a-f]{32})(?: |$)/.exec(plain(line))?.[1];
}

/** What a line of the port chain publishes: its match. */
export function portOf(line: string): string {
  return plain(line).split(' -m comment ')[0] ?? '';
}
