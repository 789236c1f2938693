import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { ByteReader, ByteWriter, DecodeError } from './bytes.ts';
import { controllerMessage, familyRequest } from './generic-family.ts';
import { writeRequest } from './message.ts';

function encoded(write: (out: ByteWriter) => void): Buffer {
  const out = new ByteWriter(16);
  write(out);
  return Buffer.from(out.bytes());
}

describe('a family of generic netlink', () => {
  test('is asked for as ipvsadm asks', () => {
    const bytes = encoded((out) => writeRequest(out, familyRequest('IPVS'), { sequence: 1, flags: 0 }));
    expect(bytes.toString('hex')).toBe(
      // length, type 16, NLM_F_REQUEST, number, port; GETFAMILY, version; CTRL_ATTR_FAMILY_NAME
      '20000000100001000100000000000000' + '03020000' + '090002004950565300000000',
    );
  });

  test('is read from the answer of kernel 6.1', () => {
    const answer =
      '010200000900020049505653000000000600010020000000080003000100000008000400000000000800050006000000' +
      // Operations, of which the first two are here.
      '2c000600140001000800010001000000080002000b000000140002000800010002000000080002000b000000';
    expect(controllerMessage.read(new ByteReader(Buffer.from(answer, 'hex')))).toEqual({
      command: 1,
      version: 2,
      attributes: { CTRL_ATTR_FAMILY_ID: 32, CTRL_ATTR_FAMILY_NAME: 'IPVS', CTRL_ATTR_VERSION: 1 },
    });
  });

  test.each(['', 'a-name-of-sixteen', 'ÄÄÄÄÄÄÄÄ'])('has no such name: "%s"', (name) => {
    expect(() => familyRequest(name)).toThrow(
      new RangeError(`Cannot find generic netlink family "${name}": a name has 1 to 15 bytes`),
    );
  });

  test('round trips, and of whatever bytes fails only with DecodeError', () => {
    const message = fc.record({
      command: fc.nat(255),
      version: fc.nat(255),
      attributes: fc.record({
        CTRL_ATTR_FAMILY_ID: fc.nat(0xffff),
        CTRL_ATTR_FAMILY_NAME: fc.string({ maxLength: 15 }).filter((text) => !text.includes('\0')),
        CTRL_ATTR_VERSION: fc.nat(),
      }),
    });
    const spoilt = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 3 });
    fc.assert(
      fc.property(message, spoilt, fc.nat(), (value, changes, length) => {
        const bytes = encoded((out) => controllerMessage.write(out, value));
        expect(controllerMessage.read(new ByteReader(bytes))).toEqual(value);
        for (const [at, byte] of changes) bytes[at % bytes.length] = byte;
        try {
          controllerMessage.read(new ByteReader(bytes.subarray(0, length % (bytes.length + 1))));
        } catch (error) {
          expect(error).toBeInstanceOf(DecodeError);
        }
      }),
    );
  });
});
