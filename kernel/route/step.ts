// The steps of a plan for rtnetlink: data that can be printed, counted and executed. Who computes them is plan.ts.
import type {
  BridgePort,
  FdbEntry,
  InterfaceAddress,
  Link,
  Neighbour,
  PortVlan,
  Route,
  RouteState,
  Rule,
} from './objects.ts';

/** `*-set` adds or replaces. A link of other parameters than wanted is deleted and added. */
export type RouteStep =
  | { readonly kind: 'link-add'; readonly link: Link }
  | { readonly kind: 'link-set'; readonly link: Link; readonly was: Link }
  | { readonly kind: 'link-delete'; readonly link: Link }
  | { readonly kind: 'port-set'; readonly port: BridgePort }
  | ({ readonly kind: 'vlan-set' } & VlanChange)
  | ({ readonly kind: 'vlan-delete' } & VlanChange)
  | { readonly kind: 'address-add'; readonly address: InterfaceAddress }
  | { readonly kind: 'address-delete'; readonly address: InterfaceAddress }
  | { readonly kind: 'neighbour-set'; readonly neighbour: Neighbour }
  | { readonly kind: 'neighbour-delete'; readonly neighbour: Neighbour }
  | { readonly kind: 'fdb-set'; readonly entry: FdbEntry }
  | { readonly kind: 'fdb-delete'; readonly entry: FdbEntry }
  | { readonly kind: 'route-set'; readonly route: Route }
  | { readonly kind: 'route-delete'; readonly route: Route }
  | { readonly kind: 'rule-add'; readonly rule: Rule }
  | { readonly kind: 'rule-delete'; readonly rule: Rule };

/** VLANs that a port of a bridge joins or leaves. */
export interface VlanChange {
  readonly link: string;
  readonly vlan: PortVlan;
  /** The link is the bridge itself: a member of the VLANs in which the node can be reached. */
  readonly self: boolean;
}

/** What Netloom owns in a namespace: a plan deletes only what lies inside. */
export interface RouteScope {
  /** Links that Netloom makes; one that is not wanted any more is deleted. */
  readonly links: ReadonlySet<string>;
  /** Links whose addresses are all ours (bridge, VXLAN devices). IPv6 link-local addresses of the kernel are left alone. */
  readonly addressesOn: ReadonlySet<string>;
  /** Links whose permanent neighbours are all ours. */
  readonly neighboursOn: ReadonlySet<string>;
  /** Links whose own FDB rows (NTF_SELF, permanent) are all ours. */
  readonly fdbOn: ReadonlySet<string>;
  /** Routes and rules with this protocol are ours. */
  readonly protocol: number;
  /** Keys of routes that are ours too, whatever their protocol: taken over from somebody else. */
  readonly routes?: ReadonlySet<string> | undefined;
}

/** What became of a step: no error is success. ENOENT and the like on a delete, EEXIST of an equal object, are success. */
export interface StepResult {
  readonly step: RouteStep;
  readonly error?: Error | undefined;
}

/** Access to one namespace's rtnetlink state: the kernel's, or a fake with the kernel's rules. */
export interface RouteDriver {
  /** Reads all objects of the namespace (routes of the tables main and default and of any other, rules of both families). */
  read(): RouteState;
  /** Executes the steps in order, as many as can be; never retries. */
  apply(steps: readonly RouteStep[]): readonly StepResult[];
  close(): void;
}
