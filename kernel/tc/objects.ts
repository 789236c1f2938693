// Traffic control as values: how a link queues what it sends, and to which link it hands what it receives. What is and what should be
// have the same types. Only the kinds that Netloom uses; anything else is named and left alone.

/** A token bucket (tc-tbf(8)) as the root qdisc of a link, with the handle 1: by which Netloom knows its own. */
export interface TokenBucket {
  readonly kind: 'tbf';
  readonly link: string;
  /** Bytes a second. */
  readonly rate: number;
  /** Bytes that may go at once. The kernel counts them in time: what is read is a few bytes less than what was asked. */
  readonly burst: number;
  /** Bytes that may wait; what comes on top is dropped. */
  readonly limit: number;
}

/** The place where filters meet what a link receives (qdisc "ingress", ffff:). It queues nothing. */
export interface IngressHook {
  readonly kind: 'ingress';
  readonly link: string;
}

/** Somebody else's qdisc in a place where ours would be. Never made by us; the kernel's default one is not among them. */
export interface ForeignQdisc {
  readonly kind: 'other';
  readonly link: string;
  readonly place: QdiscPlace;
  /** What the kernel calls it: "fq_codel", "clsact". */
  readonly type: string;
}

export type QdiscPlace = 'root' | 'ingress';
export type OwnQdisc = TokenBucket | IngressHook;
export type Qdisc = OwnQdisc | ForeignQdisc;

/** All that `link` receives goes out by `to` (and, of an ifb, comes back and goes its way). Needs the link's ingress hook. */
export interface Redirect {
  readonly link: string;
  /** "" when the link that it led to is gone: everything is dropped then. */
  readonly to: string;
}

/** Traffic control of some links, keyed by the functions of this file. */
export interface TcState {
  readonly qdiscs: ReadonlyMap<string, Qdisc>;
  readonly redirects: ReadonlyMap<string, Redirect>;
}

export function qdiscPlace(qdisc: Qdisc): QdiscPlace {
  switch (qdisc.kind) {
    case 'tbf':
      return 'root';
    case 'ingress':
      return 'ingress';
    case 'other':
      return qdisc.place;
    default:
      return qdisc satisfies never;
  }
}

export function qdiscKey(qdisc: Qdisc): string {
  return `${qdisc.link} ${qdiscPlace(qdisc)}`;
}

export function redirectKey(redirect: Redirect): string {
  return redirect.link;
}

export function tcState(objects: {
  readonly qdiscs?: readonly Qdisc[];
  readonly redirects?: readonly Redirect[];
}): TcState {
  const { qdiscs = [], redirects = [] } = objects;
  return {
    qdiscs: new Map(qdiscs.map((qdisc) => [qdiscKey(qdisc), qdisc])),
    redirects: new Map(redirects.map((redirect) => [redirectKey(redirect), redirect])),
  };
}
