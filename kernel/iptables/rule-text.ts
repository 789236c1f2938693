// Prints rules as iptables-save does (nft and legacy agree), so that what is wanted and what is there compare as text.
import type { IpAddress } from '../../net/address.ts';
import { protocolName } from '../nft/value-text.ts';
import type { Criterion, Match, PortRange, RecentMatch, Rule, Target } from './rule.ts';
import { hex, quotedWord } from './words.ts';

/** "-A CHAIN …". */
export function ruleLine(chain: string, rule: Rule): string {
  const text = ruleText(rule);
  return text === '' ? `-A ${chain}` : `-A ${chain} ${text}`;
}

/** Rules are values: each is printed once. The fake compares them by their text. */
const texts = new WeakMap<Rule, string>();

/** What stands after "-A CHAIN"; "" for a rule that matches everything and does nothing. */
export function ruleText(rule: Rule): string {
  const text = texts.get(rule) ?? printed(rule);
  texts.set(rule, text);
  return text;
}

function printed(rule: Rule): string {
  return [
    option('-s', rule.source, String),
    option('-d', rule.destination, String),
    option('-i', rule.inLink, String),
    option('-o', rule.outLink, String),
    option('-p', rule.protocol, protocolName),
    ...rule.matches.map(matchText),
    rule.target === undefined ? '' : targetText(rule.target),
  ]
    .filter((part) => part !== '')
    .join(' ');
}

function matchText(match: Match): string {
  switch (match.kind) {
    case 'ports':
      return words(
        `-m ${match.protocol}`,
        option('--sport', match.source, portsText),
        option('--dport', match.destination, portsText),
      );
    case 'comment':
      return `-m comment --comment ${quotedWord(match.text)}`;
    case 'conntrack':
      return words(
        '-m conntrack',
        option('--ctstate', match.states, (states) => states.join(',')),
        option('--ctorigdstport', match.originalPort, portsText),
      );
    case 'mark': {
      const mask = match.mask === 0xffffffff ? '' : `/${hex(match.mask)}`;
      return words('-m mark', match.not ? '!' : '', `--mark ${hex(match.value)}${mask}`);
    }
    case 'addrtype':
      return words(
        '-m addrtype',
        option('--src-type', match.source, (types) => types.join(',')),
        option('--dst-type', match.destination, (types) => types.join(',')),
      );
    case 'statistic':
      return words(
        '-m statistic --mode random',
        match.not ? '!' : '',
        `--probability ${(match.parts / 2 ** 31).toFixed(11)}`,
      );
    case 'recent':
      return recentText(match);
    case 'set':
      return words('-m set', match.not ? '!' : '', `--match-set ${match.name} ${match.directions.join(',')}`);
    case 'physdev':
      return words('-m physdev', match.not ? '!' : '', '--physdev-is-in');
    case 'ipvs':
      return words(
        '-m ipvs',
        option('--ipvs', match.isIpvs, () => ''),
        option('--vproto', match.protocol, String),
        option('--vaddr', match.address, ({ address, length, bits }) =>
          length === bits ? `${address}` : `${address}/${length}`,
        ),
        option('--vport', match.port, String),
      );
    default:
      return match satisfies never;
  }
}

function recentText({ action, not, seconds, reap, list, mask, side }: RecentMatch): string {
  return words(
    '-m recent',
    not ? '!' : '',
    `--${action}`,
    seconds === undefined ? '' : `--seconds ${seconds}`,
    reap ? '--reap' : '',
    `--name ${list} --mask ${mask} ${side === 'source' ? '--rsource' : '--rdest'}`,
  );
}

function targetText(target: Target): string {
  switch (target.kind) {
    case 'verdict':
      return `-j ${target.verdict}`;
    case 'reject':
      return `-j REJECT --reject-with ${target.with}`;
    case 'mark':
      return `-j MARK --set-xmark ${hex(target.value)}/${hex(target.mask)}`;
    case 'masquerade':
      return words('-j MASQUERADE', target.randomFully ? '--random-fully' : '');
    case 'dnat':
      return `-j DNAT --to-destination ${endText(target.address, target.port)}`;
    case 'netmap':
      return `-j NETMAP --to ${target.prefix}`;
    case 'jump':
      return `-j ${target.chain}`;
    case 'goto':
      return `-g ${target.chain}`;
    default:
      return target satisfies never;
  }
}

function endText(address: IpAddress, port: number | undefined): string {
  if (port === undefined) return `${address}`;
  return address.family === 4 ? `${address}:${port}` : `[${address}]:${port}`;
}

function option<T>(name: string, criterion: Criterion<T> | undefined, text: (value: T) => string): string {
  if (criterion === undefined) return '';
  return words(criterion.not ? '!' : '', name, text(criterion.value));
}

function portsText({ first, last }: PortRange): string {
  return first === last ? `${first}` : `${first}:${last}`;
}

function words(...all: readonly string[]): string {
  return all.filter((word) => word !== '').join(' ');
}
