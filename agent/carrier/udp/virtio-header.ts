// struct virtio_net_hdr before each packet of the TUN device (linux/virtio_net.h): which checksum is still to be computed, and into how many
// packets one of TCP is to be cut.

export const virtioSize = 10;
const field = {
  flags: 0,
  kind: 1,
  headerLength: 2,
  segmentSize: 4,
  checksumStart: 6,
  checksumOffset: 8,
} as const;

/** VIRTIO_NET_HDR_F_NEEDS_CSUM */
const needsChecksum = 1;
/** VIRTIO_NET_HDR_GSO_NONE and _TCPV4. _ECN is a flag beside it, which we do not ask for. */
export const whole = 0;
export const tcpSegments = 1;

/** Fields are in the machine's order. */
export function kindOf(bytes: Uint8Array, at: number): number {
  return bytes[at + field.kind] ?? 0;
}

export function wantsChecksum(bytes: Uint8Array, at: number): boolean {
  return ((bytes[at + field.flags] ?? 0) & needsChecksum) !== 0;
}

export function segmentSizeOf(bytes: Uint8Array, at: number): number {
  return read(bytes, at + field.segmentSize);
}

/** From the packet's first byte. */
export function checksumStartOf(bytes: Uint8Array, at: number): number {
  return read(bytes, at + field.checksumStart);
}

/** From where the checksum starts. */
export function checksumOffsetOf(bytes: Uint8Array, at: number): number {
  return read(bytes, at + field.checksumOffset);
}

export interface TcpSegments {
  /** Of IP and TCP headers together. */
  readonly headerLength: number;
  readonly segmentSize: number;
  readonly checksumStart: number;
  readonly checksumOffset: number;
}

/** Says of a packet of TCP that it stands for several, and that its checksum field holds the pseudo header's sum only. */
export function putTcpSegments(bytes: Uint8Array, at: number, segments: TcpSegments): void {
  bytes[at + field.flags] = needsChecksum;
  bytes[at + field.kind] = tcpSegments;
  put(bytes, at + field.headerLength, segments.headerLength);
  put(bytes, at + field.segmentSize, segments.segmentSize);
  put(bytes, at + field.checksumStart, segments.checksumStart);
  put(bytes, at + field.checksumOffset, segments.checksumOffset);
}

function read(bytes: Uint8Array, at: number): number {
  return (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8);
}

function put(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value & 0xff;
  bytes[at + 1] = value >>> 8;
}
