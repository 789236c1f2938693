// What the doctor looks at, as one value: everything of a node that its checks judge. Gathered by gather-facts.ts.
import type { IptablesFamily } from '../../kernel/iptables/programs.ts';
import type { InterfaceAddress, Link, Route } from '../../kernel/route/objects.ts';
import type { Prefix } from '../../net/prefix.ts';
import type { StoreAccess } from '../../store/store-access.ts';
import type { LifeSurvey } from '../ipam/life-survey.ts';
import type { SpoiltRecord } from '../wiring/attachment-record.ts';

export interface NodeFacts {
  /** Milliseconds since 1970. */
  readonly now: number;
  /** Of the networks that are ours. */
  readonly survey: LifeSurvey;
  readonly spoilt: readonly SpoiltRecord[];
  readonly links: readonly Link[];
  /** Names of the links that whoever has a record or an address may have on the node, in any network. */
  readonly claimedLinks: ReadonlySet<string>;
  /** Links that a living pod may need, though nobody claims them: pairs whose other end is up, limiters that a link leads to. */
  readonly usedLinks: ReadonlySet<string>;
  /** Names (attachmentFileName) of those whose rules are in the firewall and that no record has. */
  readonly strayRules: readonly string[];
  readonly leftFiles: readonly LeftFile[];
  readonly queue: readonly LeftFile[];
  readonly conflists: Conflists;
  readonly forwarding: Forwarding;
  readonly surroundings: Surroundings;
}

/** A file that is there for a moment only, when all goes well. */
export interface LeftFile {
  readonly kind: 'temporary' | 'lock' | 'queued' | 'bad';
  readonly path: string;
  /** Milliseconds since 1970. */
  readonly modifiedAt: number;
  /** Somebody has it locked. */
  readonly isHeld: boolean;
}

export interface Conflists {
  readonly directory: string;
  /** The name of ours. */
  readonly own: string;
  /** Those that a runtime reads, sorted as it sorts them. */
  readonly names: readonly string[];
}

export interface Forwarding {
  /** The node's, by its lease; none: it has no lease. */
  readonly podSubnets: readonly Prefix[];
  readonly masquerade: 'nftables' | 'iptables' | 'none';
  /** The table "filter" of each family that iptables has. */
  readonly filters: readonly FilterTable[];
  /** Chains of nftables, others' and not iptables' own, that drop what no rule of theirs accepts on its way through the node. */
  readonly dropping: readonly DroppingChain[];
  /** Sysctl -> value, of those that say whether the node forwards. */
  readonly sysctls: ReadonlyMap<string, string>;
}

export interface FilterTable {
  readonly family: IptablesFamily;
  readonly variant: 'nft' | 'legacy';
  /** The agent's own rules for forwarding stand in it. */
  readonly hasOurs: boolean;
  /** "ACCEPT", "DROP". */
  readonly forwardPolicy: string;
  /** As iptables-save has them. */
  readonly rules: readonly string[];
}

export interface DroppingChain {
  /** "inet firewalld filter_FORWARD". */
  readonly name: string;
  readonly families: readonly IptablesFamily[];
  /** Rules of its table in nft's words; undefined: they cannot be read. */
  readonly rules: readonly string[] | undefined;
}

/** What pods' packets meet of the node beside its firewall. */
export interface Surroundings {
  /** The pods' bridge. */
  readonly bridge: string;
  /** Of all pods of the cluster, by subnet.env; none: the node has no lease. */
  readonly networks: readonly Prefix[];
  /** The pods', by subnet.env. */
  readonly mtu: number | undefined;
  readonly addresses: readonly InterfaceAddress[];
  /** Of table main, made by others. */
  readonly routes: readonly Route[];
  /** Sysctl -> value, of those that are there. */
  readonly sysctls: ReadonlyMap<string, string>;
  /** There is a service proxy of ours. */
  readonly hasProxy: boolean;
  readonly store: StoreFacts;
}

export interface StoreFacts {
  /** The directory's path, or the addresses of the servers. */
  readonly name: string;
  /** Why it cannot be read at all. */
  readonly failure?: string | undefined;
  /** What is wrong in it. */
  readonly problems: readonly { readonly object: string; readonly message: string }[];
  readonly leases: readonly {
    readonly name: string;
    /** Milliseconds since 1970, by its node's clock. */
    readonly renewedAt: number;
  }[];
  /** What stands between this node and it, and the services; none for a directory. */
  readonly access: readonly StoreAccess[];
  /** Of a directory: the file system that it is on, and the options that it is mounted with. */
  readonly mount: { readonly type: string; readonly options: readonly string[] } | undefined;
}
