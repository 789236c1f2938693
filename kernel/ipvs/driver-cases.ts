// What every IPVS driver must do, as data: states to go through, disturbances to heal and answers to steps that do not fit, with what
// `ipvsadm -Sn` would print afterwards. The tests of the fake and of the real kernel run the same cases. Long because it is one table.
import { type Family, IpAddress } from '../../net/address.ts';
import {
  type IpvsAccess,
  type IpvsStep,
  type RealServer,
  realServerText,
  type VirtualServer,
  type VirtualServerId,
} from './objects.ts';
import { type ActualServer, ipvsMap, planIpvs, type WantedServer } from './plan.ts';
import { serverLines } from './text.ts';

const ip = IpAddress.parse;

export interface IpvsState {
  readonly name: string;
  readonly wanted: readonly WantedServer[];
  /** As `ipvsadm -Sn` prints it, sorted. */
  readonly shown: readonly string[];
}

/** A virtual server without anything particular. */
export const tcp: VirtualServer = {
  protocol: 'tcp',
  address: ip('10.96.0.1'),
  port: 80,
  scheduler: 'rr',
  persistentSeconds: undefined,
  hashesPort: false,
};
const udp: VirtualServer = { ...tcp, protocol: 'udp', address: ip('10.96.0.10'), port: 53 };
const sctp: VirtualServer = { ...tcp, protocol: 'sctp', port: 99 };
const tcp6: VirtualServer = { ...tcp, address: ip('fd00:96::1') };

function real(text: string, port: number, weight = 1): RealServer {
  return { address: ip(text), port, weight };
}

const first = real('10.244.1.2', 8080);
const second = real('10.244.2.2', 8080);

export const states: readonly IpvsState[] = [
  { name: 'nothing', wanted: [], shown: [] },
  {
    name: 'one virtual server with two real servers',
    wanted: [{ server: tcp, reals: [first, second] }],
    shown: [
      '-A -t 10.96.0.1:80 -s rr',
      '-a -t 10.96.0.1:80 -r 10.244.1.2:8080 -m -w 1',
      '-a -t 10.96.0.1:80 -r 10.244.2.2:8080 -m -w 1',
    ],
  },
  {
    name: 'one of the two drains, another is there',
    wanted: [{ server: tcp, reals: [first, { ...second, weight: 0 }, real('10.244.2.2', 8081)] }],
    shown: [
      '-A -t 10.96.0.1:80 -s rr',
      '-a -t 10.96.0.1:80 -r 10.244.1.2:8080 -m -w 1',
      '-a -t 10.96.0.1:80 -r 10.244.2.2:8080 -m -w 0',
      '-a -t 10.96.0.1:80 -r 10.244.2.2:8081 -m -w 1',
    ],
  },
  {
    name: 'every protocol, both families, weights',
    wanted: [
      { server: tcp, reals: [first] },
      { server: udp, reals: [real('10.244.1.3', 5353, 3), real('10.244.1.4', 5353, 7)] },
      { server: sctp, reals: [real('10.244.1.5', 99)] },
      { server: tcp6, reals: [real('fd00:244::2', 8080), real('fd00:244::3', 8080)] },
      { server: { ...udp, address: ip('fd00:96::10') }, reals: [] },
      { server: { ...sctp, address: ip('fd00:96::1') }, reals: [real('fd00:244::5', 99)] },
    ],
    shown: [
      '-A --sctp-service 10.96.0.1:99 -s rr',
      '-A --sctp-service [fd00:96::1]:99 -s rr',
      '-A -t 10.96.0.1:80 -s rr',
      '-A -t [fd00:96::1]:80 -s rr',
      '-A -u 10.96.0.10:53 -s rr',
      '-A -u [fd00:96::10]:53 -s rr',
      '-a --sctp-service 10.96.0.1:99 -r 10.244.1.5:99 -m -w 1',
      '-a --sctp-service [fd00:96::1]:99 -r [fd00:244::5]:99 -m -w 1',
      '-a -t 10.96.0.1:80 -r 10.244.1.2:8080 -m -w 1',
      '-a -t [fd00:96::1]:80 -r [fd00:244::2]:8080 -m -w 1',
      '-a -t [fd00:96::1]:80 -r [fd00:244::3]:8080 -m -w 1',
      '-a -u 10.96.0.10:53 -r 10.244.1.3:5353 -m -w 3',
      '-a -u 10.96.0.10:53 -r 10.244.1.4:5353 -m -w 7',
    ],
  },
  {
    name: 'persistence, and schedulers with flags',
    wanted: [
      { server: { ...tcp, scheduler: 'mh', persistentSeconds: 10_800, hashesPort: true }, reals: [second] },
      { server: { ...udp, scheduler: 'wlc', persistentSeconds: 60 }, reals: [] },
      { server: { ...sctp, scheduler: 'sh', hashesPort: true }, reals: [] },
      { server: { ...tcp6, scheduler: 'mh', persistentSeconds: 60 }, reals: [real('fd00:244::2', 8080)] },
    ],
    shown: [
      '-A --sctp-service 10.96.0.1:99 -s sh -b sh-port',
      '-A -t 10.96.0.1:80 -s mh -p 10800 -b mh-port',
      '-A -t [fd00:96::1]:80 -s mh -p 60',
      '-A -u 10.96.0.10:53 -s wlc -p 60',
      '-a -t 10.96.0.1:80 -r 10.244.2.2:8080 -m -w 1',
      '-a -t [fd00:96::1]:80 -r [fd00:244::2]:8080 -m -w 1',
    ],
  },
];

export interface Disturbance {
  readonly name: string;
  /** The state that it comes into. */
  readonly to: string;
  readonly steps: readonly IpvsStep[];
}

const two = 'one virtual server with two real servers';
const persistent = 'persistence, and schedulers with flags';

export const disturbances: readonly Disturbance[] = [
  { name: 'a virtual server is gone', to: two, steps: [{ kind: 'server-delete', server: tcp }] },
  { name: 'a real server is gone', to: two, steps: [{ kind: 'real-delete', server: tcp, real: first }] },
  {
    name: 'a weight is another',
    to: two,
    steps: [{ kind: 'real-change', server: tcp, real: { ...first, weight: 0 } }],
  },
  {
    name: 'a scheduler is another',
    to: two,
    steps: [{ kind: 'server-change', server: { ...tcp, scheduler: 'wrr' } }],
  },
  {
    name: 'persistence and flags are lost',
    to: persistent,
    steps: [{ kind: 'server-change', server: { ...tcp, scheduler: 'mh' } }],
  },
  {
    name: 'a real server and a virtual server are there that nobody wants',
    to: two,
    steps: [
      { kind: 'real-add', server: tcp, real: real('10.244.9.9', 1) },
      { kind: 'server-add', server: udp },
      { kind: 'real-add', server: udp, real: real('10.244.9.9', 1) },
    ],
  },
];

export interface Answer {
  readonly name: string;
  readonly steps: readonly IpvsStep[];
  /** One for each step. */
  readonly errors: readonly (string | undefined)[];
}

const noServer = 'no such process (ESRCH): there is no such virtual server';
const noReal = 'no such file or directory (ENOENT): the virtual server has no such real server';
const notOne = 'invalid argument (EINVAL): it is not the address of one machine';
const otherFamily = 'invalid argument (EINVAL): NAT leads to real servers of the same family only';
const exists = 'file already exists (EEXIST)';
const idOf = ({ protocol, address, port }: VirtualServerId): VirtualServerId => ({ protocol, address, port });

function addsReals(server: VirtualServerId, addresses: readonly string[]): readonly IpvsStep[] {
  return addresses.map((text) => ({ kind: 'real-add', server: idOf(server), real: real(text, 8080) }));
}

/** Each begins with nothing. */
export const answers: readonly Answer[] = [
  {
    name: 'deletes what is not there',
    steps: [
      { kind: 'server-delete', server: tcp },
      { kind: 'real-delete', server: tcp, real: first },
      { kind: 'server-add', server: tcp },
      { kind: 'real-delete', server: tcp, real: first },
      { kind: 'real-delete', server: tcp, real: real('fd00:244::2', 8080) },
    ],
    errors: [undefined, undefined, undefined, undefined, undefined],
  },
  {
    name: 'adds what is there and equal',
    steps: [
      { kind: 'server-add', server: tcp },
      { kind: 'server-add', server: tcp },
      { kind: 'real-add', server: tcp, real: first },
      { kind: 'real-add', server: tcp, real: first },
    ],
    errors: [undefined, undefined, undefined, undefined],
  },
  {
    name: 'adds what is there and another',
    steps: [
      { kind: 'server-add', server: tcp },
      { kind: 'server-add', server: { ...tcp, scheduler: 'wrr', persistentSeconds: 60 } },
      { kind: 'real-add', server: tcp, real: first },
      { kind: 'real-add', server: tcp, real: { ...first, weight: 5 } },
    ],
    errors: [
      undefined,
      `Cannot add virtual server "-t 10.96.0.1:80 -s wrr -p 60": ${exists}: it is there as "-t 10.96.0.1:80 -s rr"`,
      undefined,
      `Cannot add real server "-t 10.96.0.1:80 -r 10.244.1.2:8080 -m -w 5": ${exists}: it is there with weight 1`,
    ],
  },
  {
    name: 'changes what is not there',
    steps: [
      { kind: 'server-change', server: tcp },
      { kind: 'real-add', server: tcp, real: first },
      { kind: 'real-change', server: tcp, real: first },
      { kind: 'server-add', server: tcp },
      { kind: 'real-change', server: tcp, real: first },
    ],
    errors: [
      `Cannot change virtual server "-t 10.96.0.1:80 -s rr": ${noServer}`,
      `Cannot add real server "-t 10.96.0.1:80 -r 10.244.1.2:8080 -m -w 1": ${noServer}`,
      `Cannot change real server "-t 10.96.0.1:80 -r 10.244.1.2:8080 -m -w 1": ${noServer}`,
      undefined,
      `Cannot change real server "-t 10.96.0.1:80 -r 10.244.1.2:8080 -m -w 1": ${noReal}`,
    ],
  },
  {
    name: 'names a scheduler that is not there',
    steps: [
      { kind: 'server-add', server: { ...tcp, scheduler: 'nope' } },
      { kind: 'server-add', server: tcp },
      { kind: 'server-change', server: { ...tcp, scheduler: 'nope' } },
    ],
    errors: [
      'Cannot add virtual server "-t 10.96.0.1:80 -s nope": no such file or directory (ENOENT): this kernel has no scheduler "nope" (module ip_vs_nope)',
      undefined,
      'Cannot change virtual server "-t 10.96.0.1:80 -s nope": no such file or directory (ENOENT): this kernel has no scheduler "nope" (module ip_vs_nope)',
    ],
  },
  {
    name: 'takes for real servers only addresses of one machine',
    steps: [
      { kind: 'server-add', server: tcp },
      ...addsReals(tcp, ['224.0.0.1', '255.255.255.255', '0.0.0.0', 'fd00::1', '127.0.0.1', '10.96.0.1']),
      { kind: 'server-add', server: tcp6 },
      ...addsReals(tcp6, ['ff02::1', 'fe80::1', '::', '::ffff:192.0.2.1', '192.0.2.1', '::1']),
    ],
    errors: [
      undefined,
      `Cannot add real server "-t 10.96.0.1:80 -r 224.0.0.1:8080 -m -w 1": ${notOne}`,
      `Cannot add real server "-t 10.96.0.1:80 -r 255.255.255.255:8080 -m -w 1": ${notOne}`,
      `Cannot add real server "-t 10.96.0.1:80 -r 0.0.0.0:8080 -m -w 1": ${notOne}`,
      `Cannot add real server "-t 10.96.0.1:80 -r [fd00::1]:8080 -m -w 1": ${otherFamily}`,
      undefined,
      undefined,
      undefined,
      `Cannot add real server "-t [fd00:96::1]:80 -r [ff02::1]:8080 -m -w 1": ${notOne}`,
      `Cannot add real server "-t [fd00:96::1]:80 -r [fe80::1]:8080 -m -w 1": ${notOne}`,
      `Cannot add real server "-t [fd00:96::1]:80 -r [::]:8080 -m -w 1": ${notOne}`,
      `Cannot add real server "-t [fd00:96::1]:80 -r [::ffff:192.0.2.1]:8080 -m -w 1": ${notOne}`,
      `Cannot add real server "-t [fd00:96::1]:80 -r 192.0.2.1:8080 -m -w 1": ${otherFamily}`,
      undefined,
    ],
  },
  {
    name: 'adds and deletes in one batch, what was there before too',
    steps: [
      { kind: 'server-add', server: tcp },
      { kind: 'real-add', server: tcp, real: first },
      { kind: 'server-add', server: { ...tcp, scheduler: 'wrr' } },
      { kind: 'real-add', server: tcp, real: { ...first, weight: 2 } },
      { kind: 'server-delete', server: tcp },
    ],
    errors: [undefined, undefined, undefined, undefined, undefined],
  },
];

/** All that is there, with real servers. */
export function readAll(access: IpvsAccess): readonly ActualServer[] {
  const families: readonly Family[] = [4, 6];
  return families
    .flatMap((family) => access.servers(family))
    .map((server) => ({ server, reals: access.realServers(server) }));
}

/** As `ipvsadm -Sn` prints it, sorted. */
export function show(access: IpvsAccess): readonly string[] {
  return readAll(access)
    .flatMap(({ server, reals }) => serverLines(server, reals))
    .toSorted();
}

/** The steps from what is there to the state. */
export function stepsTo({ wanted }: IpvsState, access: IpvsAccess): readonly IpvsStep[] {
  return planIpvs(ipvsMap(wanted), ipvsMap(readAll(access)));
}

export function stateOf(name: string): IpvsState {
  const state = states.find((each) => each.name === name);
  if (state === undefined) throw new TypeError(`Cannot find state "${name}"`);
  return state;
}

/** So many virtual servers of as many real servers each, for loads. */
export function manyServers(count: number, realCount: number): readonly WantedServer[] {
  return Array.from({ length: count }, (_, i) => ({
    server: { ...tcp, address: ip('10.96.0.0').plus(i + 1) },
    reals: Array.from({ length: realCount }, (_each, k) => ({
      ...first,
      address: ip('10.128.0.0').plus(i * realCount + k + 1),
    })),
  }));
}

/** "10.244.1.2:8080 w1", of one virtual server, sorted. */
export function realsOf(access: IpvsAccess, id: VirtualServerId): readonly string[] {
  return access
    .realServers(id)
    .map((each) => `${realServerText(each)} w${each.weight}`)
    .toSorted();
}
