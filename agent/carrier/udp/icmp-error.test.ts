import { describe, expect, test } from '@jest/globals';
import { imaginaryMemory } from '../../../kernel/tun/packet-memory.ts';
import { longestIcmp, mayTell, netUnreachable, timeExceeded, writeIcmp } from './icmp-error.ts';
import { samplePacket, slowChecksum } from './sample-packets.ts';

const source = Uint8Array.of(10, 244, 1, 0);

function laid(packet: Uint8Array, at = 12) {
  const memory = imaginaryMemory(2048, 0);
  memory.bytes.set(packet, at);
  return { ...memory, at, size: packet.length };
}

function messageAbout(packet: Uint8Array, kind = netUnreachable): Buffer {
  const out = imaginaryMemory(128, 0);
  out.bytes.fill(0xee);
  const size = writeIcmp(out, { kind, source, packet: laid(packet) });
  return Buffer.from(out.bytes.subarray(0, size));
}

describe('what is sent, to the byte', () => {
  const packet = samplePacket({
    source: '10.244.1.2',
    destination: '10.244.9.9',
    payload: Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9, 10),
  });

  test('net unreachable quotes the header and eight bytes', () => {
    const message = messageAbout(packet);
    expect(message.toString('hex')).toBe(
      [
        // IPv4: precedence 6, 56 bytes, TTL 64, ICMP, from 10.244.1.0 to 10.244.1.2.
        '45c00038000000004001',
        '621c',
        '0af401000af40102',
        // Destination unreachable, network.
        '0300',
        'eceb',
        '00000000',
        // What it is about.
        '4500001e000140004011',
        '1adc',
        '0af401020af40909',
        '0102030405060708',
      ].join(''),
    );
    expect(slowChecksum(message.subarray(0, 20))).toBe(0);
    expect(slowChecksum(message.subarray(20))).toBe(0);
  });

  test('time exceeded', () => {
    const message = messageAbout(packet, timeExceeded);
    expect([...message.subarray(20, 22)]).toEqual([11, 0]);
    expect(slowChecksum(message.subarray(20))).toBe(0);
  });

  test('a packet of less than eight bytes is quoted as it is', () => {
    const message = messageAbout(samplePacket({ payload: Uint8Array.of(1, 2, 3) }));
    expect(message.length).toBe(20 + 8 + 23);
    expect(slowChecksum(message.subarray(20))).toBe(0);
  });

  test('all options are quoted', () => {
    const message = messageAbout(samplePacket({ options: new Uint8Array(40).fill(1) }));
    expect(message.length).toBe(longestIcmp);
    expect(slowChecksum(message.subarray(20))).toBe(0);
  });
});

describe('of what nobody is told', () => {
  const icmp = (type: number): Uint8Array => Uint8Array.of(type, 0, 0, 0, 0, 0, 0, 0);
  test.each([
    ['TCP', samplePacket({ protocol: 6 }), true],
    ['an echo request', samplePacket({ protocol: 1, payload: icmp(8) }), true],
    ['an echo reply', samplePacket({ protocol: 1, payload: icmp(0) }), true],
    ['destination unreachable', samplePacket({ protocol: 1, payload: icmp(3) }), false],
    ['source quench', samplePacket({ protocol: 1, payload: icmp(4) }), false],
    ['redirect', samplePacket({ protocol: 1, payload: icmp(5) }), false],
    ['time exceeded', samplePacket({ protocol: 1, payload: icmp(11) }), false],
    ['parameter problem', samplePacket({ protocol: 1, payload: icmp(12) }), false],
    ['ICMP without a type', samplePacket({ protocol: 1, payload: new Uint8Array() }), false],
    ['the first fragment', samplePacket({ fragment: 0x2000 }), true],
    ['a later fragment', samplePacket({ fragment: 0x2001 }), false],
    ['the last fragment', samplePacket({ fragment: 0x0100 }), false],
    ['for a group', samplePacket({ destination: '224.0.0.1' }), false],
    ['for all', samplePacket({ destination: '255.255.255.255' }), false],
    ['from nobody', samplePacket({ source: '0.0.0.0' }), false],
    ['from loopback', samplePacket({ source: '127.0.0.1' }), false],
    ['from a group', samplePacket({ source: '239.1.2.3' }), false],
    ['from all', samplePacket({ source: '255.255.255.255' }), false],
  ])('%s: %#', (_, packet, may) => {
    const memory = laid(packet);
    expect(mayTell(memory, memory)).toBe(may);
  });
});
