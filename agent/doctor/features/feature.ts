// A feature of the kernel or a program that Netloom may need, and what came of the search for it: values. What looks is in the other
// files of this folder; nothing is told by a version.
import type { Netns } from '../../../kernel/netns.ts';

export const featureGroups = ['Links', 'nftables', 'iptables', 'IPVS', 'Other'] as const;
export type FeatureGroup = (typeof featureGroups)[number];

/** What needs a feature. */
export type Use =
  /** Every node. */
  | { readonly kind: 'node' }
  | { readonly kind: 'backend'; readonly name: string }
  | { readonly kind: 'masquerade'; readonly name: string }
  | { readonly kind: 'proxy-mode'; readonly name: string }
  /** What few pods or services ask for, in words. */
  | { readonly kind: 'some'; readonly name: string };

/** What is set on this node. */
export interface NodeSetup {
  /** Undefined: there is no network configuration yet. */
  readonly backend: string | undefined;
  readonly masquerade: string;
  /** Undefined: no proxy of ours. */
  readonly proxyMode: string | undefined;
}

/** Where a feature is tried. */
export interface ProbeRoom {
  /** Empty, made for this one probe, and gone after it. */
  readonly netns: Netns;
  /** Aborts when it takes too long. */
  readonly signal: AbortSignal;
}

export interface Feature {
  /** For scripts: "ip6tables-nft". */
  readonly name: string;
  readonly group: FeatureGroup;
  /** For people: "bridges with VLANs". */
  readonly title: string;
  readonly uses: readonly Use[];
  /** Kernel modules that bring it; the first that is not in use is told. */
  readonly modules?: readonly string[];
  /** Debian package of the program that it takes. */
  readonly package?: string;
  /** What to do, where neither module nor package says it. */
  readonly remedy?: string;
  /** Throws what says why not. */
  probe(room: ProbeRoom): void | Promise<void>;
}

/** `unknown`: it could not be tried. */
export type FeatureState = 'yes' | 'no' | 'unknown';

export interface FeatureAnswer {
  readonly name: string;
  readonly group: FeatureGroup;
  readonly title: string;
  readonly uses: readonly Use[];
  readonly state: FeatureState;
  /** Why it is not `yes`, in the kernel's or program's words; "" for yes. */
  readonly why: string;
  /** What to do about it; "" for yes. */
  readonly remedy: string;
}

export function useText(use: Use): string {
  switch (use.kind) {
    case 'node':
      return 'every node';
    case 'backend':
      return `backend ${use.name}`;
    case 'masquerade':
      return `masquerade ${use.name}`;
    case 'proxy-mode':
      return `proxy mode ${use.name}`;
    case 'some':
      return use.name;
    default:
      return use satisfies never;
  }
}

const kindWords: Readonly<Record<Use['kind'], string>> = {
  node: '',
  backend: 'backend ',
  masquerade: 'masquerade ',
  'proxy-mode': 'proxy mode ',
  some: '',
};

/** "masquerade iptables, proxy mode iptables or ipvs". */
export function usesText(uses: readonly Use[]): string {
  const names = new Map<Use['kind'], string[]>();
  for (const use of uses) {
    const name = use.kind === 'node' ? useText(use) : use.name;
    names.set(use.kind, [...(names.get(use.kind) ?? []), name]);
  }
  return [...names].map(([kind, some]) => `${kindWords[kind]}${some.join(' or ')}`).join(', ');
}

/** Whether the node cannot do without. */
export function isNeededBy(use: Use, setup: NodeSetup): boolean {
  switch (use.kind) {
    case 'node':
      return true;
    case 'backend':
      return use.name === setup.backend;
    case 'masquerade':
      return use.name === setup.masquerade;
    case 'proxy-mode':
      return use.name === setup.proxyMode;
    case 'some':
      return false;
    default:
      return use satisfies never;
  }
}
