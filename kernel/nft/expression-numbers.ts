// The numbers of the kernel's expressions (linux/netfilter/nf_tables.h, nf_nat.h, nfnetlink.h) by our names; of lists the place is
// the number.
import type {
  Comparison,
  CtDirection,
  FibSelector,
  LimitUnit,
  LogLevel,
  NatFlag,
  PayloadBase,
} from './expressions.ts';

export const payloadBases = [
  'link',
  'network',
  'transport',
  'inner',
] as const satisfies readonly PayloadBase[];
export const comparisons = ['eq', 'neq', 'lt', 'lte', 'gt', 'gte'] as const satisfies readonly Comparison[];
export const directions = ['original', 'reply'] as const satisfies readonly CtDirection[];
export const rejectTypes = ['icmp', 'tcp reset', 'icmpx'] as const;
export const fibResults = ['oif', 'oifname', 'type'] as const;
export const dynsetOps = ['add', 'update', 'delete'] as const;
export const objectTypes = { counter: 1, quota: 2, limit: 4 } as const;
export const logLevels = [
  'emerg',
  'alert',
  'crit',
  'err',
  'warn',
  'notice',
  'info',
  'debug',
  'audit',
] as const satisfies readonly LogLevel[];
export const fibBits = { saddr: 1, daddr: 2, mark: 4, iif: 8, oif: 16 } as const satisfies Record<
  FibSelector,
  number
>;
export const fibPresent = 32;
/** NF_NAT_RANGE_* */
export const natBits = { random: 4, persistent: 8, 'fully-random': 16, netmap: 64 } as const satisfies Record<
  NatFlag,
  number
>;
export const natProtoSpecified = 2;
export const unitSeconds = {
  second: 1,
  minute: 60,
  hour: 3600,
  day: 86400,
  week: 604800,
} as const satisfies Record<LimitUnit, number>;
/** LOGLEVEL_WARNING: what the kernel takes when none is given. */
export const defaultLevel = 'warn';
export const NFPROTO_IPV4 = 2;
export const NFPROTO_IPV6 = 10;
export const NFT_EXTHDR_OP_TCPOPT = 1;
