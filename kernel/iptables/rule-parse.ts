// Reads a rule as iptables-restore takes it and iptables-save prints it. Every word must be understood; one that is not is named.
import type { Family } from '../../net/address.ts';
import { transportNumber } from '../../net/transport.ts';
import { protocolName } from '../nft/value-text.ts';
import { chainName } from './chain-name.ts';
import { GivenOptions, type WordForm } from './given-options.ts';
import { matchForms } from './match-words.ts';
import { readNetwork, readProtocol } from './network-words.ts';
import type { Criterion, Match, Rule, Target } from './rule.ts';
import { targetForms } from './target-words.ts';

/** One name for each option that has several. */
const aliases: ReadonlyMap<string, string> = new Map([
  ['--source', '-s'],
  ['--src', '-s'],
  ['--destination', '-d'],
  ['--dst', '-d'],
  ['--in-interface', '-i'],
  ['--out-interface', '-o'],
  ['--protocol', '-p'],
  ['--match', '-m'],
  ['--jump', '-j'],
  ['--goto', '-g'],
  ['--source-port', '--sport'],
  ['--destination-port', '--dport'],
]);

/** A match or target whose options are still coming. */
interface Begun<T> {
  readonly name: string;
  readonly form: WordForm<T>;
  readonly given: GivenOptions;
}

interface Draft {
  readonly general: Map<'-s' | '-d' | '-i' | '-o' | '-p', Criterion<string>>;
  readonly matches: Begun<Match>[];
  target: Begun<Target> | undefined;
}

/** Reads what stands after "-A CHAIN". Throws SyntaxError that names the word. */
export function parseRule(words: readonly string[], family: Family): Rule {
  const draft: Draft = { general: new Map(), matches: [], target: undefined };
  for (let at = 0; at < words.length; at++) {
    const not = words[at] === '!';
    if (not) at++;
    const word = words[at] ?? '';
    const option = aliases.get(word) ?? word;
    const count = valueWords(draft, option, family);
    const values = words.slice(at + 1, at + 1 + count);
    if (values.length < count)
      throw new SyntaxError(
        values.length === 0
          ? `Cannot use ${word}: nothing follows it`
          : `Cannot use ${word}: two words must follow it`,
      );
    at += count;
    put(draft, { option, not, value: values.join(' ') }, family);
  }
  return finish(draft, family);
}

/** How many words belong to the option. */
function valueWords(draft: Draft, option: string, family: Family): number {
  if (/^-[sdiopmjg]$/.test(option)) return 1;
  const form = ownerOf(draft, option, family).form.options[option];
  if (form === '!pair') return 2;
  return form?.endsWith('value') === true ? 1 : 0;
}

function put(
  draft: Draft,
  { option, not, value }: { readonly option: string; readonly not: boolean; readonly value: string },
  family: Family,
): void {
  switch (option) {
    case '-s':
    case '-d':
    case '-i':
    case '-o':
    case '-p':
      if (draft.general.has(option)) throw new SyntaxError(`Cannot give ${option} twice`);
      draft.general.set(option, { value, not });
      return;
    case '-m':
    case '-j':
    case '-g':
      if (not) throw new SyntaxError(`Cannot negate ${option}`);
      if (option === '-m') draft.matches.push(begun('match', { name: value, forms: matchForms, family }));
      else if (draft.target !== undefined)
        throw new SyntaxError(`Cannot give ${option} "${value}": there is a target`);
      else draft.target = option === '-g' ? leading('goto', value, family) : targetOf(value, family);
      return;
    default: {
      const { form, given } = ownerOf(draft, option, family);
      if (not && form.options[option]?.startsWith('!') !== true)
        throw new SyntaxError(`Cannot negate ${option}`);
      given.put(option, { value, not });
    }
  }
}

/** The latest that knows the option; without -m that of the protocol, as iptables loads it. */
function ownerOf(draft: Draft, option: string, family: Family): Begun<Match> | Begun<Target> {
  const all = [draft.target, ...draft.matches.toReversed()];
  const owner = all.find((one) => one?.form.options[option] !== undefined);
  if (owner !== undefined) return owner;
  const text = draft.general.get('-p')?.value;
  const protocol = text === undefined ? '' : protocolName(readProtocol(text) ?? 0);
  if (matchForms.get(protocol)?.options[option] !== undefined) {
    const implied = begun('match', { name: protocol, forms: matchForms, family });
    draft.matches.push(implied);
    return implied;
  }
  throw new SyntaxError(`Cannot understand "${option}"`);
}

function begun<T>(
  what: string,
  {
    name,
    forms,
    family,
  }: { readonly name: string; readonly forms: ReadonlyMap<string, WordForm<T>>; readonly family: Family },
): Begun<T> {
  const form = forms.get(name);
  if (form === undefined) throw new SyntaxError(`Cannot understand ${what} "${name}"`);
  return { name, form, given: new GivenOptions(`${what} ${name}`, family) };
}

function targetOf(name: string, family: Family): Begun<Target> {
  return targetForms.has(name)
    ? begun('target', { name, forms: targetForms, family })
    : leading('jump', name, family);
}

function leading(kind: 'jump' | 'goto', chain: string, family: Family): Begun<Target> {
  const target = { kind, chain: chainName(chain) };
  return { name: chain, form: { options: {}, build: () => target }, given: new GivenOptions(kind, family) };
}

function finish({ general, matches, target }: Draft, family: Family): Rule {
  const protocol = criterion(general.get('-p'), readProtocol);
  for (const { name } of matches) {
    const needed = Object.entries(transportNumber).find(([one]) => one === name)?.[1];
    if (needed !== undefined && (protocol?.value !== needed || protocol.not))
      throw new SyntaxError(`Cannot use match ${name} without -p ${name}`);
  }
  const built = target?.form.build(target.given);
  const hasPorts =
    Object.values(transportNumber).some((one) => one === protocol?.value) && protocol?.not === false;
  if (built?.kind === 'dnat' && built.port !== undefined && !hasPorts)
    throw new SyntaxError('Cannot use --to-destination with a port without -p tcp, udp or sctp');
  const source = criterion(general.get('-s'), (text) => readNetwork(text, family));
  const destination = criterion(general.get('-d'), (text) => readNetwork(text, family));
  const inLink = criterion(general.get('-i'), readLink);
  const outLink = criterion(general.get('-o'), readLink);
  return {
    source,
    destination,
    inLink,
    outLink,
    protocol,
    matches: matches.map(({ form, given }) => form.build(given)),
    target: built,
  };
}

/** Undefined as well where everything fits: iptables-save does not print that. */
function criterion<T>(
  given: Criterion<string> | undefined,
  read: (text: string) => T | undefined,
): Criterion<T> | undefined {
  if (given === undefined) return undefined;
  const value = read(given.value);
  if (value !== undefined) return { value, not: given.not };
  if (given.not) throw new SyntaxError(`Cannot use ! "${given.value}": nothing would match`);
  return undefined;
}

function readLink(name: string): string | undefined {
  if (!/^[^\s/]{1,15}$/.test(name)) throw new SyntaxError(`Cannot use "${name}" as a link`);
  return name === '+' ? undefined : name;
}
