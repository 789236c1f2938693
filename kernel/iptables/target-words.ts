// The targets that Netloom knows by their options, in iptables' own words. Any other name after -j is a chain's.
import { IpAddress } from '../../net/address.ts';
import { Prefix } from '../../net/prefix.ts';
import type { WordForm } from './given-options.ts';
import { readMarked } from './match-words.ts';
import { type Target, verdicts } from './rule.ts';
import { readNumber } from './words.ts';

/** What REJECT may answer; the first is what it answers unless told. */
const rejectTypes = {
  4: [
    'icmp-port-unreachable',
    'icmp-net-unreachable',
    'icmp-host-unreachable',
    'icmp-proto-unreachable',
    'icmp-net-prohibited',
    'icmp-host-prohibited',
    'icmp-admin-prohibited',
    'tcp-reset',
  ],
  6: [
    'icmp6-port-unreachable',
    'icmp6-no-route',
    'icmp6-adm-prohibited',
    'icmp6-addr-unreachable',
    'tcp-reset',
  ],
} as const;

const reject: WordForm<Target> = {
  options: { '--reject-with': 'value' },
  build(given) {
    const types = rejectTypes[given.family];
    const text = given.text('--reject-with') ?? types[0];
    if (!types.some((one) => one === text))
      throw new SyntaxError(`Cannot use --reject-with "${text}": want ${types.join(', ')}`);
    return { kind: 'reject', with: text };
  },
};

const markOptions = ['--set-xmark', '--set-mark', '--or-mark', '--and-mark', '--xor-mark'] as const;

const mark: WordForm<Target> = {
  options: Object.fromEntries(markOptions.map((option) => [option, 'value' as const])),
  build(given) {
    const option = given.oneOf(markOptions);
    const text = given.required(option);
    switch (option) {
      case '--set-xmark':
        return { kind: 'mark', ...readMarked(text) };
      case '--set-mark': {
        const { value, mask } = readMarked(text);
        return { kind: 'mark', value, mask: (value | mask) >>> 0 };
      }
      case '--or-mark': {
        const value = readNumber(text);
        return { kind: 'mark', value, mask: value };
      }
      case '--and-mark':
        return { kind: 'mark', value: 0, mask: ~readNumber(text) >>> 0 };
      case '--xor-mark':
        return { kind: 'mark', value: readNumber(text), mask: 0 };
      default:
        return option satisfies never;
    }
  },
};

const masquerade: WordForm<Target> = {
  options: { '--random-fully': 'flag' },
  build: (given) => ({ kind: 'masquerade', randomFully: given.has('--random-fully') }),
};

const dnat: WordForm<Target> = {
  options: { '--to-destination': 'value' },
  build(given) {
    const text = given.required('--to-destination');
    const [, bracketed, plain, portText] = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d+))?$/.exec(text) ?? [];
    const address = IpAddress.tryParse(bracketed ?? plain ?? text);
    if (address?.family !== given.family)
      throw new SyntaxError(`Cannot use --to-destination "${text}": want ADDRESS or ADDRESS:PORT`);
    if (portText === undefined) return { kind: 'dnat', address };
    const port = readNumber(portText, 0xffff);
    if (port === 0) throw new SyntaxError(`Cannot use --to-destination "${text}": port 0 is none`);
    return { kind: 'dnat', address, port };
  },
};

const netmap: WordForm<Target> = {
  options: { '--to': 'value' },
  build(given) {
    const text = given.required('--to');
    const prefix = Prefix.tryParse(text);
    if (prefix?.family !== given.family)
      throw new SyntaxError(
        `Cannot use --to "${text}": want a prefix such as ${given.family === 4 ? '192.0.2.0/24' : '2001:db8::/64'}`,
      );
    return { kind: 'netmap', prefix };
  },
};

function verdictForm(verdict: (typeof verdicts)[number]): WordForm<Target> {
  return { options: {}, build: () => ({ kind: 'verdict', verdict }) };
}

export const targetForms: ReadonlyMap<string, WordForm<Target>> = new Map([
  ...verdicts.map((verdict) => [verdict, verdictForm(verdict)] as const),
  ['REJECT', reject],
  ['MARK', mark],
  ['MASQUERADE', masquerade],
  ['DNAT', dnat],
  ['NETMAP', netmap],
]);
