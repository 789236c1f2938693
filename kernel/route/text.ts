// Objects and steps of rtnetlink in the operator's language: as `ip` and `bridge` of iproute2 take and print them.
import { basename } from 'node:path';
import { linkChanges } from './link-changes.ts';
import type {
  BridgePort,
  FdbEntry,
  InterfaceAddress,
  Link,
  LinkDetail,
  Neighbour,
  NextHop,
  Route,
  Rule,
} from './objects.ts';
import type { RouteStep, VlanChange } from './step.ts';

const mainTable = 254;

/** Names of rt_protos that iproute2 knows everywhere; others are numbers. */
const protocols: ReadonlyMap<number, string> = new Map([
  [1, 'redirect'],
  [2, 'kernel'],
  [3, 'boot'],
  [4, 'static'],
  [9, 'ra'],
  [16, 'dhcp'],
]);

const tables: ReadonlyMap<number, string> = new Map([
  [253, 'default'],
  [254, 'main'],
  [255, 'local'],
]);

function words(...parts: readonly (string | undefined | false)[]): string {
  return parts.filter((part) => part !== undefined && part !== false && part !== '').join(' ');
}

/** `flag("mtu", 1450)`: "mtu 1450"; nothing without a value. */
function option(name: string, value: { toString(): string } | undefined): string | undefined {
  return value === undefined ? undefined : `${name} ${value}`;
}

function toggle(name: string, value: boolean | undefined): string | undefined {
  return option(name, value === undefined ? undefined : value ? 'on' : 'off');
}

/** "flannel.1 mtu 1450 up type vxlan id 1 ..." */
export function linkText(link: Link): string {
  return words(link.name, linkOptions(atCreation(link)), `type ${detailText(link.detail)}`);
}

/** Off is how a link begins: it needs no word. */
function atCreation(link: Link): Link {
  return { ...link, promiscuous: link.promiscuous === true ? true : undefined };
}

function linkOptions(link: Partial<Link>): string {
  return words(
    option('txqueuelen', link.txQueueLength),
    option('address', link.mac),
    option('mtu', link.mtu),
    link.master === undefined ? undefined : link.master === '' ? 'nomaster' : `master ${link.master}`,
    link.alias === undefined ? undefined : `alias ${JSON.stringify(link.alias)}`,
    toggle('promisc', link.promiscuous),
    link.up === undefined ? undefined : link.up ? 'up' : 'down',
  );
}

function detailText(detail: LinkDetail): string {
  switch (detail.kind) {
    case 'veth':
      return detail.peer === undefined ? 'veth' : `veth peer ${peerText(detail.peer)}`;
    case 'vxlan':
      return words(
        `vxlan id ${detail.vni}`,
        option('local', detail.local),
        option('dev', detail.underlay),
        `dstport ${detail.port}`,
        detail.learning ? 'learning' : 'nolearning',
        detail.gbp === true && 'gbp',
      );
    case 'ipip':
      return words('ipip', option('local', detail.local), option('remote', detail.remote));
    case 'bridge':
      return words('bridge', detail.vlanFiltering === true && 'vlan_filtering 1');
    case 'other':
      return detail.type === '' ? 'physical' : detail.type;
    case 'tun':
    case 'ifb':
    case 'dummy':
    case 'wireguard':
      return detail.kind;
    default:
      return detail satisfies never;
  }
}

type Peer = NonNullable<Extract<LinkDetail, { kind: 'veth' }>['peer']>;

function peerText(peer: Peer): string {
  return words(
    `name ${peer.name}`,
    option('address', peer.mac),
    option('mtu', peer.mtu),
    peer.netns &&
      `netns ${peer.netns.path.startsWith('/run/netns/') ? basename(peer.netns.path) : peer.netns.path}`,
  );
}

/** "dev veth0 hairpin on isolated off" */
export function portText(port: BridgePort): string {
  return words(
    `dev ${port.link}`,
    toggle('hairpin', port.hairpin),
    toggle('isolated', port.isolated),
    toggle('learning', port.learning),
  );
}

/** "dev veth0 vid 10-12 untagged" */
export function vlanText({ link, vlan, self }: VlanChange): string {
  const { first, last, pvid, untagged } = vlan;
  return words(
    `dev ${link} vid ${first === last ? first : `${first}-${last}`}`,
    pvid && 'pvid',
    untagged && 'untagged',
    self && 'self',
  );
}

/** "10.1.2.1/24 brd 10.1.2.255 scope link dev cni0" */
export function addressText(address: InterfaceAddress): string {
  const { scope } = address;
  return words(
    `${address.prefix}`,
    option('brd', address.broadcast),
    scope !== undefined && scope !== 'global' && `scope ${scope}`,
    `dev ${address.link}`,
    address.noDad === true && 'nodad',
  );
}

/** "10.1.2.0 lladdr aa:bb:cc:dd:ee:ff dev flannel.1 nud permanent" */
export function neighbourText(neighbour: Neighbour): string {
  const { address, mac, link, state } = neighbour;
  return words(`${address}`, option('lladdr', mac), `dev ${link} nud ${state}`);
}

/** "aa:bb:cc:dd:ee:ff dev flannel.1 dst 192.0.2.2 self permanent" */
export function fdbText(entry: FdbEntry): string {
  return words(
    `${entry.mac} dev ${entry.link}`,
    option('dst', entry.remote),
    entry.self ? 'self' : 'master',
    // `bridge` calls NUD_NOARP "static" and a learned row nothing or "dynamic".
    entry.state === 'noarp' ? 'static' : entry.state,
  );
}

/** "10.1.2.0/24 via 10.1.2.0 dev flannel.1 onlink proto 78" */
export function routeText(route: Route): string {
  const { destination, hops, type, scope, mtu, advmss } = route;
  const [only] = hops;
  const many = hops.length > 1;
  return words(
    type !== 'unicast' && type,
    destination.length === 0
      ? 'default'
      : destination.length === destination.bits
        ? `${destination.address}`
        : `${destination}`,
    many || only === undefined ? undefined : hopText(only, destination.family),
    route.table !== mainTable && `table ${tables.get(route.table) ?? route.table}`,
    `proto ${protocols.get(route.protocol) ?? route.protocol}`,
    scope !== undefined && scope !== 'global' && `scope ${scope}`,
    option('src', route.source),
    route.priority !== defaultPriority(route) && `metric ${route.priority}`,
    mtu !== undefined && mtu !== 0 && `mtu ${mtu}`,
    advmss !== undefined && advmss !== 0 && `advmss ${advmss}`,
    ...(many ? hops.map((hop) => `nexthop ${hopText(hop, destination.family)}`) : []),
  );
}

function defaultPriority(route: Route): number {
  return route.destination.family === 4 ? 0 : 1024;
}

function hopText(hop: NextHop, family: 4 | 6): string {
  const { gateway } = hop;
  return words(
    gateway &&
      (gateway.family === family
        ? `via ${gateway}`
        : `via ${gateway.family === 6 ? 'inet6' : 'inet'} ${gateway}`),
    option('dev', hop.link),
    option('weight', hop.weight),
    hop.onlink === true && 'onlink',
  );
}

/** "priority 100 from 10.1.0.0/16 fwmark 0x1/0xff lookup main protocol 78" */
export function ruleText(rule: Rule): string {
  const { mark, markMask } = rule;
  return words(
    `priority ${rule.priority}`,
    `from ${rule.source ?? 'all'}`,
    option('to', rule.destination),
    mark === undefined
      ? undefined
      : `fwmark 0x${mark.toString(16)}${markMask === undefined || markMask === 0xffffffff ? '' : `/0x${markMask.toString(16)}`}`,
    option('iif', rule.inputLink),
    rule.action === 'lookup' ? `lookup ${tables.get(rule.table) ?? rule.table}` : rule.action,
    `protocol ${protocols.get(rule.protocol) ?? rule.protocol}`,
  );
}

function ip(family: 4 | 6): string {
  return family === 4 ? 'ip' : 'ip -6';
}

/** A TUN device takes its options afterwards, any link its alias. */
function addText(link: Link): string {
  const { name, detail, alias } = link;
  const isTun = detail.kind === 'tun';
  const add = isTun
    ? `ip tuntap add dev ${name} mode tun`
    : `ip link add ${linkText({ ...link, alias: undefined })}`;
  const late = linkOptions(isTun ? atCreation(link) : { alias: alias === '' ? undefined : alias });
  return late === '' ? add : `${add} && ip link set ${name} ${late}`;
}

function setText({ name }: Link, changes: Partial<Link>): string {
  const { detail } = changes;
  const filtering = detail?.kind === 'bridge' ? detail.vlanFiltering : undefined;
  return words(
    `ip link set ${name}`,
    linkOptions(changes),
    filtering !== undefined && `type bridge vlan_filtering ${filtering ? 1 : 0}`,
  );
}

/** The step as one command of `ip` or `bridge` that does the same. */
export function routeStepText(step: RouteStep): string {
  switch (step.kind) {
    case 'link-add':
      return addText(step.link);
    case 'link-set':
      return setText(step.link, linkChanges(step.link, step.was));
    case 'link-delete':
      return `ip link delete ${step.link.name}`;
    case 'port-set':
      return `bridge link set ${portText(step.port)}`;
    case 'vlan-set':
      return `bridge vlan add ${vlanText(step)}`;
    case 'vlan-delete':
      return `bridge vlan delete ${vlanText(step)}`;
    case 'address-add':
      return `${ip(step.address.prefix.family)} address add ${addressText(step.address)}`;
    case 'address-delete':
      return `${ip(step.address.prefix.family)} address delete ${step.address.prefix} dev ${step.address.link}`;
    case 'neighbour-set':
      return `${ip(step.neighbour.address.family)} neigh replace ${neighbourText(step.neighbour)}`;
    case 'neighbour-delete':
      return `${ip(step.neighbour.address.family)} neigh delete ${step.neighbour.address} dev ${step.neighbour.link}`;
    case 'fdb-set':
      return `bridge fdb ${step.entry.mac.isZero ? 'append' : 'replace'} ${fdbText(step.entry)}`;
    case 'fdb-delete':
      return `bridge fdb delete ${fdbText(step.entry)}`;
    case 'route-set':
      return `${ip(step.route.destination.family)} route replace ${routeText(step.route)}`;
    case 'route-delete':
      return `${ip(step.route.destination.family)} route delete ${routeText(step.route)}`;
    case 'rule-add':
      return `${ip(step.rule.family)} rule add ${ruleText(step.rule)}`;
    case 'rule-delete':
      return `${ip(step.rule.family)} rule delete ${ruleText(step.rule)}`;
    default:
      return step satisfies never;
  }
}
