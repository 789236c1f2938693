import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { decodeCall, encodeCall } from './call-body.ts';

test('the bytes', () => {
  const body = encodeCall({ CNI_COMMAND: 'ADD', CNI_ARGS: 'A=b;\r\nC=d' }, Buffer.from('{}'));
  expect(body.toString()).toBe('CNI_COMMAND=ADD\0CNI_ARGS=A=b;\r\nC=d\0\0{}');
  expect(encodeCall({}, Buffer.from([0, 255]))).toEqual(Buffer.from([0, 0, 255]));
});

test('what was encoded is decoded again', () => {
  const value = fc.string({ unit: 'binary' }).filter((text) => !text.includes('\0'));
  const name = fc.stringMatching(/^CNI_[A-Z_]*$/);
  fc.assert(
    fc.property(fc.dictionary(name, value), fc.string({ unit: 'binary' }), (env, stdin) => {
      const decoded = decodeCall(encodeCall(env, Buffer.from(stdin)));
      expect(decoded?.stdin).toBe(stdin);
      expect({ ...decoded?.env }).toEqual({ ...env });
    }),
  );
});

test.each([
  ['', 'nothing'],
  ['CNI_COMMAND=ADD', 'no end of a variable'],
  ['CNI_COMMAND=ADD\0', 'no end of the variables'],
  ['CNI_COMMAND\0\0', 'no variable'],
  ['PATH=/bin\0\0', "somebody else's variable"],
  ['{"env":{},"stdin":""}', 'JSON'],
])('%j is no call: %s', (body) => {
  expect(decodeCall(Buffer.from(body))).toBeUndefined();
});

test('the first of a name counts; what is no UTF-8 is replaced', () => {
  const body = Buffer.from('CNI_A=1\0CNI_A=2\0CNI_B=\xff\0\0\xff', 'latin1');
  expect(decodeCall(body)).toEqual({ env: { CNI_A: '1', CNI_B: '\ufffd' }, stdin: '\ufffd' });
});

test('any bytes: a call or none, never an error', () => {
  fc.assert(
    fc.property(fc.uint8Array(), (bytes) => {
      const decoded = decodeCall(Buffer.from(bytes));
      expect(decoded === undefined || typeof decoded.stdin === 'string').toBe(true);
    }),
  );
});
