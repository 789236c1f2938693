// Matches that only IPVS mode uses, in iptables' own words: sets, ports of bridges, virtual servers. The others are in match-words.ts.
import type { WordForm } from './given-options.ts';
import { readNetwork, readProtocol } from './network-words.ts';
import type { Match } from './rule.ts';
import { readNumber } from './words.ts';

/** IPSET_MAXNAMELEN - 1. */
const longestSetName = 31;

/** IPSET_DIM_MAX. */
const mostDirections = 6;

const set: WordForm<Match> = {
  options: { '--match-set': '!pair' },
  build(given) {
    const pair = given.required('--match-set');
    const end = pair.lastIndexOf(' ');
    const name = pair.slice(0, end);
    const text = pair.slice(end + 1);
    // iptables-save would print blanks without quotes.
    if (name === '' || /\s/.test(name) || Buffer.byteLength(name) > longestSetName)
      throw new SyntaxError(
        `Cannot use "${name}" as a set: a name has 1 to ${longestSetName} bytes and no blanks`,
      );
    const directions = text.split(',').map((word) => {
      if (word !== 'src' && word !== 'dst')
        throw new SyntaxError(`Cannot use "${text}" of set "${name}": want src or dst for each part`);
      return word;
    });
    if (directions.length > mostDirections)
      throw new SyntaxError(
        `Cannot use "${text}" of set "${name}": it has more than ${mostDirections} parts`,
      );
    return { kind: 'set', name, directions, not: given.not('--match-set') };
  },
};

const physdev: WordForm<Match> = {
  options: { '--physdev-is-in': '!flag' },
  build(given) {
    given.required('--physdev-is-in');
    return { kind: 'physdev', not: given.not('--physdev-is-in') };
  },
};

const ipvs: WordForm<Match> = {
  options: { '--ipvs': '!flag', '--vproto': '!value', '--vaddr': '!value', '--vport': '!value' },
  build(given) {
    const protocol = given.criterion('--vproto', (text) => unlessAll(text, readProtocol(text)));
    const address = given.criterion('--vaddr', (text) => unlessAll(text, readNetwork(text, given.family)));
    const port = given.criterion('--vport', (text) => readNumber(text, 0xffff));
    if ([protocol, address, port].every((one) => one === undefined)) {
      given.required('--ipvs');
      return { kind: 'ipvs', isIpvs: given.criterion('--ipvs', () => true as const) };
    }
    if (given.not('--ipvs')) throw new SyntaxError('Cannot use ! --ipvs beside other options of match ipvs');
    return { kind: 'ipvs', protocol, address, port };
  },
};

function unlessAll<T>(text: string, value: T | undefined): T {
  if (value === undefined) throw new SyntaxError(`Cannot use "${text}" in match ipvs: it is everything`);
  return value;
}

export const ipvsModeForms: readonly (readonly [string, WordForm<Match>])[] = [
  ['set', set],
  ['physdev', physdev],
  ['ipvs', ipvs],
];
