// WireGuard devices as messages of generic netlink's family "wireguard" (linux/wireguard.h). Numbers are of the machine's own byte order;
// ports and addresses of endpoints of the network's.
import { IpAddress } from '../../net/address.ts';
import { Prefix } from '../../net/prefix.ts';
import { WireguardKey } from '../../net/wireguard-key.ts';
import { at, attributeTable, listOf, nest, type TableValue } from '../netlink/attribute-table.ts';
import { type ByteReader, type ByteWriter, DecodeError } from '../netlink/bytes.ts';
import { bytesOf, type Codec, ipAddress, struct, text, u8, u16, u32, u64 } from '../netlink/codec.ts';
import { genericMessage } from '../netlink/generic-family.ts';
import { AF_INET, AF_INET6, familyNumber } from '../route/rtnetlink.ts';
import type { Endpoint, WireguardPeerState, WireguardStep } from './objects.ts';

export const wireguardFamilyName = 'wireguard';
/** WG_GENL_VERSION. */
const interfaceVersion = 1;
const WG_CMD_GET_DEVICE = 0;
const WG_CMD_SET_DEVICE = 1;
/** WGPEER_F_* */
const WGPEER_F_REMOVE_ME = 1;
const WGPEER_F_REPLACE_ALLOWEDIPS = 2;

const keyCodec: Codec<WireguardKey> = {
  write: (out, key) => bytesOf(32).write(out, key.bytes),
  read: (input) => WireguardKey.fromBytes(bytesOf(32).read(input)),
};

/** struct sockaddr_in (16 bytes) or sockaddr_in6 (28). */
const endpointCodec: Codec<Endpoint> = {
  write(out, { address, port }) {
    out.u16(familyNumber(address.family));
    out.be16(port);
    if (address.family === 6) out.u32(0);
    out.raw(address.bytes);
    if (address.family === 6) out.u32(0);
    else out.zeros(8);
  },
  read(input) {
    const family = input.u16();
    const port = input.be16();
    if (family === AF_INET6) input.skip(4);
    else if (family !== AF_INET) throw new DecodeError(`Cannot read an endpoint of family ${family}`);
    return { address: IpAddress.fromBytes(input.raw(family === AF_INET ? 4 : 16)), port };
  },
};

const allowedIp = attributeTable({
  WGALLOWEDIP_A_FAMILY: at(1, u16),
  WGALLOWEDIP_A_IPADDR: at(2, ipAddress),
  WGALLOWEDIP_A_CIDR_MASK: at(3, u8),
});

const peerTable = attributeTable({
  WGPEER_A_PUBLIC_KEY: at(1, keyCodec),
  WGPEER_A_PRESHARED_KEY: at(2, keyCodec),
  WGPEER_A_FLAGS: at(3, u32),
  WGPEER_A_ENDPOINT: at(4, endpointCodec),
  WGPEER_A_PERSISTENT_KEEPALIVE_INTERVAL: at(5, u16),
  WGPEER_A_LAST_HANDSHAKE_TIME: at(6, struct({ seconds: u64, nanoseconds: u64 })),
  WGPEER_A_RX_BYTES: at(7, u64),
  WGPEER_A_TX_BYTES: at(8, u64),
  WGPEER_A_ALLOWEDIPS: nest(9, listOf(nest(0, allowedIp))),
});

export const wireguardMessage = genericMessage(
  attributeTable({
    WGDEVICE_A_IFINDEX: at(1, u32),
    WGDEVICE_A_IFNAME: at(2, text),
    WGDEVICE_A_PRIVATE_KEY: at(3, keyCodec),
    WGDEVICE_A_PUBLIC_KEY: at(4, keyCodec),
    WGDEVICE_A_FLAGS: at(5, u32),
    WGDEVICE_A_LISTEN_PORT: at(6, u16),
    WGDEVICE_A_FWMARK: at(7, u32),
    WGDEVICE_A_PEERS: nest(8, listOf(nest(0, peerTable))),
  }),
);

type Attributes = TableValue<typeof wireguardMessage>['attributes'];

const zeroKey = WireguardKey.fromBytes(new Uint8Array(32));

export function writeRead(out: ByteWriter, link: string): void {
  wireguardMessage.write(out, {
    command: WG_CMD_GET_DEVICE,
    version: interfaceVersion,
    attributes: { WGDEVICE_A_IFNAME: link },
  });
}

export function writeStep(out: ByteWriter, step: WireguardStep): void {
  wireguardMessage.write(out, {
    command: WG_CMD_SET_DEVICE,
    version: interfaceVersion,
    attributes: { WGDEVICE_A_IFNAME: step.link, ...stepAttributes(step) },
  });
}

function stepAttributes(step: WireguardStep): Attributes {
  switch (step.kind) {
    case 'device-set':
      return {
        // Of zeros: none.
        WGDEVICE_A_PRIVATE_KEY: step.device.privateKey ?? zeroKey,
        WGDEVICE_A_LISTEN_PORT: step.device.listenPort,
      };
    case 'peer-delete':
      return {
        WGDEVICE_A_PEERS: [{ WGPEER_A_PUBLIC_KEY: step.publicKey, WGPEER_A_FLAGS: WGPEER_F_REMOVE_ME }],
      };
    case 'peer-set': {
      const { publicKey, presharedKey, endpoint, keepaliveSeconds, allowedIps } = step.peer;
      return {
        WGDEVICE_A_PEERS: [
          {
            WGPEER_A_PUBLIC_KEY: publicKey,
            WGPEER_A_PRESHARED_KEY: presharedKey ?? zeroKey,
            WGPEER_A_FLAGS: WGPEER_F_REPLACE_ALLOWEDIPS,
            WGPEER_A_ENDPOINT: step.keepsEndpoint ? undefined : endpoint,
            WGPEER_A_PERSISTENT_KEEPALIVE_INTERVAL: keepaliveSeconds,
            WGPEER_A_ALLOWEDIPS: allowedIps.map(({ address, length, family }) => ({
              WGALLOWEDIP_A_FAMILY: familyNumber(family),
              WGALLOWEDIP_A_IPADDR: address,
              WGALLOWEDIP_A_CIDR_MASK: length,
            })),
          },
        ],
      };
    }
    default:
      return step satisfies never;
  }
}

/** A part of a device: the kernel tells one in as many messages as its peers need. */
export interface DevicePart {
  readonly privateKey: WireguardKey | undefined;
  readonly publicKey: WireguardKey | undefined;
  readonly listenPort: number | undefined;
  /** The first may go on with the last one of the part before: the same key, more allowed addresses, nothing else. */
  readonly peers: readonly WireguardPeerState[];
}

export function readPart(input: ByteReader): DevicePart {
  const { attributes } = wireguardMessage.read(input);
  const {
    WGDEVICE_A_PRIVATE_KEY: privateKey,
    WGDEVICE_A_PUBLIC_KEY: publicKey,
    WGDEVICE_A_LISTEN_PORT: listenPort,
    WGDEVICE_A_PEERS: peers = [],
  } = attributes;
  return {
    privateKey: unlessZero(privateKey),
    publicKey: unlessZero(publicKey),
    listenPort,
    peers: peers.flatMap((peer) => readPeer(peer) ?? []),
  };
}

function readPeer(attributes: TableValue<typeof peerTable>): WireguardPeerState | undefined {
  const { WGPEER_A_PUBLIC_KEY: publicKey, WGPEER_A_LAST_HANDSHAKE_TIME: handshake } = attributes;
  if (publicKey === undefined) return undefined;
  const handshakeMs =
    handshake === undefined ? 0 : Number(handshake.seconds) * 1000 + Number(handshake.nanoseconds) / 1e6;
  return {
    publicKey,
    presharedKey: unlessZero(attributes.WGPEER_A_PRESHARED_KEY),
    endpoint: attributes.WGPEER_A_ENDPOINT,
    keepaliveSeconds: attributes.WGPEER_A_PERSISTENT_KEEPALIVE_INTERVAL ?? 0,
    allowedIps: (attributes.WGPEER_A_ALLOWEDIPS ?? []).flatMap(prefixOf),
    lastHandshake: handshakeMs === 0 ? undefined : Math.trunc(handshakeMs),
    receivedBytes: attributes.WGPEER_A_RX_BYTES ?? 0n,
    sentBytes: attributes.WGPEER_A_TX_BYTES ?? 0n,
  };
}

function prefixOf({
  WGALLOWEDIP_A_IPADDR: address,
  WGALLOWEDIP_A_CIDR_MASK: length,
}: TableValue<typeof allowedIp>): readonly Prefix[] {
  if (address === undefined || length === undefined) return [];
  if (length > address.bytes.length * 8)
    throw new DecodeError(`Cannot read an allowed address of ${length} bits: "${address}"`);
  return [new Prefix(address, length)];
}

function unlessZero(key: WireguardKey | undefined): WireguardKey | undefined {
  return key === undefined || key.isZero ? undefined : key;
}
