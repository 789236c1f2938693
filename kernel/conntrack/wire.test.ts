import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { IpAddress } from '../../net/address.ts';
import { ByteReader, ByteWriter, DecodeError } from '../netlink/bytes.ts';
import { type Flow, type FlowFilter, type FlowTuple, flowProtocols } from './objects.ts';
import { filterText, flowText } from './text.ts';
import { flowMessage, kernelFilter, readFlow, writeFilter, writeFlow } from './wire.ts';

const ip = (text: string): IpAddress => IpAddress.parse(text);

function encoded(write: (out: ByteWriter) => void): Buffer {
  const out = new ByteWriter(16);
  write(out);
  out.align();
  return Buffer.from(out.bytes());
}

const hex = (text: string): string => text.replaceAll(/\s+/g, '');

const dns: Flow = {
  family: 4,
  protocol: flowProtocols.udp,
  original: {
    source: ip('192.0.2.9'),
    destination: ip('192.0.2.1'),
    sourcePort: 40_000,
    destinationPort: 53,
  },
  reply: { source: ip('10.1.0.2'), destination: ip('192.0.2.9'), sourcePort: 5353, destinationPort: 40_000 },
  mark: 0,
  status: 0x1a8,
  zone: 0,
  id: 0x01020304,
};

const ping6: Flow = {
  ...dns,
  family: 6,
  protocol: flowProtocols.icmp6,
  original: {
    source: ip('2001:db8::9'),
    destination: ip('2001:db8::1'),
    icmp: { id: 7, type: 128, code: 0 },
  },
  reply: { source: ip('2001:db8::1'), destination: ip('2001:db8::9'), icmp: { id: 7, type: 129, code: 0 } },
  zone: 5,
};

describe('a flow that is to be deleted', () => {
  test.each([
    [
      'UDP',
      dns,
      `02000000 34000180 14000180 08000100 c0000209 08000200 c0000201
        1c000280 05000100 11000000 06000200 9c400000 06000300 00350000 08000c00 01020304`,
    ],
    [
      'ICMPv6, in a zone',
      ping6,
      `0a000000 54000180 2c000180 14000300 20010db8000000000000000000000009 14000400 20010db8000000000000000000000001
        24000280 05000100 3a000000 06000700 00070000 05000800 80000000 05000900 00000000 08000c00 01020304 06001200 00050000`,
    ],
  ])('%s', (_, flow, golden) => {
    expect(encoded((out) => writeFlow(out, flow)).toString('hex')).toBe(hex(golden));
  });
});

describe('a filter', () => {
  test.each<readonly [string, FlowFilter, boolean, string]>([
    ['every flow', {}, false, '00000000'],
    ['-f ipv6', { family: 6 }, false, '0a000000 14001980 08000100 00000000 08000200 00000000'],
    ['-p udp', { protocol: 17 }, false, '00000000'],
    [
      '-p udp --orig-dst 192.0.2.1 --orig-port-dst 53',
      { protocol: 17, original: { destination: ip('192.0.2.1'), destinationPort: 53 } },
      true,
      `02000000 24000180 0c000180 08000200 c0000201 14000280 05000100 11000000 06000300 00350000
        14001980 08000100 2a000000 08000200 00000000`,
    ],
    [
      '--orig-dst 192.0.2.1 --orig-port-dst 53',
      { original: { destination: ip('192.0.2.1'), destinationPort: 53 } },
      false,
      '02000000 14000180 0c000180 08000200 c0000201 04000280 14001980 08000100 02000000 08000200 00000000',
    ],
    [
      '-f ipv4 -p udp --reply-src 10.1.0.2 --reply-port-src 53',
      { family: 4, protocol: 17, reply: { source: ip('10.1.0.2'), sourcePort: 53 } },
      true,
      `02000000 14000180 04000180 0c000280 05000100 11000000
        24000280 0c000180 08000100 0a010002 14000280 05000100 11000000 06000200 00350000
        14001980 08000100 08000000 08000200 19000000`,
    ],
    [
      // Without the address: the kernel gets those of IPv6 wrong.
      '-p udp --reply-src 2001:db8::2 --reply-port-src 53',
      { protocol: 17, reply: { source: ip('2001:db8::2'), sourcePort: 53 } },
      false,
      `0a000000 14000180 04000180 0c000280 05000100 11000000
        1c000280 04000180 14000280 05000100 11000000 06000200 00350000
        14001980 08000100 08000000 08000200 18000000`,
    ],
    [
      '--reply-src 2001:db8::2',
      { reply: { source: ip('2001:db8::2') } },
      false,
      '0a000000 14001980 08000100 00000000 08000200 00000000',
    ],
  ])('of %s', (text, filter, isWhole, golden) => {
    expect(filterText(filter)).toBe(text === 'every flow' ? '' : text);
    const narrowed = kernelFilter(filter);
    expect(narrowed.isWhole).toBe(isWhole);
    expect(encoded((out) => writeFilter(out, narrowed)).toString('hex')).toBe(hex(golden));
  });
});

/** As the kernel reports it. */
function report(flow: Flow): Buffer {
  const side = ({ source, destination, sourcePort, destinationPort, icmp }: FlowTuple) => ({
    CTA_TUPLE_IP:
      flow.family === 4
        ? { CTA_IP_V4_SRC: source, CTA_IP_V4_DST: destination }
        : { CTA_IP_V6_SRC: source, CTA_IP_V6_DST: destination },
    CTA_TUPLE_PROTO: {
      CTA_PROTO_NUM: flow.protocol,
      CTA_PROTO_SRC_PORT: sourcePort,
      CTA_PROTO_DST_PORT: destinationPort,
      ...(icmp &&
        (flow.protocol === flowProtocols.icmp6
          ? {
              CTA_PROTO_ICMPV6_ID: icmp.id,
              CTA_PROTO_ICMPV6_TYPE: icmp.type,
              CTA_PROTO_ICMPV6_CODE: icmp.code,
            }
          : { CTA_PROTO_ICMP_ID: icmp.id, CTA_PROTO_ICMP_TYPE: icmp.type, CTA_PROTO_ICMP_CODE: icmp.code })),
    },
  });
  return encoded((out) =>
    flowMessage.write(out, {
      header: { family: flow.family === 4 ? 2 : 10, version: 0, resource: 0 },
      attributes: {
        CTA_TUPLE_ORIG: side(flow.original),
        CTA_TUPLE_REPLY: side(flow.reply),
        CTA_STATUS: flow.status,
        CTA_MARK: flow.mark,
        CTA_ID: flow.id,
        CTA_ZONE: flow.zone,
      },
    }),
  );
}

const u16 = fc.integer({ min: 0, max: 0xffff });
const u32 = fc.integer({ min: 0, max: 0xffffffff });
const address = (family: 4 | 6): fc.Arbitrary<IpAddress> => {
  const size = family === 4 ? 4 : 16;
  return fc.uint8Array({ minLength: size, maxLength: size }).map((bytes) => IpAddress.fromBytes(bytes));
};
const ported = (family: 4 | 6): fc.Arbitrary<FlowTuple> =>
  fc.record({ source: address(family), destination: address(family), sourcePort: u16, destinationPort: u16 });
const pinged = (family: 4 | 6): fc.Arbitrary<FlowTuple> =>
  fc.record({
    source: address(family),
    destination: address(family),
    icmp: fc.record({ id: u16, type: fc.nat(255), code: fc.nat(255) }),
  });
const flow: fc.Arbitrary<Flow> = fc.constantFrom<4 | 6>(4, 6).chain((family) =>
  fc.boolean().chain((ping) =>
    fc.record({
      family: fc.constant(family),
      protocol: fc.constant(!ping ? 17 : family === 4 ? 1 : 58),
      original: ping ? pinged(family) : ported(family),
      reply: ping ? pinged(family) : ported(family),
      mark: u32,
      status: u32,
      zone: u16,
      id: u32,
    }),
  ),
);

describe('decoding', () => {
  test('gives back any flow', () => {
    fc.assert(
      fc.property(flow, (any) => {
        const read = readFlow(new ByteReader(report(any)));
        expect(read && flowText(read)).toBe(flowText(any));
        expect(read).toEqual(any);
      }),
    );
  });

  test('skips what is not of IP, and what has no tuple', () => {
    const bytes = report(dns);
    bytes.writeUInt8(7, 0);
    expect(readFlow(new ByteReader(bytes))).toBeUndefined();
    expect(readFlow(new ByteReader(Buffer.from('02000000', 'hex')))).toBeUndefined();
  });

  test('of whatever bytes ends, and fails only with DecodeError', () => {
    const changes = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 5 });
    fc.assert(
      fc.property(fc.constantFrom(dns, ping6), changes, fc.nat(), (any, spoilt, length) => {
        const bytes = report(any);
        for (const [at, value] of spoilt) bytes[at % bytes.length] = value;
        try {
          readFlow(new ByteReader(bytes.subarray(0, length % (bytes.length + 1))));
        } catch (error) {
          expect(error).toBeInstanceOf(DecodeError);
        }
      }),
    );
  });
});

test('the text of a flow is what conntrack prints', () => {
  expect(flowText({ ...dns, mark: 5 })).toBe(
    'udp src=192.0.2.9 dst=192.0.2.1 sport=40000 dport=53 src=10.1.0.2 dst=192.0.2.9 sport=5353 dport=40000 mark=5',
  );
  expect(flowText(ping6)).toBe(
    'icmpv6 src=2001:db8::9 dst=2001:db8::1 type=128 code=0 id=7 src=2001:db8::1 dst=2001:db8::9 type=129 code=0 id=7',
  );
});
