import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { type Family, IpAddress } from '../../net/address.ts';
import { transports } from '../../net/transport.ts';
import { ByteReader, ByteWriter, DecodeError } from '../netlink/bytes.ts';
import type { IpvsStep, RealServer, RealServerState, VirtualServer, VirtualServerState } from './objects.ts';
import { stepRequest } from './step-request.ts';
import { ipvsStepText } from './text.ts';
import {
  type IpvsAttributes,
  type IpvsCommand,
  ipvsCommands,
  ipvsMessage,
  readReal,
  readServer,
  readTimeouts,
  realAttributes,
  serverAttributes,
  serverIdAttributes,
  timeoutAttributes,
  writeIpvs,
} from './wire.ts';

const ip = IpAddress.parse;

function body(command: IpvsCommand, attributes?: IpvsAttributes): Buffer {
  const out = new ByteWriter(16);
  writeIpvs(out, command, attributes);
  return Buffer.from(out.bytes());
}

const bytesOf = (hex: string): ByteReader => new ByteReader(Buffer.from(hex.replaceAll(/\s+/g, ''), 'hex'));

const web: VirtualServer = {
  protocol: 'tcp',
  address: ip('10.96.0.1'),
  port: 80,
  scheduler: 'mh',
  persistentSeconds: 60,
  hashesPort: true,
};
const dns6: VirtualServer = {
  protocol: 'udp',
  address: ip('fd00::1'),
  port: 53,
  scheduler: 'rr',
  persistentSeconds: undefined,
  hashesPort: false,
};
const real: RealServer = { address: ip('10.244.1.3'), port: 8080, weight: 2 };
const real6: RealServer = { address: ip('fd00::2'), port: 5353, weight: 0 };

/** AF, PROTOCOL, ADDR, PORT. */
const webId =
  '06000100 02000000 06000200 06000000 14000300 0a600001 000000000000000000000000 06000400 00500000';
const dns6Id =
  '06000100 0a000000 06000200 11000000 14000300 fd000000000000000000000000000001 06000400 00350000';

describe('a step', () => {
  // As strace shows those of ipvsadm 1.31 under kernel 6.1, but for three things: the mask of the flags names only those that may be set;
  // a real server comes with no more of its virtual server than its name; tunnels have no attributes.
  test.each<readonly [IpvsStep, string]>([
    [
      { kind: 'server-add', server: web },
      `01010000 54000180 ${webId} 07000600 6d680000 0c000700 11000000 3d000000 08000800 3c000000 08000900 ffffffff`,
    ],
    [
      { kind: 'server-change', server: dns6 },
      `02010000 54000180 ${dns6Id} 07000600 72720000 0c000700 00000000 3d000000 08000800 00000000 08000900 80000000`,
    ],
    [{ kind: 'server-delete', server: web }, `03010000 30000180 ${webId}`],
    [
      { kind: 'real-add', server: web, real },
      `05010000 30000180 ${webId} 48000280 14000100 0af40103 000000000000000000000000 06000200 1f900000
        08000300 00000000 08000400 02000000 08000500 00000000 08000600 00000000 06000b00 02000000`,
    ],
    [
      { kind: 'real-change', server: dns6, real: real6 },
      `06010000 30000180 ${dns6Id} 48000280 14000100 fd000000000000000000000000000002 06000200 14e90000
        08000300 00000000 08000400 00000000 08000500 00000000 08000600 00000000 06000b00 0a000000`,
    ],
    [
      { kind: 'real-delete', server: web, real },
      `07010000 30000180 ${webId} 28000280 14000100 0af40103 000000000000000000000000 06000200 1f900000 06000b00 02000000`,
    ],
  ])('$kind', (step, golden) => {
    const { command, attributes } = stepRequest(step);
    expect(body(command, attributes()).toString('hex')).toBe(golden.replaceAll(/\s+/g, ''));
  });
});

/** IPVS_*_ATTR_STATS and STATS64, which end every answer about a server and are skipped. */
const statistics = `5c000a00 08000100 00000000 08000200 00000000 08000300 00000000 0c000400 0000000000000000
  0c000500 0000000000000000 08000600 00000000 08000700 00000000 08000800 00000000 08000900 00000000 08000a00 00000000
  7c000c00 ${Array.from({ length: 10 }, (_, i) => `0c000${(i + 1).toString(16)}00 0000000000000000`).join(' ')}`;

// All captured from kernel 6.1; ipvsadm made what they tell of.
describe('an answer of the kernel', () => {
  test.each<readonly [string, string, VirtualServerState | undefined]>([
    [
      '-A -t 10.96.0.1:80 -s mh -p 10800 -b mh-port',
      `01010000 2c010100 ${webId} 07000600 6d680000 0c000700 13000000 ffffffff 08000800 302a0000 08000900 ffffffff`,
      { ...web, persistentSeconds: 10_800, hasOtherOptions: false },
    ],
    [
      '-A -u [fd00::1]:53 -s rr',
      `01010000 2c010100 ${dns6Id} 07000600 72720000 0c000700 02000000 ffffffff 08000800 00000000 08000900 80000000`,
      { ...dns6, hasOtherOptions: false },
    ],
    [
      '-A --sctp-service 10.96.0.1:99 -s sh -p 5 -M 255.255.255.0 -b sh-fallback',
      `01010000 2c010100 06000100 02000000 06000200 84000000 14000300 0a600001 000000000000000000000000
        06000400 00630000 07000600 73680000 0c000700 0b000000 ffffffff 08000800 05000000 08000900 ffffff00`,
      {
        protocol: 'sctp',
        address: ip('10.96.0.1'),
        port: 99,
        scheduler: 'sh',
        persistentSeconds: 5,
        hashesPort: false,
        hasOtherOptions: true,
      },
    ],
    [
      '-A -u 10.9.9.9:5060 -s wlc -p 60 --pe sip',
      `01010000 34010100 06000100 02000000 06000200 11000000 14000300 0a090909 000000000000000000000000 06000400 13c40000
        08000600 776c6300 08000b00 73697000 0c000700 03000000 ffffffff 08000800 3c000000 08000900 ffffffff`,
      {
        protocol: 'udp',
        address: ip('10.9.9.9'),
        port: 5060,
        scheduler: 'wlc',
        persistentSeconds: 60,
        hashesPort: false,
        hasOtherOptions: true,
      },
    ],
    [
      '-A -f 7 -s wlc',
      `01010000 10010100 06000100 02000000 08000500 07000000 08000600 776c6300 0c000700 02000000 ffffffff
        08000800 00000000 08000900 ffffffff`,
      undefined,
    ],
  ])('about %s', (_, hex, expected) => {
    expect(readServer(bytesOf(`${hex} ${statistics}`))).toEqual(expected);
  });

  const none = { activeConnections: 0, inactiveConnections: 0, persistentConnections: 0 };
  const counts = '08000700 00000000 08000800 00000000 08000900 00000000';
  const tunnel = '05000d00 00000000 06000e00 00000000 06000f00 00000000 08000500 00000000 08000600 00000000';
  test.each<readonly [string, Family, string, RealServerState]>([
    [
      '-r 10.244.1.2:8080 -m -w 1',
      4,
      `05010000 50010200 14000100 0af40102 000000000000000000000000 06000200 1f900000 08000300 00000000 08000400 01000000
        ${tunnel} ${counts} 06000b00 02000000`,
      { address: ip('10.244.1.2'), port: 8080, weight: 1, isNat: true, ...none },
    ],
    [
      '-r [fd00::2]:5353 -m -w 0',
      6,
      `05010000 50010200 14000100 fd000000000000000000000000000002 06000200 14e90000 08000300 00000000 08000400 00000000
        ${tunnel} ${counts} 06000b00 0a000000`,
      { ...real6, isNat: true, ...none },
    ],
    [
      '-r 10.244.1.3:99 -i -w 1',
      4,
      `05010000 50010200 14000100 0af40103 000000000000000000000000 06000200 00630000 08000300 02000000 08000400 01000000
        ${tunnel} ${counts} 06000b00 02000000`,
      { address: ip('10.244.1.3'), port: 99, weight: 1, isNat: false, ...none },
    ],
  ])('about %s', (_, family, hex, expected) => {
    expect(readReal(bytesOf(`${hex} ${statistics}`), family)).toEqual(expected);
  });

  test('about timeouts', () => {
    expect(readTimeouts(bytesOf('0c010000 08000400 84030000 08000500 78000000 08000600 2c010000'))).toEqual({
      tcp: 900,
      tcpFin: 120,
      udp: 300,
    });
  });

  test('without the family of a real server (before 3.18) is of the virtual server’s', () => {
    const hex = '05010000 20000200 14000100 0af40102 000000000000000000000000 06000200 1f900000';
    expect(readReal(bytesOf(hex), 4)?.address).toEqual(ip('10.244.1.2'));
    expect(readReal(bytesOf(hex), 6)?.address).toEqual(ip('af4:102::'));
  });
});

const u16 = fc.nat(0xffff);
const u32 = fc.integer({ min: 0, max: 0xffffffff });
const address = (family: Family): fc.Arbitrary<IpAddress> => {
  const size = family === 4 ? 4 : 16;
  return fc.uint8Array({ minLength: size, maxLength: size }).map((bytes) => IpAddress.fromBytes(bytes));
};
const family = fc.constantFrom<Family>(4, 6);
const server: fc.Arbitrary<VirtualServer> = family.chain((of) =>
  fc.record({
    protocol: fc.constantFrom(...transports),
    address: address(of),
    port: u16,
    scheduler: fc.constantFrom('rr', 'mh', 'lblcr', 'none'),
    persistentSeconds: fc.option(u32, { nil: undefined }),
    hashesPort: fc.boolean(),
  }),
);
const anyReal: fc.Arbitrary<RealServerState> = family.chain((of) =>
  fc.record({
    address: address(of),
    port: u16,
    weight: u32,
    isNat: fc.boolean(),
    activeConnections: u32,
    inactiveConnections: u32,
    persistentConnections: u32,
  }),
);

/** As the kernel reports it. */
function report(state: RealServerState): Buffer {
  const { IPVS_CMD_ATTR_DEST: own } = realAttributes(web, state);
  return body(ipvsCommands.newDestination, {
    IPVS_CMD_ATTR_DEST: {
      ...own,
      IPVS_DEST_ATTR_FWD_METHOD: state.isNat ? 0 : 3,
      IPVS_DEST_ATTR_ACTIVE_CONNS: state.activeConnections,
      IPVS_DEST_ATTR_INACT_CONNS: state.inactiveConnections,
      IPVS_DEST_ATTR_PERSIST_CONNS: state.persistentConnections,
    },
  });
}

describe('decoding', () => {
  test('gives back any virtual server', () => {
    fc.assert(
      fc.property(server, (any) => {
        const bytes = body(ipvsCommands.newService, serverAttributes(any));
        expect(readServer(new ByteReader(bytes))).toEqual({ ...any, hasOtherOptions: false });
      }),
    );
  });

  test('gives back any real server', () => {
    fc.assert(
      fc.property(anyReal, (any) => {
        expect(readReal(new ByteReader(report(any)), 4)).toEqual(any);
      }),
    );
  });

  test('gives back any timeouts, but zero, which is not sent', () => {
    fc.assert(
      fc.property(fc.record({ tcp: u32, tcpFin: u32, udp: u32 }), (any) => {
        const bytes = body(ipvsCommands.setConfig, timeoutAttributes(any));
        expect(readTimeouts(new ByteReader(bytes))).toEqual(any);
      }),
    );
    expect(body(ipvsCommands.setConfig, timeoutAttributes({ tcp: 0, tcpFin: 0, udp: 0 }))).toHaveLength(4);
  });

  test('skips what has no ports, is of another family, or says nothing', () => {
    const { IPVS_CMD_ATTR_SERVICE: own } = serverAttributes(web);
    const read = (changes: IpvsAttributes['IPVS_CMD_ATTR_SERVICE']) =>
      readServer(
        new ByteReader(body(ipvsCommands.newService, { IPVS_CMD_ATTR_SERVICE: { ...own, ...changes } })),
      );
    expect(read({})).toBeDefined();
    expect(read({ IPVS_SVC_ATTR_PROTOCOL: 51 })).toBeUndefined();
    expect(read({ IPVS_SVC_ATTR_AF: 1 })).toBeUndefined();
    expect(readServer(bytesOf('01010000'))).toBeUndefined();
    expect(readReal(bytesOf('05010000'), 4)).toBeUndefined();
    expect(() => read({ IPVS_SVC_ATTR_AF: 10, IPVS_SVC_ATTR_ADDR: new Uint8Array(4) })).not.toThrow();
  });

  test('of whatever bytes ends, and fails only with DecodeError', () => {
    const changes = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 5 });
    const message = fc.oneof(
      server.map((any) => body(ipvsCommands.newService, serverAttributes(any))),
      anyReal.map(report),
    );
    fc.assert(
      fc.property(message, changes, fc.nat(), (bytes, spoilt, length) => {
        for (const [at, value] of spoilt) bytes[at % bytes.length] = value;
        const cut = bytes.subarray(0, length % (bytes.length + 1));
        for (const read of [readServer, readTimeouts, (input: ByteReader) => readReal(input, 6)]) {
          try {
            read(new ByteReader(cut));
          } catch (error) {
            expect(error).toBeInstanceOf(DecodeError);
          }
        }
      }),
    );
  });

  test('of an address that is too short says so', () => {
    const short = '01010000 24000180 06000100 0a000000 06000200 06000000 08000300 0a600001 06000400 00500000';
    expect(() => readServer(bytesOf(short))).toThrow(/^Cannot read an IPv6 address of 4 bytes$/);
  });
});

test('the message names the virtual server that it asks for', () => {
  const asked = ipvsMessage.read(new ByteReader(body(ipvsCommands.getService, serverIdAttributes(dns6))));
  expect(asked).toMatchObject({ command: 4, version: 1 });
  expect(ipvsStepText({ kind: 'server-delete', server: dns6 })).toBe('ipvsadm -D -u [fd00::1]:53');
});
