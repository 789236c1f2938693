// The matches that Netloom knows by their options, in iptables' own words: what kube-proxy's layout and our rules use. One that is not
// here is refused by name, not skipped.
import { IpAddress } from '../../net/address.ts';
import { type Transport, transports } from '../../net/transport.ts';
import type { WordForm } from './given-options.ts';
import { ipvsModeForms } from './ipvs-mode-words.ts';
import { type Criterion, conntrackStates, type Match, type PortRange, routeTypes } from './rule.ts';
import { readNumber } from './words.ts';

/** XT_MAX_COMMENT_LEN. */
const longestComment = 256;

/** XT_RECENT_NAME_LEN - 1. */
const listName = /^[^/\s]{1,199}$/;

function portsForm(protocol: Transport): WordForm<Match> {
  return {
    options: { '--sport': '!value', '--dport': '!value' },
    build: (given) => ({
      kind: 'ports',
      protocol,
      source: unlessAll(given.criterion('--sport', readPorts)),
      destination: unlessAll(given.criterion('--dport', readPorts)),
    }),
  };
}

const comment: WordForm<Match> = {
  options: { '--comment': 'value' },
  build(given) {
    const text = given.required('--comment');
    if (Buffer.byteLength(text) > longestComment)
      throw new SyntaxError(`Cannot use comment "${text}": it has more than ${longestComment} bytes`);
    return { kind: 'comment', text };
  },
};

const conntrack: WordForm<Match> = {
  options: { '--ctstate': '!value', '--ctorigdstport': '!value' },
  build(given) {
    const states = given.criterion('--ctstate', (text) => readNames(text, conntrackStates));
    const originalPort = given.criterion('--ctorigdstport', readPorts);
    if (states === undefined && originalPort === undefined)
      throw new SyntaxError('Cannot use match conntrack without an option');
    return { kind: 'conntrack', states, originalPort };
  },
};

const mark: WordForm<Match> = {
  options: { '--mark': '!value' },
  build(given) {
    const { value, mask } = readMarked(given.required('--mark'));
    return { kind: 'mark', value, mask, not: given.not('--mark') };
  },
};

const addrtype: WordForm<Match> = {
  options: { '--src-type': '!value', '--dst-type': '!value' },
  build(given) {
    // The kernel refuses broadcast in IPv6, which has none.
    const types = routeTypes.filter((type) => given.family === 4 || type !== 'BROADCAST');
    const source = given.criterion('--src-type', (text) => readNames(text, types));
    const destination = given.criterion('--dst-type', (text) => readNames(text, types));
    if (source === undefined && destination === undefined)
      throw new SyntaxError('Cannot use match addrtype without --src-type or --dst-type');
    return { kind: 'addrtype', source, destination };
  },
};

const statistic: WordForm<Match> = {
  options: { '--mode': 'value', '--probability': '!value' },
  build(given) {
    const mode = given.required('--mode');
    if (mode !== 'random') throw new SyntaxError(`Cannot use --mode "${mode}": only random is known`);
    const text = given.required('--probability');
    const probability = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
    if (!(probability <= 1)) throw new SyntaxError(`Cannot use --probability "${text}": want 0 to 1`);
    return {
      kind: 'statistic',
      parts: Math.round(probability * 2 ** 31),
      not: given.not('--probability'),
    };
  },
};

const recent: WordForm<Match> = {
  options: {
    '--rcheck': '!flag',
    '--set': '!flag',
    '--seconds': 'value',
    '--reap': 'flag',
    '--name': 'value',
    '--mask': 'value',
    '--rsource': 'flag',
    '--rdest': 'flag',
  },
  build(given) {
    const action = given.oneOf(['--rcheck', '--set']);
    const seconds = given.text('--seconds');
    const reap = given.has('--reap');
    const list = given.text('--name') ?? 'DEFAULT';
    if (action === '--set' && seconds !== undefined)
      throw new SyntaxError('Cannot use --seconds with --set: a new entry has no age');
    if (reap && seconds === undefined) throw new SyntaxError('Cannot use --reap without --seconds');
    if (!listName.test(list)) throw new SyntaxError(`Cannot use "${list}" as a name of match recent`);
    const every = given.family === 4 ? '255.255.255.255' : new Array(8).fill('ffff').join(':');
    const mask = IpAddress.parse(given.text('--mask') ?? every);
    if (mask.family !== given.family)
      throw new SyntaxError(`Cannot use --mask "${mask}" of the other family`);
    return {
      kind: 'recent',
      action: action === '--set' ? 'set' : 'rcheck',
      not: given.not(action),
      seconds: seconds === undefined ? undefined : readNumber(seconds),
      reap,
      list,
      mask,
      side: given.has('--rdest') ? 'destination' : 'source',
    };
  },
};

export const matchForms: ReadonlyMap<string, WordForm<Match>> = new Map([
  ...transports.map((protocol) => [protocol, portsForm(protocol)] as const),
  ['comment', comment],
  ['conntrack', conntrack],
  ['mark', mark],
  ['addrtype', addrtype],
  ['statistic', statistic],
  ['recent', recent],
  ...ipvsModeForms,
]);

/** "80", "80:90", "80:", ":90". */
function readPorts(text: string): PortRange {
  const [from = '', to, ...more] = text.split(':');
  const single = to === undefined;
  const first = from === '' && !single ? 0 : readNumber(from, 0xffff);
  const last = single ? first : to === '' ? 0xffff : readNumber(to, 0xffff);
  if (more.length > 0 || last < first) throw new SyntaxError(`Cannot use ports "${text}": want FIRST:LAST`);
  return { first, last };
}

/** iptables-save does not print what every port fits. */
function unlessAll(ports: Criterion<PortRange> | undefined): Criterion<PortRange> | undefined {
  return ports?.value.first === 0 && ports.value.last === 0xffff && !ports.not ? undefined : ports;
}

/** "0x4000/0x4000"; without a mask all bits count. */
export function readMarked(text: string): { readonly value: number; readonly mask: number } {
  const [value = '', mask, ...more] = text.split('/');
  if (more.length > 0) throw new SyntaxError(`Cannot use mark "${text}": want VALUE/MASK`);
  return { value: readNumber(value), mask: mask === undefined ? 0xffffffff : readNumber(mask) };
}

/** Those of `all` that the text lists, in their order there. */
function readNames<T extends string>(text: string, all: readonly T[]): readonly T[] {
  const named = text.toUpperCase().split(',');
  const unknown = named.find((name) => !all.some((one) => one === name));
  if (unknown !== undefined)
    throw new SyntaxError(`Cannot use "${unknown}" of "${text}": want ${all.join(', ')}`);
  return all.filter((one) => named.includes(one));
}
