import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import oracle from 'netlink/dist/structs.js';
import { ByteWriter, DecodeError } from './bytes.ts';
import {
  type NetlinkReply,
  type NetlinkRequest,
  NLM_F_ACK,
  NLM_F_CREATE,
  readReplies,
  writeRequest,
} from './message.ts';

const hex = (content: string): Buffer => Buffer.from(content.replaceAll(/\s+/g, ''), 'hex');

function read(content: string): readonly NetlinkReply[] {
  return [...readReplies(hex(content))];
}

const request: NetlinkRequest = {
  type: 24,
  flags: NLM_F_CREATE,
  body: (out) => out.text('abcde'),
  operation: 'add',
  object: 'thing',
};

describe('a request', () => {
  test('has its length, flags and number, and is padded', () => {
    const out = new ByteWriter();
    writeRequest(out, request, { sequence: 7, flags: NLM_F_ACK });
    expect(out.bytes()).toEqual(hex('18000000 1800 0504 07000000 00000000 6162636465 000000'));
  });

  test('follows another in one datagram, and the npm package "netlink" reads both', () => {
    const out = new ByteWriter(1);
    writeRequest(out, request, { sequence: 1, flags: 0 });
    writeRequest(
      out,
      { ...request, body: (body) => body.u32(9) },
      { sequence: 0xffffffff, flags: NLM_F_ACK },
    );
    const messages = oracle.parseMessages(Buffer.from(out.bytes()));
    expect(messages.map(({ type, flags, seq }) => ({ type, flags, seq }))).toEqual([
      { type: 24, flags: 0x401, seq: 1 },
      { type: 24, flags: 0x405, seq: 0xffffffff },
    ]);
  });
});

describe('replies', () => {
  test('data, an acknowledgement and the end of a dump in one datagram', () => {
    const replies = read(`
      14000000 1000 0200 05000000 00000000 01000000
      24000000 0200 0001 06000000 00000000 00000000 14000000 1000 0500 06000000 00000000
      14000000 0300 0200 07000000 00000000 00000000`);
    expect(replies).toMatchObject([
      { kind: 'data', sequence: 5, type: 16, flags: 2 },
      { kind: 'error', sequence: 6, errno: 0 },
      { kind: 'done', sequence: 7, errno: 0 },
    ]);
    expect(replies[0]?.kind === 'data' && replies[0].body.u32()).toBe(1);
  });

  test('an error with the kernel’s words and the offset, the request capped', () => {
    const [reply] = read(`
      38000000 0200 0003 06000000 00000000 eaffffff 40000000 1000 0500 06000000 00000000
        0900 0100 6f6f707300 000000 0800 0200 24000000`);
    expect(reply).toEqual({ kind: 'error', sequence: 6, errno: 22, message: 'oops', offset: 36 });
  });

  test('the same with the whole request before the words', () => {
    const [reply] = read(`
      38000000 0200 0002 06000000 00000000 eaffffff 16000000 1000 0500 06000000 00000000
        aaaaaaaaaaaa 0000 0900 0100 6f6f707300 000000`);
    expect(reply).toEqual({ kind: 'error', sequence: 6, errno: 22, message: 'oops', offset: undefined });
  });

  test('a dump that failed, with words', () => {
    const [reply] = read('20000000 0300 0202 07000000 00000000 ea ffffff 0900 0100 6f6f707300 000000');
    expect(reply).toMatchObject({ kind: 'done', sequence: 7, errno: 22, message: 'oops' });
  });

  test('nothing for NLMSG_NOOP and for fewer bytes than a header', () => {
    expect(read('10000000 0100 0000 00000000 00000000 00')).toEqual([]);
  });

  test.each([
    ['a length below the header', '0f000000 1000 0000 00000000 00000000', 'its length is 15'],
    ['a length beyond the datagram', '20000000 1000 0000 00000000 00000000', 'Cannot read 16 bytes'],
    ['an error without an errno', '10000000 0200 0000 00000000 00000000', 'Cannot read 4 bytes'],
  ])('refuse %s', (_, content, message) => {
    expect(() => read(content)).toThrow(DecodeError);
    expect(() => read(content)).toThrow(message);
  });

  test('end on any bytes, and fail only with DecodeError', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (content) => {
        try {
          for (const reply of readReplies(Buffer.from(content)))
            expect(reply.sequence).toBeGreaterThanOrEqual(0);
        } catch (error) {
          if (!(error instanceof DecodeError)) throw error;
        }
      }),
      { numRuns: 1000 },
    );
  });
});
