// Qdiscs and redirects as rtnetlink messages (struct tcmsg of linux/rtnetlink.h, linux/pkt_sched.h, pkt_cls.h, tc_act/tc_mirred.h).
import { at, attributeTable, nest, nestBy } from '../netlink/attribute-table.ts';
import type { ByteReader, ByteWriter } from '../netlink/bytes.ts';
import { be32, bytes, type Codec, i32, padding, struct, text, u8, u16, u32, u64 } from '../netlink/codec.ts';
import { type LinkIndexes, type LinkNames, messageOf } from '../route/rtnetlink.ts';
import { burstBytes, burstTicks } from './bucket-clock.ts';
import {
  type OwnQdisc,
  type Qdisc,
  type QdiscPlace,
  qdiscPlace,
  type Redirect,
  type TokenBucket,
} from './objects.ts';

const TC_H_ROOT = 0xffffffff;
const TC_H_INGRESS = 0xfffffff1;
/** "1:", of our token buckets; "ffff:", of every ingress hook. */
const rootHandle = 0x10000;
const ingressHandle = 0xffff0000;

const TC_LINKLAYER_ETHERNET = 1;
const TC_U32_TERMINAL = 1;
const TC_ACT_STOLEN = 4;
const TCA_EGRESS_REDIR = 1;
/** Preference 1, and ETH_P_ALL in network order. */
const redirectInfo = 0x00010300;
const mostU32 = 0xffffffff;

const tcmsg = struct({ family: u8, _pad: padding(3), index: i32, handle: u32, parent: u32, info: u32 });

const rateSpec = struct({
  cellLog: u8,
  linkLayer: u8,
  overhead: u16,
  cellAlign: u16,
  mpu: u16,
  rate: u32,
});
const noRate = { cellLog: 0, linkLayer: 0, overhead: 0, cellAlign: 0, mpu: 0, rate: 0 };

const tbfOptions = attributeTable({
  TCA_TBF_PARMS: at(1, struct({ rate: rateSpec, peakRate: rateSpec, limit: u32, buffer: u32, mtu: u32 })),
  TCA_TBF_RATE64: at(4, u64),
  TCA_TBF_BURST: at(6, u32),
});

interface U32Key {
  readonly mask: number;
  readonly value: number;
}

const selectorHeader = struct({
  flags: u8,
  _offset: padding(1),
  keys: u8,
  _rest: padding(13),
});
const selectorKey = struct({ mask: be32, value: be32, _offset: padding(8) });

/** struct tc_u32_sel, but for what finds a header that is not at a fixed place. */
const selector: Codec<{ readonly flags: number; readonly keys: readonly U32Key[] }> = {
  write(out, { flags, keys }) {
    selectorHeader.write(out, { flags, keys: keys.length });
    for (const key of keys) selectorKey.write(out, key);
  },
  read(input) {
    const { flags, keys } = selectorHeader.read(input);
    return { flags, keys: Array.from({ length: keys }, () => selectorKey.read(input)) };
  },
};

const mirredOptions = attributeTable({
  TCA_MIRRED_PARMS: at(
    2,
    struct({
      number: u32,
      capabilities: u32,
      verdict: i32,
      references: i32,
      bindings: i32,
      action: i32,
      index: u32,
    }),
  ),
});

const action = attributeTable({
  TCA_ACT_KIND: at(1, text),
  TCA_ACT_OPTIONS: nestBy(2, { sibling: 'TCA_ACT_KIND', codecs: { mirred: mirredOptions } }),
});

const u32Options = attributeTable({
  TCA_U32_SEL: at(5, selector),
  // Actions are numbered from 1 in the order in which they are taken; ours is the only one.
  TCA_U32_ACT: nest(7, attributeTable({ first: nest(1, action, { unmarked: true }), second: at(2, bytes) }), {
    unmarked: true,
  }),
});

const tcMessage = messageOf(
  tcmsg,
  attributeTable({
    TCA_KIND: at(1, text),
    TCA_OPTIONS: {
      ...nestBy(2, { sibling: 'TCA_KIND', codecs: { tbf: tbfOptions, u32: u32Options } }),
      // The header does not say "nested": so does `tc`, and kernels before 5.2 do not know the bit.
      nested: false,
    },
  }),
);

const parents: Readonly<Record<QdiscPlace, number>> = { root: TC_H_ROOT, ingress: TC_H_INGRESS };

function ownHeader(qdisc: OwnQdisc, links: LinkIndexes) {
  return {
    family: 0,
    index: links.indexOf(qdisc.link),
    handle: qdisc.kind === 'tbf' ? rootHandle : ingressHandle,
    parent: parents[qdiscPlace(qdisc)],
    info: 0,
  };
}

/** Body of RTM_NEWQDISC. Throws KernelError when the link is not there. */
export function writeQdisc(out: ByteWriter, qdisc: OwnQdisc, links: LinkIndexes): void {
  tcMessage.write(out, {
    header: ownHeader(qdisc, links),
    attributes: {
      TCA_KIND: qdisc.kind,
      TCA_OPTIONS: qdisc.kind === 'tbf' ? bucketOptions(qdisc) : undefined,
    },
  });
}

/** Body of RTM_DELQDISC. It names the handle: a stranger's in the same place is refused. */
export function writeQdiscDelete(out: ByteWriter, qdisc: OwnQdisc, links: LinkIndexes): void {
  tcMessage.write(out, { header: ownHeader(qdisc, links), attributes: { TCA_KIND: qdisc.kind } });
}

/**
 * No rate table: kernels since 3.8 compute the times, and only look into one for the link layer when it is not named. The ticks are
 * for kernels before 3.14, which know no TCA_TBF_BURST.
 */
function bucketOptions(bucket: TokenBucket) {
  const { rate, burst, limit } = bucket;
  return {
    TCA_TBF_PARMS: {
      rate: { ...noRate, linkLayer: TC_LINKLAYER_ETHERNET, rate: Math.min(rate, mostU32) },
      peakRate: noRate,
      limit,
      buffer: Math.min(burstTicks(bucket), mostU32),
      mtu: 0,
    },
    TCA_TBF_RATE64: rate > mostU32 ? BigInt(rate) : undefined,
    TCA_TBF_BURST: burst,
  };
}

/** Body of RTM_GETQDISC. */
export function writeQdiscQuery(
  out: ByteWriter,
  { link, place }: { readonly link: string; readonly place: QdiscPlace },
  links: LinkIndexes,
): void {
  const index = links.indexOf(link);
  tcMessage.write(out, {
    header: { family: 0, index, handle: 0, parent: parents[place], info: 0 },
    attributes: {},
  });
}

/** Reads RTM_NEWQDISC. Undefined for one that the kernel put there by itself (its handle is zero). */
export function readQdisc(input: ByteReader, link: string): Qdisc | undefined {
  const { header: message, attributes } = tcMessage.read(input);
  const { TCA_KIND: type = '', TCA_OPTIONS: options } = attributes;
  const place = message.parent === TC_H_ROOT ? 'root' : 'ingress';
  if (message.handle === 0) return undefined;
  if (type === 'ingress' && place === 'ingress') return { kind: 'ingress', link };
  if (type !== 'tbf' || message.handle !== rootHandle || options === undefined)
    return { kind: 'other', link, place, type };
  const { TCA_TBF_PARMS: parameters, TCA_TBF_RATE64: rate64 } = 'TCA_TBF_PARMS' in options ? options : {};
  if (parameters === undefined) return { kind: 'other', link, place, type };
  const rate = rate64 === undefined ? parameters.rate.rate : Number(rate64);
  const burst = burstBytes({ rate, ticks: parameters.buffer });
  return { kind: 'tbf', link, rate, burst, limit: parameters.limit };
}

function filterHeader(index: number, info: number) {
  return { family: 0, index, handle: 0, parent: ingressHandle, info };
}

/** Body of RTM_NEWTFILTER: u32, because kernels without matchall have it. */
export function writeRedirect(out: ByteWriter, redirect: Redirect, links: LinkIndexes): void {
  const index = links.indexOf(redirect.link);
  const to = links.indexOf(redirect.to);
  tcMessage.write(out, {
    header: filterHeader(index, redirectInfo),
    attributes: {
      TCA_KIND: 'u32',
      TCA_OPTIONS: {
        TCA_U32_SEL: { flags: TC_U32_TERMINAL, keys: [{ mask: 0, value: 0 }] },
        TCA_U32_ACT: { first: redirectTo(to) },
      },
    },
  });
}

function redirectTo(index: number) {
  return {
    TCA_ACT_KIND: 'mirred',
    TCA_ACT_OPTIONS: {
      TCA_MIRRED_PARMS: {
        number: 0,
        capabilities: 0,
        verdict: TC_ACT_STOLEN,
        references: 0,
        bindings: 0,
        action: TCA_EGRESS_REDIR,
        index,
      },
    },
  };
}

/** Body of RTM_DELTFILTER: all filters of the preference. */
export function writeRedirectDelete(out: ByteWriter, { link }: Redirect, links: LinkIndexes): void {
  const index = links.indexOf(link);
  tcMessage.write(out, { header: filterHeader(index, redirectInfo), attributes: {} });
}

/** Body of RTM_GETTFILTER that dumps what hangs on a link's ingress hook. */
export function writeFilterDump(out: ByteWriter, link: string, links: LinkIndexes): void {
  const index = links.indexOf(link);
  tcMessage.write(out, { header: filterHeader(index, 0), attributes: {} });
}

/** Reads RTM_NEWTFILTER. Undefined for any filter that is not such a redirect. */
export function readRedirect(
  input: ByteReader,
  { link, names }: { readonly link: string; readonly names: LinkNames },
): Redirect | undefined {
  const { header: message, attributes } = tcMessage.read(input);
  const { TCA_KIND: type, TCA_OPTIONS: options } = attributes;
  if (type !== 'u32' || message.info !== redirectInfo || options === undefined) return undefined;
  const { TCA_U32_SEL: sel, TCA_U32_ACT: acts } = 'TCA_U32_SEL' in options ? options : {};
  const mirred = acts?.second === undefined ? acts?.first?.TCA_ACT_OPTIONS?.TCA_MIRRED_PARMS : undefined;
  const takesAll = sel?.keys.every(({ mask }) => mask === 0) === true;
  if (!takesAll || mirred?.action !== TCA_EGRESS_REDIR || mirred.verdict !== TC_ACT_STOLEN) return undefined;
  return { link, to: mirred.index === 0 ? '' : (names.nameOf(mirred.index) ?? '') };
}
