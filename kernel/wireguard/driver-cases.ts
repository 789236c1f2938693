// States of WireGuard devices that a driver must lead into one another, and what others may do to them. Shared by the tests of the fake and
// of the kernel.
import { IpAddress } from '../../net/address.ts';
import { Prefix } from '../../net/prefix.ts';
import { WireguardKey } from '../../net/wireguard-key.ts';
import { clamped, publicKeyOf } from './key-pair.ts';
import {
  endpointText,
  peerMap,
  type WireguardAccess,
  type WireguardDevice,
  type WireguardPeer,
  type WireguardStep,
} from './objects.ts';
import { planWireguard } from './plan.ts';

/** The device of every state. */
export const caseLink = 'wg-test';

/** A private key that every run has. */
export function caseKey(number: number): WireguardKey {
  return clamped(WireguardKey.fromBytes(new Uint8Array(32).fill(number)));
}

/** Node `number`: 10.244.N.0/24 at 192.0.2.N. */
export function casePeer(number: number, more: Partial<WireguardPeer> = {}): WireguardPeer {
  return {
    publicKey: publicKeyOf(caseKey(number)),
    presharedKey: undefined,
    endpoint: { address: IpAddress.parse(`192.0.2.${number}`), port: 51820 },
    keepaliveSeconds: 0,
    allowedIps: [Prefix.parse(`10.244.${number}.0/24`)],
    ...more,
  };
}

export interface WireguardCase {
  readonly name: string;
  readonly device: WireguardDevice;
}

const prefixes = (...texts: readonly string[]) => texts.map((text) => Prefix.parse(text));
const own = { privateKey: caseKey(1), listenPort: 51820 };
const psk = WireguardKey.fromBytes(new Uint8Array(32).fill(7));

export const states: readonly WireguardCase[] = [
  { name: 'no key, no peers', device: { privateKey: undefined, listenPort: 51820, peers: new Map() } },
  { name: 'no peers', device: { ...own, peers: new Map() } },
  { name: 'two peers', device: { ...own, peers: peerMap([casePeer(2), casePeer(3)]) } },
  {
    name: 'another port and key, one of the peers',
    device: { privateKey: caseKey(9), listenPort: 51821, peers: peerMap([casePeer(3)]) },
  },
  {
    name: 'the subnets of two peers changed places',
    device: {
      ...own,
      peers: peerMap([
        casePeer(2, { allowedIps: prefixes('10.244.3.0/24') }),
        casePeer(3, { allowedIps: prefixes('10.244.2.0/24') }),
      ]),
    },
  },
  {
    name: 'preshared key, keepalive, both families',
    device: {
      ...own,
      peers: peerMap([
        casePeer(2, {
          presharedKey: psk,
          keepaliveSeconds: 25,
          allowedIps: prefixes('10.244.2.0/24', 'fd00:244:0:2::/64'),
        }),
        casePeer(4, { endpoint: { address: IpAddress.parse('2001:db8::4'), port: 51821 }, allowedIps: [] }),
        casePeer(5, { endpoint: undefined }),
      ]),
    },
  },
  {
    // More than one message of the kernel's holds: a peer goes on in the next.
    name: 'hundreds of peers, one with hundreds of subnets',
    device: {
      ...own,
      peers: peerMap([
        ...Array.from({ length: 200 }, (_, i) => casePeer(20 + i)),
        casePeer(2, {
          allowedIps: Array.from({ length: 500 }, (_, i) =>
            Prefix.parse(`172.16.${i >> 4}.${(i & 15) * 16}/28`),
          ),
        }),
      ]),
    },
  },
];

/** What others do, and what it takes to heal it. */
export const disturbances: readonly {
  readonly name: string;
  readonly to: string;
  readonly steps: readonly WireguardStep[];
}[] = [
  {
    name: 'a peer that is gone',
    to: 'two peers',
    steps: [{ kind: 'peer-delete', link: caseLink, publicKey: casePeer(2).publicKey }],
  },
  {
    name: 'a peer too many, which took a subnet',
    to: 'two peers',
    steps: [
      {
        kind: 'peer-set',
        link: caseLink,
        peer: casePeer(8, { allowedIps: prefixes('10.244.2.0/24') }),
        keepsEndpoint: false,
      },
    ],
  },
  {
    name: 'another key and port',
    to: 'two peers',
    steps: [{ kind: 'device-set', link: caseLink, device: { privateKey: caseKey(6), listenPort: 4000 } }],
  },
  {
    name: 'a silent peer that is sought elsewhere',
    to: 'two peers',
    steps: [
      {
        kind: 'peer-set',
        link: caseLink,
        peer: casePeer(2, { endpoint: { address: IpAddress.parse('203.0.113.9'), port: 9 } }),
        keepsEndpoint: false,
      },
    ],
  },
];

/** The device as text, without what nobody sets. */
export function show(access: Pick<WireguardAccess, 'read'>): readonly string[] {
  const device = access.read(caseLink);
  if (device === undefined) return [];
  const peers = [...device.peers.values()].map(
    ({ publicKey, presharedKey, endpoint, keepaliveSeconds, allowedIps }) =>
      [
        publicKey,
        presharedKey ?? '-',
        endpoint === undefined ? '-' : endpointText(endpoint),
        keepaliveSeconds,
        allowedIps.map(String).sort().join(','),
      ].join(' '),
  );
  return [`${device.privateKey ?? '-'} ${device.publicKey ?? '-'} ${device.listenPort}`, ...peers.sort()];
}

/** The steps from what is there to the state. */
export function stepsTo(
  { device }: WireguardCase,
  access: Pick<WireguardAccess, 'read'>,
): readonly WireguardStep[] {
  const actual = access.read(caseLink);
  if (actual === undefined) throw new RangeError(`Cannot find link "${caseLink}"`);
  return planWireguard({ link: caseLink, wanted: device, actual, now: 1_000_000 });
}
