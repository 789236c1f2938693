// The agent's settings, declared once: flags, environment, file, help and documentation come from this table.
import { hostname } from 'node:os';
import { isAbsolute } from 'node:path';
import { IpAddress } from '../net/address.ts';
import { isInterfaceName } from '../net/names.ts';
import { Prefix } from '../net/prefix.ts';
import { logFormats, logLevels } from '../runtime/log.ts';
import { type SettingsOf, setting, settingsTable } from '../runtime/settings/setting.ts';
import { choice, duration, flag, hostPort, list, parsed, text } from '../runtime/settings/setting-types.ts';
import { leaseStoreSettings, nodeName } from '../store/store-settings.ts';
import { ownBackends } from './own-backend.ts';

const node = 'Node';
const leases = 'Leases';
const underlay = 'Underlay';
const backend = 'Extension';
const pods = 'Pods';
const firewall = 'Masquerading';
const daemon = 'Daemon';

function address(family?: 4 | 6) {
  const expected = family === undefined ? 'an IP address' : `an IPv${family} address`;
  return parsed({
    expected,
    placeholder: 'address',
    parse(input) {
      const value = IpAddress.tryParse(input);
      return family === undefined || value?.family === family ? value : undefined;
    },
  });
}

const prefix = parsed({
  expected: 'a network such as 192.168.0.0/16',
  placeholder: 'network',
  parse: Prefix.tryParse,
});

const pattern = parsed({
  expected: 'a regular expression',
  placeholder: 'pattern',
  parse: (input) => (input === '' ? undefined : new RegExp(input)),
});

const linkName = parsed({
  expected: 'an interface name of 1 to 15 bytes',
  placeholder: 'name',
  parse: (input) => (isInterfaceName(input) ? input : undefined),
});

/** The empty text means "not at all". */
const optionalPath = parsed({
  expected: 'a path, or the empty text',
  placeholder: 'path',
  parse: (input) => input,
});

/** Never looked for on a PATH: an agent runs as root. */
const optionalProgram = parsed({
  expected: 'an absolute path, or the empty text',
  placeholder: 'path',
  parse: (input) => (input === '' || isAbsolute(input) ? input : undefined),
});

/** "host:port", or the empty text for none. */
const optionalHostPort = parsed({
  expected: 'a host and a port such as 127.0.0.1:9090, or the empty text',
  placeholder: 'host:port',
  parse(input) {
    if (input === '') return null;
    const result = hostPort().safeParse(input);
    return result.success ? result.data : undefined;
  },
});

export const agentSettings = settingsTable({
  nodeName: setting(nodeName, {
    group: node,
    default: hostname(),
    defaultWords: 'the host’s name',
    help: 'Name of this node; the same over restarts, unique among the nodes',
  }),
  ...leaseStoreSettings(leases),
  leaseRenewInterval: setting(duration({ min: '1s' }), {
    group: leases,
    default: '1h',
    help: 'Longest time between renewals, up to a quarter less by chance; at most a third of the TTL is used',
  }),
  iface: setting(list(text()), {
    group: underlay,
    default: '',
    help: 'Interfaces between nodes, names or addresses; the first that is there is taken',
  }),
  ifaceRegex: setting(list(pattern), {
    group: underlay,
    default: '',
    help: 'Patterns for the addresses, then the names, of the interface between nodes',
  }),
  ifaceCanReach: setting(address().optional(), {
    group: underlay,
    help: 'Takes the interface that leads to this address',
  }),
  publicIp: setting(address(4).optional(), {
    group: underlay,
    help: "IPv4 address that other nodes reach this one by, if it is not the interface's own",
  }),
  publicIpv6: setting(address(6).optional(), {
    group: underlay,
    help: "IPv6 address that other nodes reach this one by, if it is not the interface's own",
  }),
  backend: setting(choice(ownBackends).optional(), {
    group: backend,
    help: "Backend of this node in place of the network configuration's: for changing a cluster node by node",
  }),
  extensionProgram: setting(optionalProgram, {
    group: backend,
    default: '',
    help: 'Program of backend "extension": hears of this node\'s lease and of every peer as JSON on standard input',
  }),
  extensionArguments: setting(list(text()), {
    group: backend,
    default: '',
    help: 'Arguments of that program before the verb',
  }),
  extensionTimeout: setting(duration({ min: '1s', max: '10m' }), {
    group: backend,
    default: '30s',
    help: 'Longest time that one call of it may take',
  }),
  bridge: setting(linkName, { group: pods, default: 'cni0', help: 'Bridge that pods are attached to' }),
  subnetFile: setting(text(), {
    group: pods,
    placeholder: 'path',
    default: '/run/flannel/subnet.env',
    help: "File that tells CNI plugins the node's subnet, in flannel's format",
  }),
  cniConfDirectory: setting(optionalPath, {
    group: pods,
    default: '/etc/cni/net.d',
    help: 'Directory for the CNI configuration; the empty text installs none',
  }),
  ipamDirectory: setting(text(), {
    group: pods,
    placeholder: 'path',
    default: '/var/lib/cni/networks',
    help: "Directory of pod addresses, in host-local's format",
  }),
  masquerade: setting(choice(['nftables', 'iptables', 'none']), {
    group: firewall,
    default: 'nftables',
    help: "How pods get the node's address towards the outside",
  }),
  masqueradeExclude: setting(list(prefix), {
    group: firewall,
    default: '',
    help: "Networks outside that see the pods' own addresses",
  }),
  masqueradeRandomFully: setting(flag(), {
    group: firewall,
    default: true,
    help: 'Draw source ports at random, so that flows do not race for one',
  }),
  forwardRules: setting(flag(), {
    group: firewall,
    default: true,
    help: 'Accept what is forwarded from and to pods. With nftables this does not undo a drop in another table: where iptables drops by policy (FORWARD DROP, as Docker sets it), use --masquerade=iptables',
  }),
  runDirectory: setting(text(), {
    group: daemon,
    placeholder: 'path',
    default: '/run/netloom',
    help: "Directory of the agent's socket, mode 0700",
  }),
  stateDirectory: setting(text(), {
    group: daemon,
    placeholder: 'path',
    default: '/var/lib/netloom',
    help: 'Directory for what must outlast a reboot',
  }),
  syncInterval: setting(duration({ min: '500ms', max: '1h' }), {
    group: daemon,
    default: '10s',
    help: 'Longest time between two thorough looks at the node; what changes is otherwise seen at once',
  }),
  listen: setting(optionalHostPort, {
    group: daemon,
    default: '',
    help: 'Where /healthz, /readyz and /metrics are served over TCP; the empty text for not at all',
  }),
  logLevel: setting(choice(logLevels), {
    group: daemon,
    default: 'info',
    help: 'Least level that is logged',
  }),
  logFormat: setting(choice(logFormats), {
    group: daemon,
    default: 'auto',
    help: 'JSON lines, or readable ones; auto is readable on a terminal',
  }),
});

export type AgentSettings = SettingsOf<typeof agentSettings>;
