// The chains that flannel leaves in iptables, told from anybody else's by the text of each of their rules, and the text that takes
// them away. Pure: who reads and restores is flannel-rules.ts.
import type { IptablesTable } from '../../kernel/iptables/save-text.ts';
import { forwardChain } from '../masquerade-iptables.ts';

/** flannel's, from version 0.20 on (trafficmngr/iptables): before, its rules stood in the built-in chains, and went with it. */
interface FlannelChain {
  readonly table: 'nat' | 'filter';
  readonly name: string;
  readonly from: 'POSTROUTING' | 'FORWARD';
  readonly jump: string;
  /** As iptables-save prints them, behind "-A CHAIN ". */
  readonly rules: readonly RegExp[];
}

const network = String.raw`[0-9a-f.:]+/\d{1,3}`;
const masquerade = '-m comment --comment "flanneld masq"';
const forward = '-m comment --comment "flanneld forward"';

const flannelChains: readonly FlannelChain[] = [
  {
    table: 'nat',
    name: 'FLANNEL-POSTRTG',
    from: 'POSTROUTING',
    jump: `-A POSTROUTING ${masquerade} -j FLANNEL-POSTRTG`,
    rules: [
      `-m mark --mark 0x4000/0x4000 ${masquerade} -j RETURN`,
      `(! )?-s ${network} -d ${network} ${masquerade} -j RETURN`,
      `-s ${network} ! -d (224\\.0\\.0\\.0/4|ff00::/8) ${masquerade} -j MASQUERADE( --random-fully)?`,
      `! -s ${network} -d ${network} ${masquerade} -j MASQUERADE( --random-fully)?`,
    ].map(wholeLine),
  },
  {
    table: 'filter',
    name: 'FLANNEL-FWD',
    from: 'FORWARD',
    jump: `-A FORWARD ${forward} -j FLANNEL-FWD`,
    rules: [`-[sd] ${network} ${forward} -j ACCEPT`].map(wholeLine),
  },
];

/** Where to look for them. */
export const flannelChainNames = flannelChains.map(({ table, name }) => ({ table, chain: name }));

function wholeLine(pattern: string): RegExp {
  return new RegExp(`^${pattern}$`);
}

export type FlannelFinding =
  | { readonly kind: 'none' }
  /** `text`: for iptables-restore --noflush, one transaction. */
  | { readonly kind: 'removable'; readonly chain: string; readonly text: string }
  | { readonly kind: 'kept'; readonly chain: string; readonly why: string };

/** What flannel left in a table. Anything in its chain, or any way into it, that is not exactly flannel's makes it another's. */
export function findFlannelChain(saved: IptablesTable): FlannelFinding {
  const flannel = flannelChains.find(({ table }) => table === saved.name);
  if (flannel === undefined || !saved.chains.has(flannel.name)) return { kind: 'none' };
  const { name: chain, jump } = flannel;
  const inside = saved.rules.filter((rule) => rule.startsWith(`-A ${chain} `));
  const leading = saved.rules.filter((rule) => rule.split(' ').includes(chain) && !inside.includes(rule));
  const foreign =
    inside.find((rule) => !flannel.rules.some((form) => form.test(rule.slice(`-A ${chain} `.length)))) ??
    leading.find((rule) => rule !== jump);
  if (foreign !== undefined) return { kind: 'kept', chain, why: `rule "${foreign}" is not flannel's` };
  const why = flannel.table === 'filter' ? whyNeeded(saved, flannel) : undefined;
  if (why !== undefined) return { kind: 'kept', chain, why };
  const lines = [`:${chain} - [0:0]`, ...leading.map((rule) => rule.replace('-A ', '-D ')), `-X ${chain}`];
  return { kind: 'removable', chain, text: `*${flannel.table}\n${lines.join('\n')}\nCOMMIT\n` };
}

/** Why pods' packets may need flannel's acceptance still; undefined when all that comes after it lets them through as well. */
function whyNeeded(saved: IptablesTable, { from, jump }: FlannelChain): string | undefined {
  const rules = saved.rules.filter((rule) => rule.startsWith(`-A ${from} `));
  const place = rules.lastIndexOf(jump);
  if (place < 0) return undefined;
  const isOurs = (rule: string): boolean => rule.endsWith(` -j ${forwardChain}`);
  const behind = rules.slice(place + 1).find((rule) => !isOurs(rule));
  if (behind !== undefined) return `pods' packets would meet "${behind}" without it`;
  if (rules.some(isOurs) || saved.chains.get(from) === 'ACCEPT') return undefined;
  return `policy ${saved.chains.get(from)} of ${from} would drop pods' packets without it; --masquerade=iptables accepts them too`;
}
