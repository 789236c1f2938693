// Packets made up for tests, field by field and with checksums computed the slow way, and memory that no kernel sees.
import { imaginaryMemory, type PacketMemory } from '../../../kernel/tun/packet-memory.ts';
import type { Vectors } from '../../../kernel/tun/vectors.ts';
import { IpAddress } from '../../../net/address.ts';

export interface SamplePacket {
  readonly source?: string;
  readonly destination?: string;
  readonly protocol?: number;
  readonly ttl?: number;
  readonly id?: number;
  /** Flags and offset. */
  readonly fragment?: number;
  readonly tos?: number;
  /** Options of the header, a multiple of 4. */
  readonly options?: Uint8Array;
  /** All behind the header. */
  readonly payload?: Uint8Array;
}

/** A whole packet, from 10.244.1.2 to 10.244.2.2 unless said. */
export function samplePacket(sample: SamplePacket = {}): Uint8Array {
  const { source = '10.244.1.2', destination = '10.244.2.2', protocol = 17, ttl = 64, id = 1 } = sample;
  const { fragment = 0x4000, tos = 0, options = new Uint8Array(), payload = new Uint8Array(8) } = sample;
  const header = 20 + options.length;
  const packet = Buffer.alloc(header + payload.length);
  packet[0] = 0x40 | (header / 4);
  packet[1] = tos;
  packet.writeUInt16BE(packet.length, 2);
  packet.writeUInt16BE(id, 4);
  packet.writeUInt16BE(fragment, 6);
  packet[8] = ttl;
  packet[9] = protocol;
  packet.set(IpAddress.parse(source).bytes, 12);
  packet.set(IpAddress.parse(destination).bytes, 16);
  packet.set(options, 20);
  packet.writeUInt16BE(slowChecksum(packet.subarray(0, header)), 10);
  packet.set(payload, header);
  return packet;
}

export interface SampleTcp extends Omit<SamplePacket, 'payload' | 'protocol'> {
  readonly ports?: readonly [number, number];
  readonly sequence?: number;
  readonly acknowledgement?: number;
  readonly flags?: number;
  readonly window?: number;
  /** A multiple of 4. */
  readonly tcpOptions?: Uint8Array;
  readonly data?: Uint8Array;
}

export function sampleTcp(sample: SampleTcp = {}): Uint8Array {
  const {
    ports = [40_000, 80],
    sequence = 1000,
    acknowledgement = 2000,
    flags = 0x10,
    window = 500,
  } = sample;
  const { tcpOptions = new Uint8Array(), data = new Uint8Array(100).fill(7) } = sample;
  const segment = Buffer.alloc(20 + tcpOptions.length + data.length);
  segment.writeUInt16BE(ports[0], 0);
  segment.writeUInt16BE(ports[1], 2);
  segment.writeUInt32BE(sequence, 4);
  segment.writeUInt32BE(acknowledgement, 8);
  segment[12] = ((20 + tcpOptions.length) / 4) << 4;
  segment[13] = flags;
  segment.writeUInt16BE(window, 14);
  segment.set(tcpOptions, 20);
  segment.set(data, 20 + tcpOptions.length);
  const packet = Buffer.from(samplePacket({ ...sample, protocol: 6, payload: segment }));
  const header = packet.length - segment.length;
  packet.writeUInt16BE(transportChecksum(packet), header + 16);
  return packet;
}

/** RFC 1071, two bytes at a time. */
export function slowChecksum(bytes: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < bytes.length; i++) sum += (bytes[i] ?? 0) << (i % 2 === 0 ? 8 : 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x10000);
  return ~sum & 0xffff;
}

/** Of what follows the header, with the pseudo header: 0 where the checksum in it is right. */
export function transportChecksum(packet: Uint8Array): number {
  const header = ((packet[0] ?? 0) & 15) * 4;
  const length = packet.length - header;
  const pseudo = Buffer.concat([packet.subarray(12, 20), Buffer.from([0, packet[9] ?? 0, 0, 0])]);
  pseudo.writeUInt16BE(length, 10);
  return slowChecksum(Buffer.concat([pseudo, packet.subarray(header)]));
}

export interface ImaginaryPool {
  readonly allocate: (size: number) => PacketMemory;
  /** What the vectors name, one after another. */
  gather(vectors: Vectors, first?: number, count?: number): Uint8Array;
}

/** Memories one behind the other, from an address of more than 32 bits on, as a kernel's are. */
export function imaginaryPool(): ImaginaryPool {
  const memories: PacketMemory[] = [];
  let next = 0x7f12_3456_0000;
  return {
    allocate(size) {
      const memory = imaginaryMemory(size, next);
      next += (size + 0xffff) & ~0xffff;
      memories.push(memory);
      return memory;
    },
    gather(vectors, first = 0, count = vectors.count - first) {
      const parts = Array.from({ length: count }, (_, i) => {
        const address = vectors.targetOf(first + i);
        const memory = memories.find(
          (each) => address >= each.address && address < each.address + each.bytes.length,
        );
        const at = address - (memory?.address ?? 0);
        const part = memory?.bytes.subarray(at, at + vectors.lengthOf(first + i));
        if (part?.length !== vectors.lengthOf(first + i)) throw new RangeError(`nothing lies at ${address}`);
        return Buffer.from(part);
      });
      return Buffer.concat(parts);
    },
  };
}
