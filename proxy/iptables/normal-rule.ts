// One spelling for what iptables-save prints and what we write, so that the two compare as text. It knows the matches and targets
// that kube-proxy uses; of others it keeps every word. It does not tell what a rule means.
import { Prefix } from '../../net/prefix.ts';

const space = 32;
const quote = 34;
const backslash = 92;

/** A line without "-A CHAIN", as words; quotes undone. By hand: a look at everything reads a hundred thousand lines. */
function words(line: string): readonly string[] {
  const found: string[] = [];
  for (let at = 0; at < line.length; ) {
    const first = line.charCodeAt(at);
    if (first === space) {
      at += 1;
      continue;
    }
    let end: number;
    if (first === quote) {
      end = at + 1;
      while (end < line.length && line.charCodeAt(end) !== quote)
        end += line.charCodeAt(end) === backslash ? 2 : 1;
      const text = line.slice(at + 1, end);
      found.push(text.includes('\\') ? text.replaceAll(/\\(.)/g, '$1') : text);
      at = end + 1;
    } else {
      end = line.indexOf(' ', at);
      if (end === -1) end = line.length;
      found.push(line.slice(at, end));
      at = end;
    }
  }
  return found;
}

/** The parts of a rule, an option with its values each, mean the same in any order: they are sorted. */
export function normalRule(line: string): string {
  const parts: string[] = [];
  const all = words(line);
  for (let i = 0; i < all.length; ) {
    const isNegated = all[i] === '!';
    if (isNegated) i += 1;
    const option = all[i] ?? '';
    i += 1;
    const start = i;
    // A comment may look like an option.
    if (option === '--comment') i += 1;
    while (i < all.length && all[i]?.startsWith('-') !== true && all[i] !== '!') i += 1;
    const part = normalPart(option, all.slice(start, i));
    if (part !== undefined) parts.push(isNegated ? `! ${part}` : part);
    // Not "from any address", which nothing is: unlike "from any", it says something.
    else if (isNegated) parts.push(`! ${option} ${all.slice(start, i).join(' ')}`);
  }
  return parts.sort().join('\u0000');
}

/** Undefined: says nothing that is not said otherwise. */
function normalPart(option: string, values: readonly string[]): string | undefined {
  const value = values[0] ?? '';
  switch (option) {
    case '-m':
      // A match is known by its options; that of the protocol iptables-save names where it was not asked for.
      return undefined;
    case '-s':
    case '-d':
      return normalAddress(option, value);
    case '--mark':
      return `--mark ${masked(value)}`;
    case '--xor-mark':
      return `--set-xmark ${Number(value)}/0`;
    case '--or-mark':
      return `--set-xmark ${Number(value)}/${Number(value)}`;
    case '--set-xmark':
      return `--set-xmark ${masked(value)}`;
    case '--probability':
      // What the kernel keeps of it.
      return `--probability ${Math.round(Number(value) * 0x80000000)}`;
    case '--ctstate':
      return `--ctstate ${value.includes(',') ? value.split(',').sort().join(',') : value}`;
    case '--rsource':
      // Of `recent`, as --mask: what it does unless told otherwise.
      return undefined;
    case '--mask':
      return isWholeMask(value) ? undefined : `--mask ${value}`;
    case '--reject-with':
      return /^icmp6?-port-unreachable$/.test(value) ? undefined : `--reject-with ${value}`;
    default:
      return `${option} ${values.join(' ')}`;
  }
}

function isWholeMask(text: string): boolean {
  return text === '255.255.255.255' || text === 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff';
}

/** "0x4000/0x4000"; a mask of all bits is not printed. */
function masked(text: string): string {
  const [value = '', mask = '0xffffffff'] = text.split('/');
  return `${Number(value)}/${Number(mask)}`;
}

/** A single address without its length, a network with its host bits cleared. Undefined: any address. */
function normalAddress(option: string, text: string): string | undefined {
  const slash = text.indexOf('/');
  if (slash === -1) return `${option} ${text}`;
  const length = text.slice(slash + 1);
  if (length === (text.includes(':') ? '128' : '32')) return `${option} ${text.slice(0, slash)}`;
  const prefix = Prefix.tryParse(text);
  if (prefix === undefined) return `${option} ${text}`;
  return prefix.length === 0 ? undefined : `${option} ${prefix.network()}`;
}
