// What the doctor looks at, as one value: everything of a node that its checks judge. Gathered by gather-facts.ts.
import type { IptablesFamily } from '../../kernel/iptables/programs.ts';
import type { Link } from '../../kernel/route/objects.ts';
import type { Prefix } from '../../net/prefix.ts';
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
  /** Sysctl -> value, of those that say whether the node forwards. */
  readonly sysctls: ReadonlyMap<string, string>;
}

export interface FilterTable {
  readonly family: IptablesFamily;
  /** "ACCEPT", "DROP". */
  readonly forwardPolicy: string;
  /** As iptables-save has them. */
  readonly rules: readonly string[];
}
