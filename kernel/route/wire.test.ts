import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import ifla from 'netlink/dist/rt/ifla.js';
import oracle from 'netlink/dist/rt/structs.js';
import { AttrStream } from 'netlink/dist/structs.js';
import { IpAddress } from '../../net/address.ts';
import { Mac } from '../../net/mac.ts';
import { Prefix } from '../../net/prefix.ts';
import { ByteReader, ByteWriter, DecodeError } from '../netlink/bytes.ts';
import { satisfies } from './difference.ts';
import { scope, states } from './driver-cases.ts';
import {
  type FdbEntry,
  type InterfaceAddress,
  type Link,
  type Neighbour,
  type NeighbourState,
  type NextHop,
  type Route,
  type Rule,
  routeState,
} from './objects.ts';
import { planRoute } from './plan.ts';
import { stepRequest } from './requests.ts';
import {
  RTM_DELADDR,
  RTM_DELRULE,
  RTM_NEWADDR,
  RTM_NEWLINK,
  RTM_NEWNEIGH,
  RTM_NEWROUTE,
  RTM_NEWRULE,
} from './rtnetlink.ts';
import type { RouteStep } from './step.ts';
import { readChanges } from './watch.ts';
import { readAddress, writeAddress } from './wire-address.ts';
import {
  readLink,
  readLinkName,
  readPort,
  writeLinkAdd,
  writeLinkQuery,
  writeLinkSet,
  writePort,
} from './wire-link.ts';
import { readNeighbour, writeFdbEntry, writeNeighbour } from './wire-neighbour.ts';
import { readRoute, writeRoute, writeRouteDelete, writeRouteQuery } from './wire-route.ts';
import { readRule, writeRule } from './wire-rule.ts';
import { readVlans, writeVlan, writeVlanDump } from './wire-vlan.ts';

const known = ['lo', 'eth0', 'cni0', 'flannel.1', 'veth1'];
const links = {
  indexOf: (name: string) => known.indexOf(name) + 1,
  nameOf: (index: number) => known[index - 1],
};

function encoded(write: (out: ByteWriter) => void): Buffer {
  const out = new ByteWriter(16);
  write(out);
  return Buffer.from(out.bytes());
}

function hex(text: string): string {
  return text.replaceAll(/\s+/g, '');
}

const name = fc.constantFrom(...known);
const mac = fc.uint8Array({ minLength: 6, maxLength: 6 }).map((bytes) => Mac.fromBytes(bytes));
const address = (family: 4 | 6): fc.Arbitrary<IpAddress> => {
  const size = family === 4 ? 4 : 16;
  return fc.uint8Array({ minLength: size, maxLength: size }).map((bytes) => IpAddress.fromBytes(bytes));
};
const prefix = (family: 4 | 6): fc.Arbitrary<Prefix> =>
  fc
    .tuple(address(family), fc.integer({ min: 0, max: family === 4 ? 32 : 128 }))
    .map(([ip, length]) => new Prefix(ip, length).network());
const family = fc.constantFrom<4 | 6>(4, 6);
const u32 = fc.integer({ min: 0, max: 0xffffffff });
const maybe = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.option(value, { nil: undefined });

const link: fc.Arbitrary<Link> = fc.record({
  name,
  mac,
  mtu: u32,
  up: fc.boolean(),
  promiscuous: fc.boolean(),
  master: fc.constantFrom('', 'cni0'),
  txQueueLength: u32,
  detail: fc.oneof(
    fc
      .constantFrom<Link['detail']['kind'] & ('veth' | 'bridge' | 'tun' | 'ifb' | 'dummy' | 'wireguard')>(
        'veth',
        'tun',
        'ifb',
        'dummy',
        'wireguard',
      )
      .map((kind) => ({ kind })),
    fc.record({
      kind: fc.constant('vxlan' as const),
      vni: fc.integer({ min: 0, max: 0xffffff }),
      port: fc.integer({ min: 0, max: 0xffff }),
      local: maybe(family.chain(address)),
      underlay: maybe(name),
      learning: fc.boolean(),
      gbp: fc.boolean(),
    }),
    fc.record({
      kind: fc.constant('ipip' as const),
      local: maybe(address(4).filter((ip) => !ip.isUnspecified)),
      remote: maybe(address(4).filter((ip) => !ip.isUnspecified)),
    }),
  ),
});

const hop = (of: 4 | 6, many: boolean): fc.Arbitrary<NextHop> =>
  fc
    .record({
      // IPv4 through an IPv6 gateway (RTA_VIA) is a route too.
      gateway: maybe(of === 4 ? family.chain(address) : address(6)),
      link: maybe(name),
      onlink: fc.boolean(),
      ...(many && { weight: fc.integer({ min: 1, max: 256 }) }),
    })
    .filter((each) => each.gateway !== undefined || each.link !== undefined);

const route: fc.Arbitrary<Route> = family.chain((of) =>
  fc.record({
    destination: prefix(of),
    table: u32,
    priority: u32,
    protocol: fc.integer({ min: 0, max: 255 }),
    type: fc.constant('unicast' as const),
    scope:
      of === 4
        ? fc.constantFrom('global' as const, 'link' as const, 'host' as const)
        : fc.constant(undefined),
    hops: fc.oneof(
      hop(of, false).map((each) => [each]),
      fc.array(hop(of, true), { minLength: 2, maxLength: 5 }),
    ),
    source: maybe(address(of)),
    mtu: u32,
    advmss: u32,
  }),
);

const state = fc.constantFrom<NeighbourState>('permanent', 'reachable', 'stale', 'noarp', 'failed', 'none');
const neighbour: fc.Arbitrary<Neighbour> = family.chain((of) =>
  fc.record({ link: name, address: address(of), mac: maybe(mac), state }),
);
const fdbEntry: fc.Arbitrary<FdbEntry> = fc
  .record({ link: name, mac, remote: maybe(family.chain(address)), self: fc.boolean(), state })
  .filter((entry) => !(entry.self && entry.mac.isMulticast && entry.remote === undefined));
const interfaceAddress: fc.Arbitrary<InterfaceAddress> = family.chain((of) =>
  fc.record({
    link: name,
    prefix: fc
      .tuple(address(of), fc.integer({ min: 0, max: of === 4 ? 32 : 128 }))
      .map(([ip, length]) => new Prefix(ip, length)),
    scope: fc.constantFrom('global' as const, 'site' as const, 'link' as const, 'host' as const),
    broadcast: maybe(address(of)),
    noDad: fc.boolean(),
  }),
);
const rule: fc.Arbitrary<Rule> = family.chain((of) =>
  fc.record({
    family: fc.constant(of),
    priority: u32,
    source: maybe(prefix(of).filter(({ length }) => length > 0)),
    destination: maybe(prefix(of).filter(({ length }) => length > 0)),
    ...{ mark: u32, markMask: u32 },
    inputLink: maybe(name),
    table: u32,
    protocol: fc.integer({ min: 0, max: 255 }),
    action: fc.constantFrom(
      'lookup' as const,
      'blackhole' as const,
      'unreachable' as const,
      'prohibit' as const,
    ),
  }),
);

/** Encode, decode, encode: what is read says all that was written. */
function roundTrips<T>(
  values: fc.Arbitrary<T>,
  codec: { write(out: ByteWriter, value: T): void; read(input: ByteReader): T | undefined },
): void {
  fc.assert(
    fc.property(values, (value) => {
      const bytes = encoded((out) => codec.write(out, value));
      const back = codec.read(new ByteReader(bytes));
      expect(back).toBeDefined();
      if (back === undefined) return;
      expect(satisfies(value, back)).toBe(true);
      expect(encoded((out) => codec.write(out, back)).toString('hex')).toBe(bytes.toString('hex'));
    }),
  );
}

describe('encode, decode, encode', () => {
  test('links', () => {
    roundTrips(link, {
      write: (out, value) => writeLinkAdd(out, value, links),
      read: (input) => readLink(input, links).link,
    });
  });
  test('routes', () => {
    roundTrips(route, {
      write: (out, value) => writeRoute(out, value, links),
      read: (input) => readRoute(input, links),
    });
  });
  test('addresses', () => {
    roundTrips(interfaceAddress, {
      write: (out, value) => writeAddress(out, value, links),
      read: (input) => readAddress(input, links),
    });
  });
  test('neighbours', () => {
    roundTrips(neighbour, {
      write: (out, value) => writeNeighbour(out, value, links),
      read: (input) => {
        const report = readNeighbour(input, links);
        return report?.kind === 'neighbour' ? report.neighbour : undefined;
      },
    });
  });
  test('FDB entries', () => {
    roundTrips(fdbEntry, {
      write: (out, value) => writeFdbEntry(out, value, links),
      read: (input) => {
        const report = readNeighbour(input, links);
        return report?.kind === 'fdb' ? report.entry : undefined;
      },
    });
  });
  test('rules', () => {
    roundTrips(rule, { write: writeRule, read: readRule });
  });
  test('bridge ports', () => {
    const port = fc.record({
      link: name,
      hairpin: maybe(fc.boolean()),
      isolated: maybe(fc.boolean()),
      learning: maybe(fc.boolean()),
    });
    roundTrips(port, { write: writePort, read: (input) => readLink(input, links).port });
  });
});

const vtep: Link = {
  name: 'flannel.1',
  detail: {
    kind: 'vxlan',
    vni: 1,
    port: 8472,
    local: IpAddress.parse('192.0.2.1'),
    underlay: 'eth0',
    learning: false,
  },
  mtu: 1450,
  up: true,
};

describe('the bytes', () => {
  test.each([
    {
      what: 'a VXLAN device: nested data, the port in network order',
      bytes: encoded((out) => writeLinkAdd(out, vtep, links)),
      golden: `00000000 00000000 01000000 01000000
        0e000300 666c616e6e656c2e3100 0000 08000400 aa050000
        3c001280 0a000100 76786c616e00 0000 2c000280
          08000100 01000000 08000300 02000000 08000400 c0000201 05000700 00000000 06000f00 21180000`,
    },
    {
      what: 'only what changes of a link',
      bytes: encoded((out) => writeLinkSet(out, { ...vtep, mtu: 1400 }, { was: vtep, links })),
      golden: '00000000 00000000 00000000 00000000 0e000300 666c616e6e656c2e3100 0000 08000400 78050000',
    },
    {
      what: 'a link out of its bridge',
      bytes: encoded((out) =>
        writeLinkSet(out, { ...vtep, name: 'lo', master: '' }, { was: { ...vtep, master: 'cni0' }, links }),
      ),
      golden: '00000000 00000000 00000000 00000000 07000300 6c6f00 00 08000a00 00000000',
    },
    {
      what: 'a link by number',
      bytes: encoded((out) => writeLinkQuery(out, { index: 3 })),
      golden: '00000000 03000000 00000000 00000000',
    },
    {
      what: 'a route that is deleted: whatever its scope, source and metrics',
      bytes: encoded((out) =>
        writeRouteDelete(
          out,
          {
            destination: Prefix.parse('10.1.2.0/24'),
            table: 254,
            priority: 0,
            protocol: 78,
            type: 'unicast',
            hops: [{ gateway: IpAddress.parse('10.1.2.0'), link: 'flannel.1', onlink: true }],
            source: IpAddress.parse('10.1.0.0'),
            mtu: 1400,
          },
          links,
        ),
      ),
      golden:
        '02180000 fe4eff01 04000000 08000100 0a010200 08000400 04000000 08000500 0a010200 08000f00 fe000000',
    },
    {
      what: 'the question for a way',
      bytes: encoded((out) => writeRouteQuery(out, IpAddress.parse('192.0.2.9'))),
      golden: '02200000 00000000 00000000 08000100 c0000209',
    },
    {
      what: 'a bridge that begins to filter by VLAN: the option of its kind alone',
      bytes: encoded((out) =>
        writeLinkSet(
          out,
          { name: 'cni0', detail: { kind: 'bridge', vlanFiltering: true } },
          { was: { name: 'cni0', detail: { kind: 'bridge', vlanFiltering: false } }, links },
        ),
      ),
      golden: `00000000 00000000 00000000 00000000 09000300 636e693000 000000
        1c001280 0b000100 62726964676500 00 0c000280 05000700 01 000000`,
    },
    {
      what: 'promiscuity: a flag of its own beside that of being up',
      bytes: encoded((out) =>
        writeLinkSet(out, { ...vtep, name: 'lo', promiscuous: true }, { was: vtep, links }),
      ),
      golden: '00000000 00000000 00010000 00010000 07000300 6c6f00 00',
    },
    {
      what: 'a VLAN of the bridge itself',
      bytes: encoded((out) =>
        writeVlan(
          out,
          { link: 'cni0', vlan: { first: 100, last: 100, pvid: true, untagged: true }, self: true },
          links,
        ),
      ),
      golden: '07000000 03000000 00000000 00000000 14001a80 06000000 02000000 08000200 06006400',
    },
    {
      what: 'a range of VLANs of a port: its two ends',
      bytes: encoded((out) =>
        writeVlan(
          out,
          { link: 'veth1', vlan: { first: 10, last: 20, pvid: false, untagged: false }, self: false },
          links,
        ),
      ),
      golden: '07000000 05000000 00000000 00000000 14001a80 08000200 08000a00 08000200 10001400',
    },
    {
      what: 'the question for all VLANs, in ranges',
      bytes: encoded(writeVlanDump),
      golden: '07000000 00000000 00000000 00000000 08001d00 04000000',
    },
  ])('of $what', ({ bytes, golden }) => {
    expect(bytes.toString('hex')).toBe(hex(golden));
  });

  test.each([
    { first: 0, last: 5, pvid: false, says: 'Cannot use VLANs 0 to 5 of "veth1": want 1 to 4094, in order' },
    { first: 9, last: 5, pvid: false, says: 'Cannot use VLANs 9 to 5 of "veth1": want 1 to 4094, in order' },
    {
      first: 9,
      last: 4095,
      pvid: false,
      says: 'Cannot use VLANs 9 to 4095 of "veth1": want 1 to 4094, in order',
    },
    {
      first: 5,
      last: 9,
      pvid: true,
      says: 'Cannot make VLANs 5 to 9 the PVID of "veth1": it can only be one',
    },
  ])('are not written for VLANs that cannot be: $first to $last', ({ says, ...range }) => {
    const change = { link: 'veth1', vlan: { ...range, untagged: false }, self: false };
    expect(() => encoded((out) => writeVlan(out, change, links))).toThrow(says);
  });

  test('of the VLANs of a port, as the kernel dumps them', () => {
    const port = `07000100 05000000 43100100 00000000 0a000300 766574683100 0000 08000a00 03000000`;
    const vlans = `24001a00 08000200 06000100 08000200 08000a00 08000200 10001400 08000200 04001e00`;
    const read = (text: string) => readVlans(new ByteReader(Buffer.from(hex(text), 'hex')));
    expect(read(port + vlans)).toEqual({
      link: 'veth1',
      vlans: [
        { first: 1, last: 1, pvid: true, untagged: true },
        { first: 10, last: 20, pvid: false, untagged: false },
        { first: 30, last: 30, pvid: false, untagged: true },
      ],
    });
    expect(read(port)).toEqual({ link: 'veth1', vlans: [] });
    expect(() => read(`${port} 0c001a00 08000200 10001400`)).toThrow(
      'Cannot read the VLANs of "veth1": a range that ends at 20 has half its ends',
    );
  });

  test('of a veth peer: its name, MAC and MTU, and never up', () => {
    const pod: Link = {
      name: 'veth1',
      detail: { kind: 'veth', peer: { name: 'eth0', mac: Mac.parse('02:00:00:00:00:05'), mtu: 1450 } },
      up: true,
    };
    expect(encoded((out) => writeLinkAdd(out, pod, links)).toString('hex')).toBe(
      hex(`00000000 00000000 01000000 01000000 0a000300 766574683100 0000
        48001280 09000100 7665746800 000000 38000280 34000180
          00000000 00000000 00000000 00000000 0a000100 020000000005 0000 09000300 6574683000 000000 08000400 aa050000`),
    );
  });
});

describe('decoding', () => {
  test('a MAC that is none (a tunnel), a TAP device, an unknown kind, a link without a kind', () => {
    const read = (body: string): Link => readLink(new ByteReader(Buffer.from(hex(body), 'hex')), links).link;
    const header = '00000003 05000000 c1000100 00000000';
    expect(read(`${header} 08000100 c0000201 09000300 74756e3000 000000`)).toMatchObject({
      name: 'tun0',
      mac: undefined,
      up: true,
      running: true,
      master: '',
      detail: { kind: 'other', type: '' },
    });
    const tap = '18001200 08000100 74756e00 0c000200 05000300 02000000';
    expect(read(`${header} 09000300 74756e3000 000000 ${tap}`).detail).toEqual({
      kind: 'other',
      type: 'tap',
    });
    const vlan = '18001200 09000100 766c616e00 000000 08000200 ffffffff';
    expect(read(`${header} 09000300 74756e3000 000000 ${vlan}`).detail).toEqual({
      kind: 'other',
      type: 'vlan',
    });
  });

  test('the underlay of a device that lies in another namespace is unknown', () => {
    const foreign = Buffer.concat([
      encoded((out) => writeLinkAdd(out, vtep, links)),
      Buffer.from('0800250000000000', 'hex'),
    ]);
    expect(readLink(new ByteReader(foreign), links).link.detail).toMatchObject({ underlay: undefined });
  });

  test('skips the routes of a cache and of families that are not ours', () => {
    const body = encoded((out) => writeRouteQuery(out, IpAddress.parse('192.0.2.9')));
    body.writeUInt32LE(0x200, 8);
    expect(readRoute(new ByteReader(body), links)).toBeUndefined();
    expect(readRoute(new ByteReader(body), links, { cached: true })?.destination.toString()).toBe(
      '192.0.2.9/32',
    );
    body.writeUInt8(28, 0);
    expect(readRoute(new ByteReader(body), links)).toBeUndefined();
  });

  test.each([
    ['a prefix longer than its address', '02210000 fe020001 00000000 08000100 0a000000', 'must be 0 to 32'],
    ['an address of the other family', '0a200000 fe020001 00000000 08000100 0a000000', 'of another family'],
    [
      'a next hop that says it has no length',
      '02180000 fe020001 00000000 0c000900 0000000000000000',
      'length is 0',
    ],
  ])('refuses a route with %s', (_, body, message) => {
    const read = (): unknown => readRoute(new ByteReader(Buffer.from(hex(body), 'hex')), links);
    expect(read).toThrow(DecodeError);
    expect(read).toThrow(message);
  });
});

const names = { ...links, add: () => undefined, remove: () => undefined };
const decoders: Readonly<Record<string, (input: ByteReader) => unknown>> = {
  link: (input) => readLink(input, links),
  linkName: readLinkName,
  port: readPort,
  address: (input) => readAddress(input, links),
  route: (input) => readRoute(input, links),
  neighbour: (input) => readNeighbour(input, links),
  rule: readRule,
  ...Object.fromEntries(
    [RTM_NEWLINK, RTM_NEWADDR, RTM_DELADDR, RTM_NEWROUTE, RTM_NEWNEIGH, RTM_NEWRULE, RTM_DELRULE].map(
      (type) => [`change ${type}`, (body: ByteReader) => [...readChanges({ type, flags: 0, body }, names)]],
    ),
  ),
};

/** All requests of all states: bodies that the kernel takes. */
const bodies = states.flatMap(({ desired }) =>
  planRoute(desired, routeState({}), scope).map((step) => ({ step, body: bodyOf(step) })),
);

function bodyOf(step: RouteStep): Buffer {
  return encoded((out) => stepRequest(step).write(out, links));
}

describe('whatever the bytes are, decoding ends, and fails only with DecodeError', () => {
  const decodes = (bytes: Uint8Array): void => {
    for (const decode of Object.values(decoders)) {
      try {
        decode(new ByteReader(Buffer.from(bytes)));
      } catch (error) {
        if (!(error instanceof DecodeError)) throw error;
      }
    }
  };

  test('random bytes', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), decodes), { numRuns: 500 });
  });

  test('requests with bytes changed, cut off or added', () => {
    const damaged = fc
      .tuple(
        fc.constantFrom(...bodies.map(({ body }) => body)),
        fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { maxLength: 6 }),
        fc.nat(),
        fc.uint8Array({ maxLength: 20 }),
      )
      .map(([body, changes, cut, tail]) => {
        const bytes = Buffer.concat([body.subarray(0, body.length - (cut % 5) * 4), tail]);
        for (const [at, value] of changes) if (bytes.length > 0) bytes[at % bytes.length] = value;
        return bytes;
      });
    fc.assert(fc.property(damaged, decodes), { numRuns: 1500 });
  });

  test('attributes nested without end', () => {
    let nested = Buffer.alloc(0);
    for (let i = 0; i < 200; i++) {
      const header = Buffer.alloc(4);
      header.writeUInt16LE(nested.length + 4, 0);
      header.writeUInt16LE(i % 2 === 0 ? 18 : 2, 2);
      nested = Buffer.concat([header, nested]);
    }
    decodes(Buffer.concat([Buffer.alloc(16), nested]));
  });
});

describe('the npm package "netlink" as an independent oracle', () => {
  const formats = {
    link: oracle.formatLinkMessage,
    address: oracle.formatAddressMessage,
    route: oracle.formatRouteMessage,
    neighbor: oracle.formatNeighborMessage,
    rule: oracle.formatRuleMessage,
  };

  /** What it makes of our bytes, written by it. */
  function rewritten(type: number, body: Buffer): Buffer {
    const message = oracle.parseMessage(type, body);
    const out = new AttrStream();
    switch (message.kind) {
      case 'link':
        formats.link(message, out);
        break;
      case 'address':
        formats.address(message, out);
        break;
      case 'route':
        formats.route(message, out);
        break;
      case 'neighbor':
        formats.neighbor(message, out);
        break;
      case 'rule':
        formats.rule(message, out);
        break;
      default:
        throw new TypeError(`Cannot write a message of kind "${message.kind}"`);
    }
    return Buffer.concat(out.bufs);
  }

  test('reads all that we write, and we read all that it writes of that', () => {
    const reads: Readonly<Record<string, (input: ByteReader) => unknown>> = {
      link: (input) => readLink(input, links),
      port: (input) => readLink(input, links),
      address: (input) => readAddress(input, links),
      neighbour: (input) => readNeighbour(input, links),
      fdb: (input) => readNeighbour(input, links),
      route: (input) => readRoute(input, links),
      rule: readRule,
    };
    expect(bodies.length).toBeGreaterThan(30);
    for (const { step, body } of bodies) {
      const read = reads[step.kind.split('-')[0] ?? ''];
      const back = rewritten(stepRequest(step).type, body);
      expect(read?.(new ByteReader(back))).toEqual(read?.(new ByteReader(body)));
    }
  });

  test('finds in a route what we put there', () => {
    const body = encoded((out) =>
      writeRoute(
        out,
        {
          destination: Prefix.parse('10.1.3.0/24'),
          table: 254,
          priority: 7,
          protocol: 78,
          type: 'unicast',
          hops: [{ gateway: IpAddress.parse('192.0.2.3'), link: 'eth0' }],
          source: IpAddress.parse('192.0.2.1'),
          mtu: 1400,
        },
        links,
      ),
    );
    expect(oracle.parseRouteMessage(body)).toMatchObject({
      data: { family: 2, dstLen: 24, table: 254, protocol: 78, scope: 'UNIVERSE', type: 'UNICAST' },
      attrs: {
        dst: Buffer.from([10, 1, 3, 0]),
        gateway: Buffer.from([192, 0, 2, 3]),
        oif: 2,
        priority: 7,
        prefsrc: Buffer.from([192, 0, 2, 1]),
        metrics: { mtu: Buffer.from([0x78, 5, 0, 0]) },
      },
    });
  });

  test('finds in a VXLAN device, an FDB entry and a rule what we put there', () => {
    const body = encoded((out) => writeLinkAdd(out, vtep, links));
    const message = oracle.parseLinkMessage(body);
    expect(message).toMatchObject({
      data: { flags: { up: true } },
      attrs: { ifname: 'flannel.1', mtu: 1450 },
    });
    // Its LINKINFO is opaque: the data of the kind follows the kind (12 bytes) and its own header.
    const info = Buffer.from(message.attrs.linkinfo ?? Buffer.alloc(0));
    expect(ifla.parseVxlan(info.subarray(16))).toMatchObject({
      id: 1,
      link: 2,
      local: Buffer.from([192, 0, 2, 1]),
      learning: 0,
      // In network order.
      port: Buffer.from([0x21, 0x18]),
    });
    const entry: FdbEntry = {
      link: 'flannel.1',
      mac: Mac.parse('02:00:00:00:00:12'),
      remote: IpAddress.parse('192.0.2.2'),
      self: true,
      state: 'permanent',
    };
    expect(oracle.parseNeighborMessage(encoded((out) => writeFdbEntry(out, entry, links)))).toMatchObject({
      data: { family: 7, ifindex: 4, state: { permanent: true }, flags: { self: true } },
      attrs: { dst: Buffer.from([192, 0, 2, 2]), lladdr: Buffer.from([2, 0, 0, 0, 0, 0x12]) },
    });
    const marked: Rule = {
      family: 4,
      priority: 100,
      mark: 0x40,
      markMask: 0xff,
      table: 300,
      protocol: 78,
      action: 'lookup',
    };
    expect(oracle.parseRuleMessage(encoded((out) => writeRule(out, marked)))).toMatchObject({
      data: { family: 2, action: 'toTbl' },
      attrs: { priority: 100, fwmark: 0x40, fwmask: 0xff, table: 300, protocol: 78 },
    });
  });
});
