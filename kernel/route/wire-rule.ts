// Policy routing rules as rtnetlink messages (struct fib_rule_hdr, FRA_* of linux/fib_rules.h).
import { IpAddress } from '../../net/address.ts';
import { Prefix } from '../../net/prefix.ts';
import { at, attributeTable } from '../netlink/attribute-table.ts';
import { type ByteReader, type ByteWriter, DecodeError } from '../netlink/bytes.ts';
import { ipAddress, text, u8, u32 } from '../netlink/codec.ts';
import type { Rule } from './objects.ts';
import { decoded, familyNumber, familyOf, messageOf, numbered, ruleHeader } from './rtnetlink.ts';

const actions = numbered({
  lookup: 1,
  blackhole: 6,
  unreachable: 7,
  prohibit: 8,
  // FR_ACT_UNSPEC: read for goto and nop, never written.
  other: 0,
} satisfies Record<Rule['action'], number>);

export const ruleMessage = messageOf(
  ruleHeader,
  attributeTable({
    FRA_DST: at(1, ipAddress),
    FRA_SRC: at(2, ipAddress),
    FRA_IIFNAME: at(3, text),
    FRA_PRIORITY: at(6, u32),
    FRA_FWMARK: at(10, u32),
    FRA_TABLE: at(15, u32),
    FRA_FWMASK: at(16, u32),
    FRA_PROTOCOL: at(21, u8),
  }),
);

/** Body of RTM_NEWRULE and RTM_DELRULE. */
export function writeRule(out: ByteWriter, rule: Rule): void {
  if (rule.action === 'other') throw new TypeError('Cannot encode a rule with an action that is not known');
  const { source, destination, mark } = rule;
  ruleMessage.write(out, {
    header: {
      family: familyNumber(rule.family),
      destinationLength: destination?.length ?? 0,
      sourceLength: source?.length ?? 0,
      tos: 0,
      table: rule.table < 256 ? rule.table : 0,
      action: actions.numberOf(rule.action),
      flags: 0,
    },
    attributes: {
      FRA_DST: destination?.address,
      FRA_SRC: source?.address,
      FRA_IIFNAME: rule.inputLink,
      FRA_PRIORITY: rule.priority,
      FRA_FWMARK: mark,
      FRA_TABLE: rule.table,
      FRA_FWMASK: mark === undefined ? undefined : (rule.markMask ?? 0xffffffff),
      FRA_PROTOCOL: rule.protocol,
    },
  });
}

/** Body of RTM_GETRULE that dumps a family. */
export function writeRuleDump(out: ByteWriter, family: 4 | 6): void {
  ruleMessage.write(out, {
    header: {
      family: familyNumber(family),
      destinationLength: 0,
      sourceLength: 0,
      tos: 0,
      table: 0,
      action: 0,
      flags: 0,
    },
    attributes: {},
  });
}

/** Undefined for a family that is not ours. */
export function readRule(input: ByteReader): Rule | undefined {
  const { header, attributes } = ruleMessage.read(input);
  const family = familyOf(header.family);
  if (family === undefined) return undefined;
  const mark = attributes.FRA_FWMARK;
  return {
    family,
    priority: attributes.FRA_PRIORITY ?? 0,
    source: prefix(attributes.FRA_SRC, { family, length: header.sourceLength }),
    destination: prefix(attributes.FRA_DST, { family, length: header.destinationLength }),
    mark: mark === undefined && attributes.FRA_FWMASK !== undefined ? 0 : mark,
    markMask: attributes.FRA_FWMASK,
    inputLink: attributes.FRA_IIFNAME,
    table: attributes.FRA_TABLE ?? header.table,
    protocol: attributes.FRA_PROTOCOL ?? 0,
    action: actions.nameOf(header.action) ?? 'other',
  };
}

/** The kernel leaves the address out of "all". */
function prefix(
  address: IpAddress | undefined,
  options: { readonly family: 4 | 6; readonly length: number },
): Prefix | undefined {
  if (address === undefined && options.length === 0) return undefined;
  const value = address ?? IpAddress.fromBigInt(options.family, 0n);
  if (value.family !== options.family)
    throw new DecodeError(`Cannot read a rule: ${value} is of another family`);
  return decoded('rule', () => new Prefix(value, options.length));
}
